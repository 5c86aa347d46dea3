use currant_native::engine::{Engine, Report};
use currant_native::outbox::Status;

use crate::common::books::Books;
use crate::common::{PATIENCE, until_signal};

/// claimed = settled + stale + released + buffered + running + unsettled.
fn assert_adds_up(engine: &Engine) {
    let stats = engine.stats();
    let totals = &stats.totals;
    let gone = totals.settled + totals.stale + totals.released;
    let here = (stats.buffered + stats.running + stats.unsettled) as u64;
    assert_eq!(totals.claims.claimed, gone + here, "{stats:?}");
}

#[test]
fn every_claim_is_accounted_for() {
    let books = Books::open();
    books.submit(4_000);
    let engine = books.engine(30);
    let mut held = Vec::new();
    let mut ended = 0;
    let statuses = [Status::Succeeded, Status::Failed, Status::Cancelled, Status::Succeeded];
    until_signal(&engine, "two thousand", || {
        held.extend(engine.take(30));
        for (index, execution) in held.split_off(held.len() / 3).into_iter().enumerate() {
            let error = (index % 4 == 1).then(|| r#"{"type": "E"}"#.to_owned());
            engine.settle(execution.key(), statuses[index % 4], Report { error, run_us: 50, ..Report::default() });
            ended += 1;
        }
        (ended >= 2_000).then_some(())
    });
    engine.stop_claiming();
    assert!(engine.drain(PATIENCE));
    until_signal(&engine, "the release", || (engine.stats().buffered == 0).then_some(()));
    crate::common::until("the count of it", || {
        let stats = engine.stats();
        (stats.totals.claims.claimed == stats.totals.settled + stats.totals.released + stats.running as u64)
            .then_some(())
    });
    assert_adds_up(&engine);
    engine.close(PATIENCE);
    assert_adds_up(&engine);
    let standing = books.standing();
    assert_eq!(standing.iter().map(|(_, count)| count).sum::<i64>(), 4_000);
    assert!(standing.iter().all(|(status, _)| status != "running"), "{standing:?}");
}
