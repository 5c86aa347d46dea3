//! What the engine's tasks and its caller share: one lock, held for moments and never across an await.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::buffer::{Buffer, Key};
use crate::cursor::Cursors;
use crate::db::Target;
use crate::error::Result;
use crate::latency::{Histogram, Sizes};
use crate::outbox::{Outbox, Status};
use crate::signal::Signal;
use crate::sql::Sql;

/// Who a pool is and what it works on.
#[derive(Clone)]
pub struct Settings {
    pub target: Target,
    pub schema: String,
    pub name: String,
    pub kind: String,
    pub version: String,
    pub queues: Vec<String>,
    pub jobs: Vec<String>,
    pub workers: usize,
}

/// Counters since the start.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    pub claims: u64,
    pub claimed: u64,
    pub empty_claims: u64,
    pub wakes: BTreeMap<&'static str, u64>,
    pub statements: u64,
    pub settled: u64,
    pub stale: u64,
    pub released: u64,
    pub rescued: u64,
    pub reconnects: u64,
    pub wait: Histogram,
    pub run: Histogram,
    pub claim: Histogram,
    pub sizes: Sizes,
}

/// What Python has not been told yet.
#[derive(Debug, Default)]
pub struct News {
    pub committed: u64,
    pub stale: Vec<u64>,
    pub refused: Vec<(u64, String)>,
    pub cancel: Vec<Key>,
    pub lost: Vec<Key>,
}

pub struct State {
    pub buffer: Buffer,
    pub outbox: Outbox,
    pub cursors: Cursors,
    pub jobs: Vec<String>,
    pub news: News,
    pub counters: Counters,
    pub pool: i32,
    pub is_claiming: bool,
    pub is_listening: bool,
    pub lease_at: Instant,
    /// Connections that are down, by their task, and why.
    pub trouble: HashMap<&'static str, String>,
    pub wake_reason: &'static str,
    /// Committed outcomes the watchers have not been told of, by queue.
    pub outcomes: BTreeMap<Arc<str>, BTreeMap<&'static str, u64>>,
}

pub struct Shared {
    pub settings: Settings,
    pub sql: Sql,
    pub queues: Vec<Arc<str>>,
    pub state: Mutex<State>,
    pub signal: Signal,
    /// There may be something to claim, to settle, or to keep house about.
    pub claim_now: Notify,
    pub settle_now: Notify,
    pub house_now: Notify,
    /// Watchers are to be told of outcomes; nothing else of the house is due.
    pub tell_now: Notify,
    /// An outcome has been settled or a claim has ended: whoever drains looks again.
    pub progress: Notify,
}

impl Shared {
    pub fn new(settings: Settings) -> Result<Shared> {
        let now = Instant::now();
        let state = State {
            buffer: Buffer::new(settings.workers),
            outbox: Outbox::default(),
            cursors: Cursors::new(settings.queues.len(), now),
            jobs: settings.jobs.clone(),
            news: News::default(),
            counters: Counters::default(),
            pool: 0,
            is_claiming: true,
            is_listening: false,
            lease_at: now,
            trouble: HashMap::new(),
            wake_reason: "start",
            outcomes: BTreeMap::new(),
        };
        Ok(Shared {
            sql: Sql::new(&settings.schema)?,
            queues: settings.queues.iter().map(|queue| Arc::from(queue.as_str())).collect(),
            settings,
            state: Mutex::new(state),
            signal: Signal::new()?,
            claim_now: Notify::new(),
            settle_now: Notify::new(),
            house_now: Notify::new(),
            tell_now: Notify::new(),
            progress: Notify::new(),
        })
    }

    /// Claim soon, in all queues.
    pub fn wake(&self, reason: &'static str) {
        {
            let mut state = self.state.lock();
            state.cursors.mark_all();
            state.wake_reason = reason;
        }
        self.claim_now.notify_one();
    }

    /// A notification on the wake channel: see the wake protocol in `claim`.
    pub fn on_wake(&self, payload: &str) {
        if let Some(queue) = payload.strip_prefix('+') {
            let mut state = self.state.lock();
            match self.queues.iter().position(|own| **own == *queue) {
                Some(index) => state.cursors.mark(index),
                None if queue.is_empty() => state.cursors.mark_all(),
                None => return,
            }
            state.wake_reason = "notify";
            drop(state);
            self.claim_now.notify_one();
        } else if payload.starts_with('@') || payload.starts_with("!cancel") {
            self.house_now.notify_one();
        }
    }

    pub fn set_trouble(&self, task: &'static str, reason: Option<String>) {
        let mut state = self.state.lock();
        match reason {
            Some(reason) => {
                state.trouble.insert(task, reason);
            }
            None => {
                if state.trouble.remove(task).is_some() {
                    state.counters.reconnects += 1;
                }
            }
        }
        drop(state);
        self.signal.raise();
    }

    pub fn count_outcome(state: &mut State, queue: Option<&Arc<str>>, status: Status) {
        if let Some(queue) = queue {
            *state.outcomes.entry(Arc::clone(queue)).or_default().entry(status.as_str()).or_default() += 1;
        }
    }
}
