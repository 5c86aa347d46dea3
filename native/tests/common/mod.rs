//! A throw-away PostgreSQL for the tests of one binary, and a schema of their own for each of them.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod books;
pub mod cluster;
pub mod proxy;

use std::time::{Duration, Instant};

use currant_native::buffer::Claimed;
use currant_native::core::News;
use currant_native::engine::{Engine, Report};
use currant_native::outbox::Status;

/// Longer than anything takes that works.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until a descriptor is readable, a moment at most: the callers look at what they wait for themselves.
pub fn wait_readable(fd: i32, most: Duration) {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one live pollfd.
    unsafe { libc::poll(&mut poll, 1, most.as_millis() as i32) };
}

/// Asks again and again until the answer is something.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The same, woken by the engine's own signal.
pub fn until_signal<T>(engine: &Engine, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        engine.clear();
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        wait_readable(engine.fileno(), Duration::from_millis(50));
    }
}

/// Takes exactly `count`, over as many calls as it needs.
pub fn take(engine: &Engine, count: usize) -> Vec<Claimed> {
    let mut all = Vec::new();
    until_signal(engine, "executions to take", || {
        all.extend(engine.take(count - all.len()));
        (all.len() == count).then_some(())
    });
    all
}

pub fn succeed(engine: &Engine, claimed: &Claimed) -> u64 {
    engine.settle(claimed.key(), Status::Succeeded, Report { result: Some(b"1".to_vec()), ..Report::default() })
}

/// The news until `ticket` is committed, added up.
pub fn news_until(engine: &Engine, ticket: u64) -> News {
    let mut sum = News::default();
    until_signal(engine, "the commit", || {
        let news = engine.news();
        sum.stale.extend(news.stale);
        sum.refused.extend(news.refused);
        sum.cancel.extend(news.cancel);
        sum.lost.extend(news.lost);
        sum.cancelled.extend(news.cancelled);
        sum.committed = news.committed;
        (sum.committed >= ticket).then_some(())
    });
    sum
}

/// Takes and settles until `count` executions are on disk.
pub fn work_off(engine: &Engine, count: usize) {
    let mut done = 0;
    let mut last = 0;
    until_signal(engine, "all executions done", || {
        for claimed in engine.take(64) {
            last = succeed(engine, &claimed);
            done += 1;
        }
        (done >= count && engine.news().committed >= last).then_some(())
    });
}
