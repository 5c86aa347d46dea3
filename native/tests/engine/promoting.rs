use std::time::Instant;

use currant_native::engine::Report;
use currant_native::outbox::Status;

use crate::common::books::Books;
use crate::common::{news_until, take};

#[test]
fn a_due_execution_runs_on_time_and_nobody_ticks() {
    let books = Books::open();
    let engine = books.engine(1);
    let before = engine.stats().totals.statements;
    books.run(
        "BEGIN; INSERT INTO currant.executions (id, job, status, due_at, args)
         VALUES (currant.new_id(), 'm:f', 'scheduled', clock_timestamp() + interval '1500 ms', '[]');
         SELECT pg_notify('currant_wake', '@'); COMMIT",
    );
    let claimed = take(&engine, 1);
    let late = books.value(
        "SELECT extract(epoch FROM claimed_at - due_at) * 1000 FROM currant.executions WHERE status = 'running'",
    );
    let late: f64 = late.parse().expect("a number");
    assert!((0.0..150.0).contains(&late), "{late} ms after its time");
    assert!(claimed[0].wait_us < 400_000, "counted from the due time: {} us", claimed[0].wait_us);
    // The start's claim, the look at '@', the promotion, the claim, a renewal, two for the watchers, tidying.
    let statements = engine.stats().totals.statements - before;
    assert!(statements <= 10, "{statements} statements");
}

#[test]
fn a_thousand_and_more_due_at_once_all_come() {
    let books = Books::open();
    books.run(
        "INSERT INTO currant.executions (id, job, status, due_at, args)
         SELECT currant.new_id(), 'm:f', 'scheduled', now() - interval '1 s', '[]' FROM generate_series(1, 2500)",
    );
    let engine = books.engine(2_500);
    assert_eq!(take(&engine, 2_500).len(), 2_500);
}

#[test]
fn a_retry_of_our_own_needs_no_notify() {
    let books = Books::open();
    books.submit(1);
    let engine = books.engine(1);
    let claimed = take(&engine, 1);
    let ticket = engine.settle(claimed[0].key(), Status::Retry, Report { delay: 0.3, ..Report::default() });
    news_until(&engine, ticket);
    let before = Instant::now();
    assert_eq!(take(&engine, 1)[0].attempt, 2);
    assert!(before.elapsed().as_secs_f64() < 2.0);
}
