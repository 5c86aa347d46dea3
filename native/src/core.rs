//! What the engine's tasks and its callers share. No lock is held across an await, and none for long.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::buffer::{Buffer, Claimed, Key};
use crate::db::Target;
use crate::machine::Machine;
use crate::outbox::Outbox;
use crate::signal::Signal;
use crate::sql::Sql;
use crate::telemetry::Tally;
use crate::wake::{Reason, WakeBoard, Word};

/// What a pool is, apart from its database.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    pub schema: String,
    pub name: String,
    pub kind: String,
    pub version: String,
    pub queues: Vec<String>,
    pub jobs: Vec<String>,
    pub workers: usize,
}

/// How far the end has come. It only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Running,
    /// No claim any more, what is buffered is released; settles go on.
    Winding,
    /// The settler writes what it has and ends.
    Closing,
    /// Everything is written: the keeper gives back what handlers still hold, and says goodbye.
    Leaving,
}

/// What Python asks for with `news`.
#[derive(Debug, Default, Clone)]
pub struct News {
    pub committed: u64,
    pub stale: Vec<u64>,
    pub refused: Vec<(u64, String)>,
    pub cancel: Vec<Key>,
    pub lost: Vec<Key>,
    pub cancelled: Vec<Key>,
    pub trouble: Option<String>,
}

/// Which connection is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Claims,
    Settles,
    Keeper,
    /// A fourth, made when a thread first submits.
    Submits,
}

#[derive(Debug, Default)]
pub struct Links {
    /// Why each connection that is down is down.
    troubles: HashMap<Role, String>,
}

impl Links {
    pub fn is_up(&self) -> bool {
        self.troubles.is_empty()
    }

    pub fn trouble(&self) -> Option<String> {
        self.troubles.values().next().cloned()
    }
}

/// Errands for the keeper, asked for from other tasks.
#[derive(Debug, Default)]
pub struct Errands {
    pub cancel_check: AtomicBool,
    pub promote_check: AtomicBool,
    /// What `pools` says of us has changed.
    pub renew: AtomicBool,
    /// A retry of our own becomes due then.
    pub due_at: Mutex<Option<Instant>>,
    pub bell: Notify,
}

pub struct Core {
    pub target: Target,
    pub config: PoolConfig,
    pub queues: Vec<Arc<str>>,
    pub sql: Sql,
    pub machine: Machine,
    pub is_pooled: AtomicBool,
    pub pool_id: AtomicI32,
    pub jobs: Mutex<Arc<Vec<Arc<str>>>>,
    pub buffer: Mutex<Buffer>,
    pub outbox: Mutex<Outbox>,
    /// Woken whenever outcomes have been written.
    pub written: Condvar,
    pub settle_bell: Notify,
    pub is_settler_resting: AtomicBool,
    pub wakes: WakeBoard,
    /// A claim made now might bring something: free workers are worth a wake.
    pub is_claimable: AtomicBool,
    /// The last claim left nothing that this pool could run.
    pub is_drained: AtomicBool,
    /// A submit as running here was not answered: the claimer is to look what we hold.
    pub is_in_doubt: AtomicBool,
    pub errands: Errands,
    pub news: Mutex<News>,
    pub links: Mutex<Links>,
    pub tally: Mutex<Tally>,
    pub signal: Signal,
    pub phase: watch::Sender<Phase>,
    /// Up while the keeper has its connection, LISTEN, lock and lease: claims wait for it.
    pub is_kept: watch::Sender<bool>,
    pub is_listening: AtomicBool,
    /// Microseconds after `started` at which the lease was last renewed.
    pub renewed_us: AtomicU64,
    pub started: Instant,
}

impl Core {
    pub fn pool(&self) -> i32 {
        self.pool_id.load(Ordering::SeqCst)
    }

