//! LISTENs on channels and drains them at once: a LISTEN that nobody drains holds vacuum back everywhere.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::db::{Db, OnNotify, Target};
use crate::error::{Error, Result};
use crate::signal::Signal;

const MOST: usize = 10_000;
const LIMIT: Duration = Duration::from_secs(10);

pub struct Listener {
    pub inbox: Arc<Inbox>,
    runtime: Mutex<Option<Runtime>>,
    pid: u32,
}

pub struct Inbox {
    messages: Mutex<VecDeque<(String, String)>>,
    pub signal: Signal,
    pub dropped: AtomicU64,
    pub is_connected: AtomicBool,
}

impl Listener {
    pub fn connect(target: Target, channels: Vec<String>) -> Result<Listener> {
        for channel in &channels {
            if channel.is_empty()
                || !channel
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            {
                return Err(Error::Argument(format!(
                    "{channel:?} is not the name of a channel"
                )));
            }
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("currant-listener")
            .enable_all()
            .build()
            .map_err(|error| Error::System {
                what: "no thread for the listener",
                error,
            })?;
        let inbox = Arc::new(Inbox {
            messages: Mutex::new(VecDeque::new()),
            signal: Signal::new()?,
            dropped: AtomicU64::new(0),
            is_connected: AtomicBool::new(true),
        });
        let first = runtime.block_on(open(&target, &channels, &inbox))?;
        runtime.spawn(keep(target, channels, Arc::clone(&inbox), first));
        Ok(Listener {
            inbox,
            runtime: Mutex::new(Some(runtime)),
            pid: std::process::id(),
        })
    }

    pub fn take(&self) -> Vec<(String, String)> {
        self.inbox.messages.lock().drain(..).collect()
    }

    pub fn close(&self) {
        if let Some(runtime) = self.runtime.lock().take() {
            match self.pid == std::process::id() {
                true => runtime.shutdown_background(),
                false => std::mem::forget(runtime),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

async fn open(target: &Target, channels: &[String], inbox: &Arc<Inbox>) -> Result<Db> {
    let into = Arc::clone(inbox);
    let on_notify: OnNotify = Arc::new(move |channel: &str, payload: &str| {
        let mut messages = into.messages.lock();
        if messages.len() == MOST {
            messages.pop_front();
            into.dropped.fetch_add(1, Ordering::Relaxed);
        }
        messages.push_back((channel.to_owned(), payload.to_owned()));
        drop(messages);
        into.signal.raise();
    });
    let db = Db::connect(target, "currant listener", on_notify).await?;
    db.listen(channels, LIMIT).await?;
    Ok(db)
}

async fn keep(target: Target, channels: Vec<String>, inbox: Arc<Inbox>, first: Db) {
    let mut db = first;
    loop {
        db.closed().await;
        inbox.is_connected.store(false, Ordering::SeqCst);
        inbox.dropped.fetch_add(1, Ordering::Relaxed);
        inbox.signal.raise();
        db = loop {
            tokio::time::sleep(Duration::from_millis(200 + fastrand::u64(0..400))).await;
            if let Ok(db) = open(&target, &channels, &inbox).await {
                break db;
            }
        };
        inbox.is_connected.store(true, Ordering::SeqCst);
        inbox.signal.raise();
    }
}
