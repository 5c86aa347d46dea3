use std::time::{Duration, Instant};

use currant_native::listen::Listener;
use serde_json::Value;

use crate::common::books::Books;
use crate::common::{PATIENCE, news_until, succeed, take, wait_readable, work_off};

fn watch(books: &Books) -> Listener {
    Listener::connect(books.target(), &[format!("{}_events", books.schema)]).expect("a listener")
}

/// Everything heard until `enough` says so.
fn hear(listener: &Listener, mut enough: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    let mut heard = Vec::new();
    while !enough(&heard) {
        assert!(Instant::now() < deadline, "never heard: {heard:?}");
        wait_readable(listener.fileno(), Duration::from_millis(50));
        listener.clear();
        for (_, payload) in listener.take() {
            assert!(payload.len() < 8_000, "{} bytes", payload.len());
            heard.push(serde_json::from_str(&payload).expect("JSON"));
        }
    }
    heard
}

fn outcomes(heard: &[Value]) -> u64 {
    heard.iter().filter_map(|event| event["queues"]["default"]["outcomes"]["succeeded"].as_u64()).sum()
}

#[test]
fn watchers_hear_what_is_on_disk_and_all_of_it() {
    let books = Books::open();
    let listener = watch(&books);
    let engine = books.engine(10);
    books.submit(1_000);
    work_off(&engine, 1_000);
    let heard = hear(&listener, |heard| outcomes(heard) == 1_000);
    let claimed: u64 = heard.iter().filter_map(|event| event["queues"]["default"]["claimed"].as_u64()).sum();
    assert_eq!(claimed, 1_000);
    let count = |name: &str| -> u64 {
        let lists = heard.iter().filter_map(|event| event["queues"]["default"][name].as_array());
        lists.flatten().filter_map(|pair| pair[1].as_u64()).sum()
    };
    assert_eq!((count("wait_us"), count("run_us")), (1_000, 1_000));
    let last = heard.last().expect("one");
    assert_eq!((&last["v"], &last["pool"]), (&Value::from(1), &Value::from(engine.pool_id())));
    assert_eq!(last["name"], Value::from(books.schema.as_str()));
    for name in ["running", "buffered", "workers", "unsettled", "statements", "sent_at"] {
        assert!(last[name].is_number(), "{name}: {last}");
    }
    let sent: Vec<f64> = heard.iter().filter_map(|event| event["sent_at"].as_f64()).collect();
    let apart = sent.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    assert!(apart > 0.09, "at most ten a second: {apart}");
}

#[test]
fn after_quiet_the_first_outcome_is_told_at_once() {
    let books = Books::open();
    let listener = watch(&books);
    let engine = books.engine(1);
    let told_after = || {
        books.submit(1);
        let claimed = take(&engine, 1);
        hear(&listener, |heard| !heard.is_empty());
        std::thread::sleep(Duration::from_millis(99));
        let ticket = succeed(&engine, &claimed[0]);
        news_until(&engine, ticket);
        let before = Instant::now();
        hear(&listener, |heard| outcomes(heard) == 1);
        before.elapsed()
    };
    // A machine that does something else just then is no fault of the engine's: not each time.
    let times: Vec<Duration> = (0..5).map(|_| told_after()).collect();
    assert!(times.iter().any(|time| *time < Duration::from_millis(60)), "{times:?}");
}

#[test]
fn a_listener_keeps_the_newest_and_counts_what_it_dropped() {
    let books = Books::open();
    let channel = format!("{}_events", books.schema);
    let listener = Listener::connect(books.target(), &[channel.clone(), "odd \"name\"".into()]).expect("a listener");
    books.run("SELECT pg_notify('odd \"name\"', 'x')");
    let deadline = Instant::now() + PATIENCE;
    let mut heard = Vec::new();
    while heard.is_empty() && Instant::now() < deadline {
        wait_readable(listener.fileno(), Duration::from_millis(50));
        listener.clear();
        heard = listener.take();
    }
    assert_eq!(heard, [("odd \"name\"".to_owned(), "x".to_owned())]);
    books.run("SELECT pg_notify('currant_events', n::text) FROM generate_series(1, 10050) AS n");
    while listener.dropped() < 50 && Instant::now() < deadline {
        wait_readable(listener.fileno(), Duration::from_millis(20));
        listener.clear();
    }
    let newest = listener.take();
    assert_eq!((listener.dropped(), newest.len()), (50, 10_000));
    assert_eq!((newest[0].1.as_str(), newest[9_999].1.as_str()), ("51", "10050"));
    assert!(listener.is_connected());
    books.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name LIKE '% listener' AND query LIKE '%currant%'",
    );
    while listener.dropped() == 50 && Instant::now() < deadline {
        wait_readable(listener.fileno(), Duration::from_millis(20));
        listener.clear();
    }
    assert_eq!(listener.dropped(), 51, "something may have been missed");
    listener.close();
    assert!(!listener.is_connected());
}
