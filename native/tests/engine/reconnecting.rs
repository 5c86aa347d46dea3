use std::path::PathBuf;

use currant_native::engine::{Engine, Report};
use currant_native::outbox::Status;
use currant_native::wake::Reason;

use crate::common::books::{Books, target_at};
use crate::common::cluster::shared;
use crate::common::proxy::Proxy;
use crate::common::{news_until, succeed, take, until, until_signal, work_off};

fn through(proxy: &Proxy, books: &Books, workers: usize) -> Engine {
    let directory: &PathBuf = &proxy.directory;
    let target = target_at(directory.to_str().expect("a path"), 5432);
    Engine::connect(target, books.config(workers)).expect("through the proxy")
}

#[test]
fn every_connection_can_be_terminated_in_the_middle_of_the_work() {
    let books = Books::open();
    books.submit(3_000);
    let engine = books.engine(20);
    let mut done = 0;
    let mut last = 0;
    let mut cut_at = vec![2_000, 1_200, 400];
    until_signal(&engine, "all done", || {
        for claimed in engine.take(20) {
            last = succeed(&engine, &claimed);
            done += 1;
        }
        if cut_at.last().is_some_and(|at| done >= *at) {
            cut_at.pop();
            books.run(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE application_name LIKE '% engine {}'",
                books.schema
            ));
        }
        (done >= 3_000 && engine.news().committed >= last).then_some(())
    });
    assert_eq!(books.standing(), [("succeeded".into(), 3_000)]);
    assert_eq!(engine.stats().totals.stale, 0);
    until("connected again", || engine.is_connected().then_some(()));
    assert!(engine.stats().totals.reconnects >= 3);
    assert_eq!(books.count("currant.pools"), 1, "the same pool all along");
}

#[test]
fn after_a_reconnect_it_listens_and_has_its_lock() {
    let books = Books::open();
    let engine = books.engine(1);
    let locks = || {
        let key = currant_native::sql::Sql::new(&books.schema).expect("a schema").lock_key();
        books.count(&format!("pg_locks WHERE locktype = 'advisory' AND classid::bigint = {key}"))
    };
    assert_eq!(locks(), 1);
    books.run(
        "SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
          WHERE l.locktype = 'advisory' AND a.application_name LIKE '% engine currant'",
    );
    until("the reconnect", || (engine.stats().totals.reconnects >= 1 && engine.is_connected()).then_some(()));
    until("the lock", || (locks() == 1).then_some(()));
    // The reconnect itself brings claims, which may be there before the notification: until one is brought by it.
    until("a claim that a notification woke", || {
        books.submit(1);
        let taken = take(&engine, 1);
        news_until(&engine, succeed(&engine, &taken[0]));
        engine.stats().totals.claims.wakes.contains_key(&Reason::Notify).then_some(())
    });
}

#[test]
fn a_settle_whose_answer_is_lost_counts_once() {
    let books = Books::open();
    let proxy = Proxy::start(&shared().directory);
    books.submit(4);
    let engine = through(&proxy, &books, 4);
    let claimed = take(&engine, 4);
    // The first makes the connection prepare its statement; the next answer is cut off.
    news_until(&engine, succeed(&engine, &claimed[0]));
    proxy.cut_answer_to("marked outcome");
    let marked = || Report { logs: Some("marked outcome".into()), ..Report::default() };
    engine.settle(claimed[1].key(), Status::Succeeded, marked());
    let error = Some(r#"{"type": "E", "message": "m"}"#.to_owned());
    engine.settle(claimed[2].key(), Status::Failed, Report { error, ..marked() });
    let last = engine.settle(claimed[3].key(), Status::Retry, Report { delay: 60.0, ..marked() });
    let news = news_until(&engine, last);
    assert_eq!(proxy.cuts(), 1);
    assert!(news.stale.is_empty(), "they are in the books: {:?}", news.stale);
    assert_eq!(books.standing(), [("failed".into(), 1), ("scheduled".into(), 1), ("succeeded".into(), 2)]);
}

#[test]
fn a_claim_whose_answer_is_lost_is_given_back() {
    let books = Books::open();
    let proxy = Proxy::start(&shared().directory);
    let engine = through(&proxy, &books, 5);
    books.submit(1);
    take(&engine, 1);
    proxy.cut_answer_with("lost on the way");
    books.run(
        "INSERT INTO currant.executions (id, job, args)
         SELECT currant.new_id(), 'm:f', 'lost on the way' FROM generate_series(1, 4);
         SELECT pg_notify('currant_wake', '+default')",
    );
    // The server has claimed four that the engine never heard of; it finds and takes them all the same.
    let claimed = take(&engine, 4);
    assert_eq!(proxy.cuts(), 1);
    assert!(claimed.iter().all(|execution| (execution.attempt, execution.token) == (1, 2)), "given back in between");
    assert_eq!(books.count("currant.executions WHERE status = 'running'"), 5);
}

#[test]
fn the_news_say_what_the_trouble_is() {
    let books = Books::open();
    let proxy = Proxy::start(&shared().directory);
    let engine = through(&proxy, &books, 1);
    assert!(engine.news().trouble.is_none() && engine.is_connected());
    drop(proxy);
    let trouble = until_signal(&engine, "trouble", || engine.news().trouble);
    assert!(!engine.is_connected());
    assert!(!trouble.is_empty());
}

#[test]
fn a_restarted_server_is_found_again() {
    let cluster = Box::leak(Box::new(crate::common::cluster::start(&crate::common::cluster::binaries(), &[], "")));
    let books = Books::open_on(cluster);
    books.submit(50);
    let engine = books.engine(5);
    let claimed = take(&engine, 5);
    // As a crash of the server does: all connections are gone at once, and it takes a moment to come back.
    let pid = books.value("SELECT pid FROM pg_stat_activity WHERE application_name LIKE '% engine currant' LIMIT 1");
    // SAFETY: a server process of this test's own cluster.
    unsafe { libc::kill(pid.parse().expect("a pid"), libc::SIGKILL) };
    let last = claimed.iter().map(|execution| succeed(&engine, execution)).max().expect("five");
    assert!(news_until(&engine, last).stale.is_empty());
    work_off(&engine, 45);
    std::mem::forget(books);
}

#[test]
fn what_it_holds_by_the_books_alone_is_found_and_given_back() {
    let books = Books::open();
    let engine = books.engine(1);
    // As by a statement that was given up and done after all: nothing says so, and nothing is in doubt.
    books.run(&format!(
        "INSERT INTO currant.executions (job, queue, id, args, status, attempt, token, claimed_by, claimed_at)
         SELECT 'm:f', 'default', currant.first_id(now()), '[]', 'running', 1, 1, {}, now()",
        engine.pool_id()
    ));
    let found = take(&engine, 1);
    assert_eq!((found[0].attempt, found[0].token), (1, 2), "its attempt never began");
    news_until(&engine, succeed(&engine, &found[0]));
    assert_eq!(books.standing(), [("succeeded".into(), 1)]);
}
