use currant_native::engine::Engine;

use crate::common::books::{Books, target_at};
use crate::common::cluster::shared;
use crate::common::proxy::Proxy;
use crate::common::{until_signal, work_off};

fn through(pooler: &Proxy, books: &Books, workers: usize) -> Engine {
    let target = target_at(pooler.directory.to_str().expect("a path"), 5432);
    Engine::connect(target, books.config(workers)).expect("through the pooler")
}

#[test]
fn behind_a_transaction_pooler_it_polls_and_leaves_no_session_state() {
    let books = Books::open();
    let pooler = Proxy::pooler(&shared().directory);
    books.submit(300);
    let engine = through(&pooler, &books, 10);
    assert!(!engine.stats().is_listening);
    work_off(&engine, 300);
    // Nobody hears the NOTIFY; the poll finds it within half a second or so.
    books.submit(1);
    let claimed = until_signal(&engine, "the poll", || engine.take(1).pop());
    assert!(claimed.wait_us < 2_000_000, "{} us", claimed.wait_us);
    assert_eq!(books.count("currant.pools WHERE NOT has_lock"), 1);
    let locks = "pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
                  WHERE l.locktype = 'advisory' AND a.application_name = 'pooler'";
    assert_eq!(books.count(locks), 0);
    engine.close(crate::common::PATIENCE);
    assert_eq!(books.count("currant.pools WHERE stopped_at IS NOT NULL"), 1);
    assert_eq!(books.standing(), [("pending".into(), 1), ("succeeded".into(), 300)]);
}
