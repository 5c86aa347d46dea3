use std::collections::BTreeSet;

use currant_native::core::PoolConfig;
use currant_native::engine::Report;
use currant_native::outbox::Status;

use crate::common::books::Books;
use crate::common::{news_until, succeed, take, until, until_signal, work_off};

#[test]
fn higher_priority_first_then_oldest() {
    let books = Books::open();
    for priority in [0, 5, -3, 5] {
        books.submit_to("default", "m:f", priority, 3);
    }
    let engine = books.engine(12);
    let claimed = take(&engine, 12);
    let priorities: Vec<i16> = claimed.iter().map(|execution| execution.priority).collect();
    assert_eq!(priorities, [5, 5, 5, 5, 5, 5, 0, 0, 0, -3, -3, -3]);
    assert!(claimed.windows(2).all(|pair| pair[0].priority > pair[1].priority || pair[0].id < pair[1].id));
    assert!(claimed.iter().all(|execution| execution.attempt == 1 && execution.token == 1));
}

#[test]
fn a_full_queue_does_not_starve_another() {
    let books = Books::open();
    books.submit_to("bulk", "m:f", 9, 500);
    books.submit_to("mail", "m:f", 0, 10);
    let engine = books.engine_with(PoolConfig { queues: vec!["bulk".into(), "mail".into()], ..books.config(2) });
    let mut mail = 0;
    for taken in 1..=100 {
        let claimed = take(&engine, 1);
        mail += usize::from(&*claimed[0].queue == "mail");
        succeed(&engine, &claimed[0]);
        if mail == 10 {
            assert!(taken <= 40, "ten of mail took {taken} of both");
            return;
        }
    }
    panic!("only {mail} of mail within the first hundred");
}

#[test]
fn what_one_queue_does_not_use_goes_to_another() {
    let books = Books::open();
    books.submit_to("one", "m:f", 0, 100);
    let engine = books.engine_with(PoolConfig { queues: vec!["two".into(), "one".into()], ..books.config(40) });
    assert_eq!(take(&engine, 40).len(), 40);
}

#[test]
fn unknown_jobs_stay_until_they_are_known() {
    let books = Books::open();
    books.submit_to("default", "other:g", 5, 3);
    books.submit(2);
    let engine = books.engine(10);
    let claimed = take(&engine, 2);
    assert!(claimed.iter().all(|execution| &*execution.job == "m:f"));
    assert_eq!(books.count("currant.executions WHERE status = 'pending' AND job = 'other:g'"), 3);
    engine.set_jobs(&["m:f".into(), "other:g".into(), "no\0such".into()]);
    assert!(take(&engine, 3).iter().all(|execution| &*execution.job == "other:g"));
}

#[test]
fn a_backlog_that_nobody_here_can_run_does_not_delay_what_comes_after() {
    let books = Books::open();
    books.submit_to("default", "other:g", 0, 60_000);
    let engine = books.engine(1);
    // The first finds out that the way from the start is long, the next go the short way: one of them when the machine
    // has nothing else to do just then.
    let mut waits = Vec::new();
    until("one that went the short way", || {
        books.submit(1);
        let claimed = take(&engine, 1);
        waits.push(claimed[0].wait_us);
        succeed(&engine, &claimed[0]);
        waits.last().is_some_and(|wait| *wait < 10_000).then_some(())
    });
}

#[test]
fn a_paused_queue_is_not_claimed_from() {
    let books = Books::open();
    books.run("INSERT INTO currant.queues VALUES ('default', now())");
    books.submit(3);
    books.submit_to("open", "m:f", 0, 1);
    let engine = books.engine_with(PoolConfig { queues: vec!["default".into(), "open".into()], ..books.config(5) });
    assert_eq!(&*take(&engine, 1)[0].queue, "open");
    assert_eq!(books.count("currant.executions WHERE status = 'pending'"), 3);
    books.run("UPDATE currant.queues SET paused_at = NULL; SELECT pg_notify('currant_wake', '+default')");
    take(&engine, 3);
}

#[test]
fn a_local_wake_claims_without_a_notify() {
    let books = Books::open();
    let engine = books.engine(1);
    books.insert(1);
    engine.wake();
    take(&engine, 1);
}

#[test]
fn slow_jobs_are_claimed_as_slots_free() {
    let books = Books::open();
    books.submit(50);
    let engine = books.engine(4);
    let claimed = take(&engine, 4);
    assert_eq!(books.count("currant.executions WHERE status = 'running'"), 4, "nothing is known of them: no prefetch");
    let mut last = 0;
    for execution in &claimed {
        let report = Report { run_us: 10_000_000, ..Report::default() };
        last = engine.settle(execution.key(), Status::Succeeded, report);
    }
    take(&engine, 4);
    news_until(&engine, last);
    assert_eq!(engine.stats().prefetch, 0);
    assert_eq!(books.count("currant.executions WHERE status = 'running'"), 4);
}

#[test]
fn fast_jobs_are_claimed_by_the_hundred() {
    let books = Books::open();
    books.submit(5_000);
    let engine = books.engine(10);
    work_off(&engine, 5_000);
    let stats = engine.stats();
    assert!(stats.totals.claims.claims < 60, "{} claims", stats.totals.claims.claims);
    assert!(stats.totals.statements < 250, "{} statements", stats.totals.statements);
    assert_eq!(books.standing(), [("succeeded".into(), 5_000)]);
}

#[test]
fn two_engines_never_hold_the_same_execution() {
    let books = Books::open();
    books.submit(400);
    let (one, other) = (books.engine(200), books.engine(200));
    let mut seen = BTreeSet::new();
    until_signal(&one, "all claimed", || {
        for execution in [one.take(50), other.take(50)].concat() {
            assert!(seen.insert(execution.id), "claimed twice");
        }
        (seen.len() == 400).then_some(())
    });
}

#[test]
fn rows_behind_the_cursor_are_found() {
    let books = Books::open();
    books.submit(3_000);
    let engine = books.engine(20);
    // While the cursor is deep in the backlog something more urgent comes, and nobody is told.
    let first = take(&engine, 20);
    books.run("INSERT INTO currant.executions (id, job, priority, args) VALUES (currant.new_id(), 'm:f', 7, '[]')");
    first.iter().for_each(|execution| {
        succeed(&engine, execution);
    });
    let mut taken = 20;
    until_signal(&engine, "the urgent one", || {
        let claimed = engine.take(20);
        taken += claimed.len();
        claimed.iter().for_each(|execution| {
            succeed(&engine, execution);
        });
        claimed.iter().any(|execution| execution.priority == 7).then_some(())
    });
    assert!(taken <= 3_001);
}

#[test]
fn what_has_become_too_much_is_given_back() {
    let books = Books::open();
    books.submit(1_000);
    let engine = books.engine(4);
    for _ in 0..25 {
        for execution in take(&engine, 4) {
            succeed(&engine, &execution);
        }
    }
    until_signal(&engine, "a full buffer", || (engine.stats().buffered > 100).then_some(()));
    take(&engine, 4);
    // The four run and run: other pools get what waits behind them.
    until_signal(&engine, "given back", || (engine.stats().buffered <= 8).then_some(()));
    let stats = engine.stats();
    assert_eq!(stats.totals.claims.claimed, stats.totals.settled + 4 + stats.buffered as u64 + stats.totals.released);
    let running = 4 + stats.buffered as i64;
    until("the release", || (books.count("currant.executions WHERE status = 'running'") == running).then_some(()));
}
