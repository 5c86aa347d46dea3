use std::time::Instant;

use currant_native::engine::Report;
use currant_native::outbox::Status;

use crate::common::books::Books;
use crate::common::{news_until, succeed, take};

#[test]
fn a_due_execution_runs_on_time_and_nobody_ticks() {
    let books = Books::open();
    let engine = books.engine(1);
    let run_one = || {
        let before = engine.stats().totals.statements;
        books.run(
            "BEGIN; INSERT INTO currant.executions (id, job, status, due_at, args)
             VALUES (currant.new_id(), 'm:f', 'scheduled', clock_timestamp() + interval '1500 ms', '[]');
             SELECT pg_notify('currant_wake', '@'); COMMIT",
        );
        let claimed = take(&engine, 1);
        let statements = engine.stats().totals.statements - before;
        let late = books.value(
            "SELECT extract(epoch FROM claimed_at - due_at) * 1000 FROM currant.executions WHERE status = 'running'",
        );
        let late: f64 = late.parse().expect("a number");
        assert!(late >= 0.0, "{late} ms after its time");
        // The start's claim, the look at '@', the promotion, the claim, a renewal, two for the watchers, tidying.
        assert!(statements <= 10, "{statements} statements");
        news_until(&engine, succeed(&engine, &claimed[0]));
        (late, claimed[0].wait_us)
    };
    // A machine that does something else just then is no fault of the engine's: not each time. What only a renewal
    // found would be seconds late each time. The wait is counted from the due time.
    let mut found = Vec::new();
    while found.len() < 4 && !found.last().is_some_and(|(late, wait)| *late < 150.0 && *wait < 400_000) {
        found.push(run_one());
    }
    assert!(found.last().is_some_and(|(late, wait)| *late < 150.0 && *wait < 400_000), "{found:?}: ms late, us waited");
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
    assert!(before.elapsed().as_secs_f64() < 4.0, "before the next renewal would have found it");
}
