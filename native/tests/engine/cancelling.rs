use currant_native::engine::Report;
use currant_native::outbox::Status;

use crate::common::books::Books;
use crate::common::{news_until, succeed, take, until_signal};

const CANCEL: &str = "UPDATE currant.executions SET cancelling = true WHERE status = 'running';
     SELECT pg_notify('currant_wake', '!cancel ' || max(id)) FROM currant.pools";

#[test]
fn a_taken_execution_is_reported_once_and_its_outcome_counts() {
    let books = Books::open();
    books.submit(2);
    let engine = books.engine(2);
    let claimed = take(&engine, 2);
    books.run(CANCEL);
    let mut cancel = Vec::new();
    until_signal(&engine, "the news", || {
        cancel.extend(engine.news().cancel);
        (cancel.len() == 2).then_some(())
    });
    books.run(CANCEL);
    engine.settle(claimed[0].key(), Status::Cancelled, Report::default());
    // It ended by itself first.
    let last = succeed(&engine, &claimed[1]);
    let news = news_until(&engine, last);
    assert!(news.cancel.is_empty(), "told once");
    assert!(news.stale.is_empty());
    assert_eq!(books.standing(), [("cancelled".into(), 1), ("succeeded".into(), 1)]);
}

#[test]
fn a_buffered_execution_is_ended_by_the_engine_itself() {
    let books = Books::open();
    books.submit(3);
    let engine = books.engine(3);
    until_signal(&engine, "the buffer", || (engine.stats().buffered == 3).then_some(()));
    let running = take(&engine, 1);
    books.run(CANCEL);
    let mut cancelled = 0;
    until_signal(&engine, "the news", || {
        cancelled += engine.news().cancelled.len();
        (cancelled == 2).then_some(())
    });
    assert!(engine.take(3).is_empty());
    assert_eq!(books.count("currant.history WHERE status = 'cancelled' AND error IS NULL"), 2);
    let ticket = engine.settle(running[0].key(), Status::Cancelled, Report::default());
    assert_eq!(ticket, 1, "the engine's own outcomes take no tickets");
    news_until(&engine, ticket);
}

#[test]
fn a_retry_that_meets_a_cancellation_ends_cancelled() {
    let books = Books::open();
    books.submit(1);
    let engine = books.engine(1);
    let claimed = take(&engine, 1);
    books.run("UPDATE currant.executions SET cancelling = true");
    let ticket = engine.settle(claimed[0].key(), Status::Retry, Report { delay: 5.0, ..Report::default() });
    let news = news_until(&engine, ticket);
    assert_eq!(news.cancelled, [claimed[0].key()]);
    assert!(news.stale.is_empty());
    assert_eq!(books.standing(), [("cancelled".into(), 1)]);
}

#[test]
fn a_release_that_meets_a_cancellation_ends_cancelled() {
    let books = Books::open();
    books.submit(2);
    let engine = books.engine(2);
    until_signal(&engine, "the buffer", || (engine.stats().buffered == 2).then_some(()));
    books.run(
        "UPDATE currant.executions SET cancelling = true
          WHERE id = (SELECT id FROM currant.executions ORDER BY id LIMIT 1)",
    );
    engine.close(crate::common::PATIENCE);
    assert_eq!(books.standing(), [("cancelled".into(), 1), ("pending".into(), 1)]);
    assert_eq!(books.count("currant.history WHERE attempt = 0 AND started_at IS NULL"), 1, "it never started");
}
