//! A listener of its own: drains channels at once into a bounded box, from which Python takes when it likes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::begin::runtime;
use crate::db::{Db, OnNotify, Target};
use crate::error::{Error, Result};
use crate::link::{Backoff, KEEPER_LIMIT};
use crate::signal::Signal;
use crate::sql::Statement;

/// The newest so many messages are kept.
const ROOM: usize = 10_000;

struct Inbox {
    messages: Mutex<VecDeque<(String, String)>>,
    dropped: AtomicU64,
    is_connected: AtomicBool,
    signal: Signal,
}

impl Inbox {
    fn put(&self, channel: &str, payload: &str) {
        let mut messages = self.messages.lock();
        if messages.len() >= ROOM {
            messages.pop_front();
            self.dropped.fetch_add(1, Ordering::SeqCst);
        }
        messages.push_back((channel.to_owned(), payload.to_owned()));
        drop(messages);
        self.signal.raise();
    }
}

/// LISTENs on channels until closed, over reconnects.
pub struct Listener {
    inbox: Arc<Inbox>,
    runtime: Mutex<Option<Runtime>>,
}

impl Listener {
    /// Connects and LISTENs. Blocks for at most about the target's `connect_timeout`.
    pub fn connect(target: Target, channels: &[String]) -> Result<Listener> {
        let listen = Statement {
            name: "listen",
            text: channels.iter().map(|channel| format!("LISTEN {};", quoted(channel))).collect(),
        };
        let inbox = Arc::new(Inbox {
            messages: Mutex::new(VecDeque::new()),
            dropped: AtomicU64::new(0),
            is_connected: AtomicBool::new(true),
            signal: Signal::new()?,
        });
        let runtime = runtime(1)?;
        let db = runtime.block_on(open(&target, &inbox, &listen)).map_err(Error::of_start)?;
        runtime.spawn(stay(target, Arc::clone(&inbox), listen, db));
        Ok(Listener { inbox, runtime: Mutex::new(Some(runtime)) })
    }

    pub fn fileno(&self) -> i32 {
        self.inbox.signal.fileno()
    }

    pub fn clear(&self) {
        self.inbox.signal.clear();
    }

    /// (channel, payload) of what has arrived, oldest first.
    pub fn take(&self) -> Vec<(String, String)> {
        self.inbox.messages.lock().drain(..).collect()
    }

    pub fn dropped(&self) -> u64 {
        self.inbox.dropped.load(Ordering::SeqCst)
    }

    pub fn is_connected(&self) -> bool {
        self.inbox.is_connected.load(Ordering::SeqCst)
    }

    pub fn close(&self) {
        if let Some(runtime) = self.runtime.lock().take() {
            self.inbox.is_connected.store(false, Ordering::SeqCst);
            runtime.shutdown_timeout(Duration::from_millis(500));
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

async fn open(target: &Target, inbox: &Arc<Inbox>, listen: &Statement) -> Result<Db> {
    let to = Arc::clone(inbox);
    let on_notify: OnNotify = Arc::new(move |channel, payload| to.put(channel, payload));
    let db = Db::connect(target, "currant listener", on_notify).await?;
    db.batch(listen, KEEPER_LIMIT).await?;
    Ok(db)
}

async fn stay(target: Target, inbox: Arc<Inbox>, listen: Statement, mut db: Db) {
    loop {
        db.closed().await;
        inbox.is_connected.store(false, Ordering::SeqCst);
        inbox.signal.raise();
        let mut backoff = Backoff::quick();
        db = loop {
            match open(&target, &inbox, &listen).await {
                Ok(db) => break db,
                Err(_) => backoff.wait().await,
            }
        };
        // What was said meanwhile is unknown: at least one message may have been missed.
        inbox.dropped.fetch_add(1, Ordering::SeqCst);
        inbox.is_connected.store(true, Ordering::SeqCst);
        inbox.signal.raise();
    }
}

/// A channel's name as SQL wants it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_name_can_not_end_the_statement() {
        assert_eq!(quoted("a\"; DROP TABLE x; --"), "\"a\"\"; DROP TABLE x; --\"");
    }
}
