use currant_native::engine::Report;
use currant_native::outbox::Status;

use crate::common::books::Books;
use crate::common::{news_until, succeed, take, until_signal};

#[test]
fn an_outcome_is_in_the_books_when_its_ticket_is_committed() {
    let books = Books::open();
    books.submit(1);
    let engine = books.engine(1);
    let claimed = take(&engine, 1).remove(0);
    let report = Report {
        result: Some(b"[1, 2]".to_vec()),
        run_us: 1_500_000,
        logs: Some("out".into()),
        source: Some("v1".into()),
        ..Report::default()
    };
    let ticket = engine.settle(claimed.key(), Status::Succeeded, report);
    assert_eq!(ticket, 1);
    let news = news_until(&engine, ticket);
    assert!(news.stale.is_empty() && news.refused.is_empty());
    let row = books.rows(
        "SELECT status, convert_from(result, 'UTF8'), logs, source, attempt, token, claimed_by = 1,
                round(extract(epoch FROM finished_at - started_at)::numeric, 1), error IS NULL
           FROM currant.history",
    );
    assert_eq!(row, [["succeeded", "[1, 2]", "out", "v1", "1", "1", "t", "1.5", "t"]]);
    assert_eq!(books.count("currant.executions"), 0);
}

#[test]
fn an_outcome_without_its_claim_is_stale() {
    let books = Books::open();
    books.submit(3);
    let engine = books.engine(3);
    let claimed = take(&engine, 3);
    succeed(&engine, &claimed[0]);
    let wrong_token = engine.settle((claimed[1].id, 7), Status::Succeeded, Report::default());
    let twice = succeed(&engine, &claimed[0]);
    let good = succeed(&engine, &claimed[2]);
    let news = news_until(&engine, good);
    assert_eq!(news.stale, [wrong_token, twice]);
    assert_eq!(engine.stats().totals.stale, 2);
    assert_eq!(books.standing(), [("running".into(), 1), ("succeeded".into(), 2)]);
}

#[test]
fn one_bad_outcome_does_not_hold_up_its_batch() {
    let books = Books::open();
    books.submit(40);
    let engine = books.engine(40);
    let claimed = take(&engine, 40);
    let mut bad = Vec::new();
    let mut last = 0;
    for (index, execution) in claimed.iter().enumerate() {
        let report = match index {
            7 => Report { error: Some("{not json".into()), ..Report::default() },
            8 => Report { error: Some(r#"{"type": "X", "message": "a\u0000b"}"#.into()), ..Report::default() },
            31 => Report { logs: Some("zero \0 byte".into()), ..Report::default() },
            _ => Report::default(),
        };
        let status = if index == 31 { Status::Succeeded } else { Status::Failed };
        last = engine.settle(execution.key(), status, report);
        if [7, 8, 31].contains(&index) {
            bad.push(last);
        }
    }
    let news = news_until(&engine, last);
    let refused: Vec<u64> = news.refused.iter().map(|(ticket, _)| *ticket).collect();
    assert_eq!(refused, bad);
    assert!(news.refused.iter().all(|(_, reason)| reason.contains("SQLSTATE 22")), "{:?}", news.refused);
    assert!(news.stale.is_empty());
    assert_eq!(books.standing(), [("failed".into(), 40)]);
    assert_eq!(books.count("currant.history WHERE error ->> 'type' = 'NotStorable'"), 3);
}

#[test]
fn a_retry_goes_back_with_its_attempt_remembered() {
    let books = Books::open();
    books.submit(2);
    let engine = books.engine(2);
    let claimed = take(&engine, 2);
    let error = || Some(r#"{"type": "E", "message": "m"}"#.to_owned());
    engine.settle(claimed[0].key(), Status::Retry, Report { error: error(), ..Report::default() });
    let late = Report { error: error(), delay: 3_600.0, ..Report::default() };
    let last = engine.settle(claimed[1].key(), Status::Retry, late);
    news_until(&engine, last);
    let again = take(&engine, 1).remove(0);
    assert_eq!((again.id, again.attempt, again.token), (claimed[0].id, 2, 2));
    let attempts = books.value("SELECT attempts FROM currant.executions WHERE status = 'running'");
    assert!(attempts.contains(r#""attempt": 1"#) && attempts.contains(r#""type": "E""#), "{attempts}");
    assert_eq!(books.count("currant.executions WHERE status = 'scheduled' AND due_at > now() + '59 min'"), 1);
}

#[test]
fn too_many_unsettled_outcomes_stop_take() {
    let books = Books::open();
    books.submit(10_200);
    let engine = books.engine(10_100);
    let claimed = take(&engine, 10_100);
    books.run("BEGIN; LOCK TABLE currant.history IN ACCESS EXCLUSIVE MODE");
    let mut last = 0;
    for execution in &claimed {
        last = succeed(&engine, execution);
    }
    assert!(engine.stats().unsettled > 10_000);
    assert!(engine.take(1).is_empty(), "back-pressure");
    books.run("COMMIT");
    news_until(&engine, last);
    assert_eq!(take(&engine, 1).len(), 1);
    assert_eq!(engine.stats().unsettled, 0);
}

#[test]
fn drain_says_whether_everything_is_on_disk() {
    let books = Books::open();
    books.submit(1);
    let engine = books.engine(1);
    let claimed = take(&engine, 1);
    books.run("BEGIN; LOCK TABLE currant.history IN ACCESS EXCLUSIVE MODE");
    succeed(&engine, &claimed[0]);
    assert!(!engine.drain(std::time::Duration::from_millis(30)));
    books.run("COMMIT");
    assert!(engine.drain(crate::common::PATIENCE));
    assert_eq!(books.standing(), [("succeeded".into(), 1)]);
}

#[test]
fn a_row_written_again_after_its_end_is_dropped_and_what_is_finished_stands() {
    let books = Books::open();
    books.submit(1);
    let engine = books.engine(2);
    let first = take(&engine, 1);
    news_until(&engine, succeed(&engine, &first[0]));
    books.run(
        "INSERT INTO currant.executions (id, job, args) SELECT id, job, args FROM currant.history;
         SELECT pg_notify('currant_wake', '+default')",
    );
    engine.wake();
    let again = take(&engine, 1);
    assert_eq!(again[0].id, first[0].id);
    let ticket = succeed(&engine, &again[0]);
    let mut refused = Vec::new();
    until_signal(&engine, "the refusal", || {
        let news = engine.news();
        refused.extend(news.refused.into_iter().map(|(ticket, _)| ticket));
        (news.committed >= ticket).then_some(())
    });
    assert_eq!(refused, [ticket]);
    assert_eq!(books.standing(), [("succeeded".into(), 1)]);
}

#[test]
fn a_row_with_its_counters_at_the_end_of_their_type_holds_up_nobody() {
    let books = Books::open();
    books.submit(3);
    books.run(
        "UPDATE currant.executions SET token = 2147483647, attempt = 2147483647, created_at = '-infinity'
          WHERE id = (SELECT id FROM currant.executions ORDER BY id LIMIT 1)",
    );
    let engine = books.engine(3);
    let claimed = take(&engine, 3);
    let last = claimed.iter().map(|execution| succeed(&engine, execution)).max().expect("three");
    news_until(&engine, last);
    assert_eq!(books.standing(), [("succeeded".into(), 3)]);
}