    pub fn application(&self) -> String {
        format!("currant engine {}", self.config.name)
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Goes on to `phase`, if it is not past it already.
    pub fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_new = phase > *now;
            *now = (*now).max(phase);
            is_new
        });
    }

    pub fn job_names(&self) -> Arc<Vec<Arc<str>>> {
        Arc::clone(&self.jobs.lock())
    }

    pub fn queue_index(&self, name: &str) -> Option<usize> {
        self.queues.iter().position(|queue| &**queue == name)
    }

    /// Whether it is time to claim.
    pub fn is_hungry(&self) -> bool {
        self.buffer.lock().is_hungry(Instant::now())
    }

    pub fn count_statement(&self) {
        self.tally.lock().totals.statements += 1;
    }

    /// The row of a reserved one is on disk: it is the next to start. Not if the pool was declared lost meanwhile, for
    /// then it is others'.
    pub fn hand_over(&self, pool: i32, claimed: Claimed) {
        let mut buffer = self.buffer.lock();
        if !buffer.unreserve(claimed.key()) || pool != self.pool() {
            return;
        }
        self.tally.lock().handed(&claimed.queue);
        buffer.push(vec![claimed]);
        drop(buffer);
        self.ring_keeper();
    }

    /// A reserved one was not written as running here; `is_in_doubt`: it may have been.
    pub fn unreserve(&self, id: Uuid, is_in_doubt: bool) {
        self.buffer.lock().unreserve((id, 1));
        if is_in_doubt {
            self.is_in_doubt.store(true, Ordering::SeqCst);
            self.wakes.ring();
        }
    }

    /// The pool's own names, so that a job's is one text however many of its executions there are.
    pub fn shared_names(&self, job: &str, queue: &str) -> (Arc<str>, Arc<str>) {
        let shared = |names: &[Arc<str>], name: &str| {
            names.iter().find(|known| &***known == name).map_or_else(|| Arc::from(name), Arc::clone)
        };
        (shared(&self.job_names(), job), shared(&self.queues, queue))
    }

    /// Puts a connection's state into the news.
    pub fn set_trouble(&self, role: Role, trouble: Option<String>) {
        let mut links = self.links.lock();
        let is_new = match trouble {
            Some(text) => links.troubles.insert(role, text).is_none(),
            None => links.troubles.remove(&role).is_some(),
        };
        drop(links);
        if is_new {
            self.signal.raise();
        }
    }

    pub fn note_renewed(&self) {
        self.renewed_us.store(self.started.elapsed().as_micros() as u64, Ordering::SeqCst);
    }

    pub fn lease_age_s(&self) -> f64 {
        let renewed = self.renewed_us.load(Ordering::SeqCst);
        (self.started.elapsed().as_micros() as u64).saturating_sub(renewed) as f64 / 1e6
    }

    /// Outcomes are in the outbox: wakes the settler if it rests.
    pub fn ring_settler(&self) {
        if self.is_settler_resting.swap(false, Ordering::SeqCst) {
            self.settle_bell.notify_one();
        }
    }

    /// Workers are free: wakes the claimer if that can lead anywhere.
    pub fn ring_capacity(&self) {
        if self.is_claimable.swap(false, Ordering::SeqCst) {
            self.wakes.ring();
        }
    }

    pub fn ask_cancel_check(&self) {
        self.errands.cancel_check.store(true, Ordering::SeqCst);
        self.errands.bell.notify_one();
    }

    /// What `pools` says of us (jobs, workers) has changed.
    pub fn ask_renewal(&self) {
        self.errands.renew.store(true, Ordering::SeqCst);
        self.errands.bell.notify_one();
    }

    pub fn ask_promote_check(&self) {
        self.errands.promote_check.store(true, Ordering::SeqCst);
        self.errands.bell.notify_one();
    }

    /// A retry of our own becomes due at `moment`.
    pub fn note_due(&self, moment: Instant) {
        let mut due_at = self.errands.due_at.lock();
        *due_at = Some(due_at.map_or(moment, |known| known.min(moment)));
        drop(due_at);
        self.errands.bell.notify_one();
    }

    /// Something worth an event may have happened.
    pub fn ring_keeper(&self) {
        self.errands.bell.notify_one();
    }

    /// One NOTIFY on the wake channel.
    pub fn on_wake(&self, payload: &str) {
        match Word::parse(payload) {
            Word::Queue(queue) => {
                if let Some(index) = self.queue_index(queue) {
                    self.wakes.wake_queue(index, Reason::Notify);
                }
            }
            Word::Due => self.ask_promote_check(),
            Word::Cancel(pool) if pool == self.pool() => self.ask_cancel_check(),
            Word::Cancel(_) | Word::ForOthers => {}
        }
    }
}
