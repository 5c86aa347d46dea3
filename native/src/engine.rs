//! The engine as its callers see it: three tasks on threads of their own, and calls that never wait for them
//! except `connect`, `drain` and `close`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::time::timeout_at;
use uuid::Uuid;

use crate::begin::{Tasks, begin, job_names, new_core, runtime};
use crate::buffer::{Claimed, Key};
use crate::core::{Core, News, Phase, PoolConfig};
use crate::db::Target;
use crate::error::{Error, Result};
use crate::outbox::{BATCH, Outcome, Status};
use crate::submit::{New, Ways};
use crate::telemetry::Totals;
use crate::wake::Reason;

/// An outcome as a worker hands it in.
#[derive(Debug, Default)]
pub struct Report {
    pub result: Option<Vec<u8>>,
    /// JSON.
    pub error: Option<String>,
    pub run_us: i64,
    /// Seconds before a retry.
    pub delay: f64,
    pub logs: Option<String>,
    pub source: Option<String>,
}

/// Counters since connect, and the present state.
#[derive(Debug, Clone)]
pub struct Stats {
    pub workers: usize,
    pub running: usize,
    pub buffered: usize,
    pub unsettled: usize,
    pub prefetch: usize,
    pub totals: Totals,
    pub is_listening: bool,
    pub lease_age_s: f64,
}

/// One pool's engine. Dropping it ends its threads without a goodbye; `close` says one.
pub struct Engine {
    core: Arc<Core>,
    submits: Ways,
    running: Mutex<Option<(Runtime, Tasks)>>,
}

