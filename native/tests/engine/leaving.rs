use std::time::{Duration, Instant};

use currant_native::engine::{Engine, Report};
use currant_native::error::Error;
use currant_native::outbox::Status;

use crate::common::books::{Books, target_at};
use crate::common::{PATIENCE, news_until, succeed, take, until, until_signal};

#[test]
fn stop_claiming_releases_what_is_not_taken_and_settles_on() {
    let books = Books::open();
    books.submit(10);
    let engine = books.engine(5);
    let claimed = take(&engine, 2);
    engine.stop_claiming();
    until("the release", || (books.count("currant.executions WHERE status = 'pending'") == 8).then_some(()));
    assert_eq!(
        books.value("SELECT count(*) FROM currant.executions WHERE status = 'pending' AND token = 1 AND attempt = 0"),
        "3",
        "the token stays up"
    );
    let last = claimed.iter().map(|execution| succeed(&engine, execution)).max().expect("two");
    news_until(&engine, last);
    assert!(engine.take(5).is_empty());
}

#[test]
fn close_settles_gives_back_and_says_goodbye() {
    let books = Books::open();
    books.submit(10);
    let engine = books.engine(6);
    let claimed = take(&engine, 3);
    succeed(&engine, &claimed[0]);
    engine.close(PATIENCE);
    engine.close(PATIENCE);
    assert_eq!(books.standing(), [("pending".into(), 9), ("succeeded".into(), 1)]);
    assert_eq!(books.count("currant.pools WHERE stopped_at IS NOT NULL AND lost_at IS NULL"), 1);
    let ticket = engine.settle(claimed[1].key(), Status::Succeeded, Report::default());
    let news = engine.news();
    assert_eq!((news.committed, news.stale), (ticket, vec![ticket]), "too late: it was given back");
    assert!(!engine.is_connected());
    let stats = engine.stats();
    assert_eq!(stats.totals.claims.claimed, stats.totals.settled + stats.totals.released);
}

#[test]
fn close_is_over_in_time_even_when_the_database_stands_still() {
    let books = Books::open();
    books.submit(1);
    let engine = books.engine(1);
    let claimed = take(&engine, 1);
    books.run("BEGIN; LOCK TABLE currant.history IN ACCESS EXCLUSIVE MODE");
    succeed(&engine, &claimed[0]);
    let before = Instant::now();
    engine.close(Duration::from_millis(100));
    // One that waits for the database takes as long as a statement may: half a minute.
    assert!(before.elapsed() < Duration::from_secs(10));
    books.run("ROLLBACK");
}

#[test]
fn a_released_execution_runs_elsewhere_at_once() {
    let books = Books::open();
    books.submit(5);
    let engine = books.engine(5);
    until_signal(&engine, "the buffer", || (engine.stats().buffered == 5).then_some(()));
    let other = books.engine(5);
    engine.stop_claiming();
    let claimed = take(&other, 5);
    assert!(claimed.iter().all(|execution| (execution.attempt, execution.token) == (1, 2)));
}

#[test]
fn connect_says_why_not() {
    let books = Books::open();
    let config = books.config(1);
    let reason = |target| match Engine::connect(target, config.clone()) {
        Err(error) => error,
        Ok(_) => panic!("it connected"),
    };
    let nowhere = reason(target_at("/tmp/no-such-directory", 5432));
    assert!(matches!(&nowhere, Error::Unavailable(text) if text.contains("No such file")), "{nowhere}");
    let mut target = books.target();
    target.database = "no_such_database".into();
    let missing = reason(target);
    assert!(matches!(&missing, Error::Unavailable(text) if text.contains("does not exist")), "{missing}");
    let mut other = books.config(1);
    other.schema = "no_such_schema".into();
    let outdated = Engine::connect(books.target(), other).err().expect("no schema");
    assert!(matches!(&outdated, Error::SchemaOutdated(text) if text.contains("currant migrate")), "{outdated}");
    let mut bad = books.config(1);
    bad.schema = "x; DROP".into();
    assert!(matches!(Engine::connect(books.target(), bad).err(), Some(Error::Argument(_))));
}

#[test]
fn a_silent_host_is_given_up_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut target = target_at("127.0.0.1", listener.local_addr().expect("an address").port());
    target.connect_timeout = Duration::from_millis(300);
    let books = Books::open();
    let before = Instant::now();
    let error = Engine::connect(target, books.config(1)).err().expect("nobody answers");
    assert!(error.to_string().contains("no answer from 127.0.0.1"), "{error}");
    assert!(before.elapsed() < Duration::from_secs(3));
}

#[test]
fn the_next_host_is_tried() {
    let books = Books::open();
    let mut target = books.target();
    target.hosts.insert(0, ("/tmp/no-such-directory".into(), 5432));
    target.wants_writes = true;
    Engine::connect(target, books.config(1)).expect("the second host");
}
