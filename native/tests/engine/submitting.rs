use std::time::Duration;

use currant_native::engine::Engine;
use currant_native::error::Error;
use currant_native::submit::New;
use uuid::Uuid;

use crate::common::books::Books;
use crate::common::{PATIENCE, news_until, succeed, take, until};

fn new(number: u128, args: &[u8]) -> New {
    New {
        id: Uuid::from_u128(number),
        job: "m:f".to_owned(),
        queue: "default".to_owned(),
        priority: 0,
        retries: None,
        options: None,
        args: args.to_vec(),
    }
}

/// Submits as soon as the engine may, and waits for the answer.
fn submit(engine: &Engine, make: impl Fn() -> New) -> Result<(), Error> {
    let mut begun = until("an idle engine", || engine.submit(make()).expect("threads"));
    begun.wait(PATIENCE).expect("an answer")
}

fn is_refused(engine: &Engine, number: u128) -> bool {
    engine.submit(new(number, b"[]")).expect("threads").is_none()
}

#[test]
fn one_that_nobody_waits_for_any_more_is_written_all_the_same() {
    let books = Books::open();
    let engine = books.engine(1);
    let mut begun = until("an idle engine", || engine.submit(new(1, b"[]")).expect("threads"));
    assert!(begun.wait(Duration::ZERO).is_none(), "it takes longer than nothing");
    begun.go_on();
    assert_eq!(take(&engine, 1)[0].id, Uuid::from_u128(1));
}

#[test]
fn what_is_submitted_to_an_idle_engine_is_on_disk_and_starts() {
    let books = Books::open();
    let engine = books.engine(1);
    submit(&engine, || new(1, b"[1]")).expect("written");
    assert_eq!(books.standing(), [("running".into(), 1)]);
    assert!(is_refused(&engine, 2), "its only worker is spoken for");
    let claimed = take(&engine, 1);
    assert_eq!((claimed[0].id, claimed[0].args.as_slice()), (Uuid::from_u128(1), b"[1]".as_slice()));
    assert!(is_refused(&engine, 3), "its only worker is busy");
    news_until(&engine, succeed(&engine, &claimed[0]));
    assert_eq!(books.standing(), [("succeeded".into(), 1)]);
}

#[test]
fn as_many_as_there_are_idle_workers_need_not_have_begun() {
    let books = Books::open();
    let engine = books.engine(3);
    for number in 1..=3 {
        submit(&engine, || new(number, b"[]")).expect("written");
    }
    assert!(is_refused(&engine, 4));
    let ids: Vec<u128> = take(&engine, 3).iter().map(|claimed| claimed.id.as_u128()).collect();
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn in_a_queue_that_is_paused_it_waits() {
    let books = Books::open();
    let engine = books.engine(1);
    submit(&engine, || new(1, b"[]")).expect("written");
    let claimed = take(&engine, 1);
    news_until(&engine, succeed(&engine, &claimed[0]));
    books.run("INSERT INTO currant.queues (name, paused_at) VALUES ('default', now())");
    submit(&engine, || new(2, b"[]")).expect("written");
    assert_eq!(books.count("currant.executions WHERE status = 'pending'"), 1);
    assert!(engine.take(1).is_empty());
}

#[test]
fn what_the_database_refuses_is_told_and_keeps_no_worker() {
    let books = Books::open();
    let engine = books.engine(1);
    let refused = submit(&engine, || New { options: Some("no JSON".to_owned()), ..new(1, b"[]") });
    assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
    submit(&engine, || new(2, b"[]")).expect("written");
    assert_eq!(take(&engine, 1)[0].id, Uuid::from_u128(2));
}

#[test]
fn none_is_begun_when_the_end_has() {
    let books = Books::open();
    let engine = books.engine(1);
    submit(&engine, || new(1, b"[]")).expect("written");
    let claimed = take(&engine, 1);
    news_until(&engine, succeed(&engine, &claimed[0]));
    engine.stop_claiming();
    assert!(is_refused(&engine, 2));
    engine.close(Duration::from_secs(5));
    assert!(is_refused(&engine, 3));
}
