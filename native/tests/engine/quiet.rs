use std::time::Instant;

use crate::common::books::Books;
use crate::common::{PATIENCE, until};

#[test]
fn an_idle_pool_asks_for_next_to_nothing() {
    let books = Books::open();
    let engine = books.engine(1_000);
    let renewed = || engine.stats().lease_age_s;
    // From one renewal to the next but one: two periods.
    let wait_renewal = || {
        let mut last = renewed();
        until("a renewal", || {
            let now = renewed();
            let is_new = now < last;
            last = now;
            is_new.then_some(())
        });
    };
    wait_renewal();
    let (before, started) = (engine.stats().totals.statements, Instant::now());
    wait_renewal();
    wait_renewal();
    let statements = engine.stats().totals.statements - before;
    let seconds = started.elapsed().as_secs_f64();
    assert!(started.elapsed() < PATIENCE);
    let rate = statements as f64 / seconds;
    assert!(rate < 0.5, "{statements} statements in {seconds:.1} s");
    assert!(statements <= 3, "one per renewal: {statements}");
}

#[test]
fn the_pools_row_says_what_it_can_run() {
    let books = Books::open();
    let engine = books.engine(1);
    engine.set_jobs(&["m:f".into(), "m:g".into()]);
    engine.set_workers(7);
    let row = || books.value("SELECT jobs::text || workers FROM currant.pools");
    until("the renewal", || (row() == "{m:f,m:g}7").then_some(()));
}

#[test]
fn the_poll_finds_what_nobody_told() {
    let books = Books::open();
    let engine = books.engine(1);
    until("the start's claim", || (engine.stats().totals.claims.claims > 0).then_some(()));
    books.insert(1);
    crate::common::take(&engine, 1);
    let wakes = engine.stats().totals.claims.wakes;
    assert!(wakes.contains_key(&currant_native::wake::Reason::Poll), "{wakes:?}");
}