impl Engine {
    /// Connects, registers the pool, takes its lock, LISTENs, sweeps once, and begins to claim. Blocks for
    /// at most about the target's `connect_timeout`.
    pub fn connect(target: Target, config: PoolConfig) -> Result<Engine> {
        let runtime = runtime(2)?;
        let limit = target.connect_timeout;
        let core = Arc::new(new_core(target, config)?);
        let begun = runtime.block_on(async {
            match tokio::time::timeout(limit, begin(&core)).await {
                Ok(begun) => begun,
                Err(_) => Err(Error::Unavailable(format!(
                    "the database did not let the pool start within {:.1} s",
                    limit.as_secs_f64()
                ))),
            }
        });
        match begun {
            Ok(tasks) => Ok(Engine { core, submits: Ways::default(), running: Mutex::new(Some((runtime, tasks))) }),
            Err(error) => {
                runtime.shutdown_timeout(Duration::from_millis(200));
                Err(Error::of_start(error))
            }
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn submits(&self) -> &Ways {
        &self.submits
    }

    pub fn pool_id(&self) -> i32 {
        self.core.pool()
    }

    pub fn fileno(&self) -> i32 {
        self.core.signal.fileno()
    }

    pub fn clear(&self) {
        self.core.signal.clear();
    }

    /// Something was submitted here just now.
    pub fn wake(&self) {
        self.core.wakes.wake_all(Reason::Notify);
    }

    /// Keeps a worker for an execution that is about to be written as running here, with token 1. The id of the pool
    /// that is to hold it; None where it would pass over what waits already, or this pool does not run such.
    pub fn reserve(&self, id: Uuid, job: &str, queue: &str) -> Option<i32> {
        let core = &self.core;
        let is_drained = core.is_drained.load(Ordering::SeqCst) && core.wakes.is_quiet();
        let may = is_drained && core.phase() == Phase::Running && *core.is_kept.borrow();
        if !may || core.queue_index(queue).is_none() || core.outbox.lock().is_full() {
            return None;
        }
        if !core.job_names().iter().any(|known| &**known == job) {
            return None;
        }
        let pool = core.pool();
        core.buffer.lock().reserve((id, 1), Instant::now()).then_some(pool)
    }

    /// The row of a reserved one is on disk: see `Core::hand_over`.
    pub fn hand_over(&self, pool: i32, new: New, created_at: i64, sent: Instant) {
        self.core.hand_over(pool, new.claimed(&self.core, created_at, sent));
    }

    /// A reserved one was not written as running here: see `Core::unreserve`.
    pub fn unreserve(&self, id: Uuid, is_in_doubt: bool) {
        self.core.unreserve(id, is_in_doubt);
    }

    /// Hands over at most `max` executions; none under back-pressure.
    pub fn take(&self, max: usize) -> Vec<Claimed> {
        let core = &self.core;
        if max == 0 || core.outbox.lock().is_full() {
            return Vec::new();
        }
        let (taken, is_hungry) = {
            let (mut buffer, now) = (core.buffer.lock(), Instant::now());
            (buffer.take(max, now), buffer.is_hungry(now))
        };
        if is_hungry {
            core.ring_capacity();
        }
        if !taken.is_empty() {
            core.tally.lock().waits(&taken);
        }
        taken
    }

    /// Takes an outcome and returns its ticket.
    pub fn settle(&self, key: Key, status: Status, report: Report) -> u64 {
        let core = &self.core;
        let mut buffer = core.buffer.lock();
        let now = Instant::now();
        let (queue, job) = buffer.finish(key, report.run_us, now).map(|taken| (taken.queue, taken.job)).unzip();
        let outcome = Outcome {
            ticket: None,
            key,
            queue,
            job,
            status,
            result: report.result,
            error: report.error,
            run_us: report.run_us,
            delay: report.delay,
            logs: report.logs,
            source: report.source,
            ended: now,
        };
        // Both locks at once: nobody may find the claim in neither place.
        let mut outbox = core.outbox.lock();
        let pushed = outbox.push(outcome);
        let is_batch = outbox.waiting() == BATCH;
        drop(outbox);
        let is_hungry = buffer.is_hungry(now);
        drop(buffer);
        if is_hungry {
            core.ring_capacity();
        }
        match pushed {
            Ok(ticket) => {
                core.ring_settler();
                if is_batch {
                    core.settle_bell.notify_one();
                }
                ticket
            }
            Err(ticket) => self.refuse_late(ticket),
        }
    }

    /// A worker is free whose claim was lost: there is no outcome to write, and it counts as stale.
    pub fn forget(&self, key: Key) {
        let core = &self.core;
        if core.buffer.lock().forget(key) {
            core.tally.lock().totals.stale += 1;
            core.ring_capacity();
        }
    }

    /// Its function has put it away: the claim is given back by a statement of its own, and counts as released.
    pub fn put_away(&self, key: Key) {
        let core = &self.core;
        if core.buffer.lock().put_away(key) {
            core.tally.lock().totals.released += 1;
            core.ring_capacity();
        }
    }

    /// How many of the taken wait for others and hold no worker.
    pub fn set_resting(&self, resting: usize) {
        let mut buffer = self.core.buffer.lock();
        buffer.set_resting(resting);
        let is_hungry = buffer.is_hungry(Instant::now());
        drop(buffer);
        if is_hungry {
            self.core.ring_capacity();
        }
    }

    /// The engine is closed and has given the claim back: the outcome is stale.
    fn refuse_late(&self, ticket: u64) -> u64 {
        let mut news = self.core.news.lock();
        news.stale.push(ticket);
        news.committed = news.committed.max(ticket);
        drop(news);
        self.core.signal.raise();
        ticket
    }

    /// What has happened since the last call.
    pub fn news(&self) -> News {
        let mut news = self.core.news.lock();
        let committed = news.committed;
        let taken = std::mem::replace(&mut *news, News { committed, ..News::default() });
        drop(news);
        News { trouble: self.core.links.lock().trouble(), ..taken }
    }

    pub fn is_connected(&self) -> bool {
        self.running.lock().is_some() && self.core.links.lock().is_up()
    }

    pub fn set_jobs(&self, names: &[String]) {
        let names = Arc::new(job_names(names));
        if *self.core.jobs.lock() == names {
            return;
        }
        *self.core.jobs.lock() = names;
        self.core.ask_renewal();
        self.core.wakes.wake_all(Reason::Start);
    }

    pub fn set_workers(&self, workers: usize) {
        self.core.buffer.lock().set_workers(workers);
        self.core.ask_renewal();
        self.core.ring_capacity();
    }

    /// Claims no more, and releases what has not been taken.
    pub fn stop_claiming(&self) {
        self.core.advance(Phase::Winding);
    }

    /// Waits until every outcome is on disk; whether it is so.
    pub fn drain(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut outbox = self.core.outbox.lock();
        while outbox.unsettled() > 0 {
            if self.core.written.wait_until(&mut outbox, deadline).timed_out() {
                return outbox.unsettled() == 0;
            }
        }
        true
    }

    /// Releases, settles what is buffered, says goodbye, disconnects.
    pub fn close(&self, timeout: Duration) {
        let Some((runtime, tasks)) = self.running.lock().take() else {
            return;
        };
        let deadline = tokio::time::Instant::now() + timeout;
        let (core, submits) = (Arc::clone(&self.core), Arc::clone(&self.submits));
        runtime.block_on(async move {
            core.advance(Phase::Winding);
            // What is being submitted here is given back with the rest, or not begun any more.
            let _last_submit = timeout_at(deadline, submits.lock()).await;
            let _claimed_no_more = timeout_at(deadline, tasks.claimer).await;
            core.advance(Phase::Closing);
            let _written = timeout_at(deadline, tasks.settler).await;
            core.outbox.lock().shut();
            core.advance(Phase::Leaving);
            // Even a timeout of zero leaves time for one word: without it the others would have to find out.
            let farewell = deadline.max(tokio::time::Instant::now() + Duration::from_millis(500));
            let _gone = timeout_at(farewell, tasks.keeper).await;
        });
        runtime.shutdown_timeout(Duration::from_millis(500));
        if let Ok(mut way) = self.submits.try_lock() {
            *way = None;
        }
        self.core.written.notify_all();
        self.core.signal.raise();
    }

    pub fn stats(&self) -> Stats {
        let core = &self.core;
        let unsettled = core.outbox.lock().unsettled();
        let totals = core.tally.lock().totals.clone();
        let buffer = core.buffer.lock();
        Stats {
            workers: buffer.workers(),
            running: buffer.running(),
            buffered: buffer.buffered(),
            prefetch: buffer.prefetch(Instant::now()),
            unsettled,
            totals,
            is_listening: core.is_listening.load(Ordering::SeqCst),
            lease_age_s: core.lease_age_s(),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some((runtime, _)) = self.running.lock().take() {
            runtime.shutdown_timeout(Duration::from_millis(500));
        }
    }
}
