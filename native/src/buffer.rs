//! What this pool has claimed: the executions that wait for a worker, and those that workers hold.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// A claim: an execution's id and the fence of this very claim.
pub type Key = (Uuid, i32);

/// Hold this much work in advance (Little's law): enough for a claim's round trip, little enough to give back.
const PREFETCH_WORK: Duration = Duration::from_millis(50);
const PREFETCH_MOST: usize = 1_000;
/// Arguments may be 16 MiB each; prefetching stops at about this many bytes of them.
const PREFETCH_BYTES: f64 = 64.0 * 1024.0 * 1024.0;
/// The weight of the newest value in the moving means: about the last 32 runs count.
const MEAN_WEIGHT: f64 = 1.0 / 16.0;

/// However few retries a job has: see `status.py`.
const MINIMUM_RESCUES: i16 = 3;
/// What is on its last chance runs alone for this long. What kills its pool mostly does so at once, and jobs of hours
/// that three restarts have met must not make a pool serial.
const ALONE: Duration = Duration::from_secs(30);
/// A pool that is never idle takes one on its last chance this often all the same: it would wait for ever.
const LAST_CHANCE_EVERY: Duration = Duration::from_secs(60);

/// One claimed execution. Times are microseconds since 1970 by the database's clock.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub id: Uuid,
    pub job: Arc<str>,
    pub queue: Arc<str>,
    pub priority: i16,
    pub attempt: i32,
    pub token: i32,
    pub rescues: i16,
    pub retries: Option<i16>,
    pub batch: Option<i64>,
    pub created_at: i64,
    pub due_at: Option<i64>,
    pub claimed_at: i64,
    pub options: Option<String>,
    pub args: Vec<u8>,
    pub received: Instant,
    /// Set by `take`: from submit, or the due time, until then.
    pub wait_us: i64,
}

impl Claimed {
    pub fn key(&self) -> Key {
        (self.id, self.token)
    }

    /// It has lost as many pools as it may: the next loss ends it as failed (`rescue.sql` has the same limit).
    pub fn is_last_chance(&self) -> bool {
        self.rescues >= self.retries.unwrap_or(0).max(MINIMUM_RESCUES)
    }
}

/// What is remembered of an execution that a worker holds.
#[derive(Debug, Clone)]
pub struct Taken {
    pub queue: Arc<str>,
    pub job: Arc<str>,
    /// Python has been told that its cancellation was asked for.
    pub is_cancel_told: bool,
}

/// Claimed executions in the order they will run, those that run, and the demand that follows from both.
/// claimed = settled + released + buffered + running, at every moment.
#[derive(Debug)]
pub struct Buffer {
    ready: VecDeque<Claimed>,
    taken: HashMap<Key, Taken>,
    /// Being submitted here as running: their rows are being written, or have just been.
    reserved: HashSet<Key>,
    /// Put away, and their rows not known to have been given back.
    leaving: HashSet<Key>,
    workers: usize,
    /// How many of the taken wait for others and hold no worker.
    resting: usize,
    /// None: nothing has ended yet.
    mean_run_us: Option<f64>,
    /// When a worker last ended or began something.
    moved: Instant,
    mean_args: f64,
    /// What runs alone, and since when a worker has it.
    alone: Option<(Key, Option<Instant>)>,
    /// When one on its last chance could have been claimed.
    looked_for_last_chance: Instant,
}

impl Buffer {
    pub fn new(workers: usize) -> Buffer {
        Buffer {
            ready: VecDeque::new(),
            taken: HashMap::new(),
            reserved: HashSet::new(),
            leaving: HashSet::new(),
            workers,
            resting: 0,
            mean_run_us: None,
            moved: Instant::now(),
            mean_args: 0.0,
            alone: None,
            looked_for_last_chance: Instant::now(),
        }
    }

    pub fn set_workers(&mut self, workers: usize) {
        self.workers = workers;
    }

    pub fn workers(&self) -> usize {
        self.workers
    }

    pub fn set_resting(&mut self, resting: usize) {
        self.resting = resting;
    }

    /// How many workers have something to do.
    fn busy(&self) -> usize {
        self.running().saturating_sub(self.resting)
    }

    pub fn buffered(&self) -> usize {
        self.ready.len()
    }

    pub fn running(&self) -> usize {
        self.taken.len()
    }

    /// How many executions to hold beyond what the workers run. Until something has ended nothing is known of how long
    /// the jobs run, and no more is claimed than can start.
    pub fn prefetch(&self, now: Instant) -> usize {
        let by_time = match self.mean_run_us {
            None => 0,
            Some(mean) => {
                let mean = mean.max(self.stalled_us(now)).max(1.0);
                (self.workers as f64 * PREFETCH_WORK.as_micros() as f64 / mean) as usize
            }
        };
        let by_bytes = (PREFETCH_BYTES / self.mean_args.max(1.0)) as usize;
        by_time.min(by_bytes).min(PREFETCH_MOST)
    }

    /// Nothing moves although workers are busy: they run at least this long.
    fn stalled_us(&self, now: Instant) -> f64 {
        match self.busy() {
            0 => 0.0,
            _ => now.saturating_duration_since(self.moved).as_micros() as f64,
        }
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.taken.is_empty() && self.reserved.is_empty()
    }

    /// Whether a claim made now may bring one on its last chance: with nothing beside it, or when there has been
    /// something beside it for too long.
    pub fn takes_last_chance(&self, now: Instant) -> bool {
        self.is_empty() || now.saturating_duration_since(self.looked_for_last_chance) >= LAST_CHANCE_EVERY
    }

    /// A claim from the start that might bring one on its last chance was made.
    pub fn looked_for_last_chance(&mut self, now: Instant) {
        self.looked_for_last_chance = now;
    }

    /// Something is held that is to be alone for a while.
    pub fn is_isolating(&self, now: Instant) -> bool {
        let Some((key, since)) = &self.alone else {
            return false;
        };
        self.holds(key) && since.is_none_or(|since| now.saturating_duration_since(since) < ALONE)
    }

    /// Workers for whom nothing is on its way.
    fn idle(&self) -> usize {
        self.workers.saturating_sub(self.busy() + self.reserved.len())
    }

    /// Keeps a worker for an execution that is about to be written as running here. Refused where another would have to
    /// wait for it: all that are ready have idle workers too.
    pub fn reserve(&mut self, key: Key, now: Instant) -> bool {
        let may = self.idle() > self.buffered() && !self.is_isolating(now);
        may && self.reserved.insert(key)
    }

    /// It will not come, or its pool has lost it meanwhile; whether the worker was still kept.
    pub fn unreserve(&mut self, key: Key) -> bool {
        self.reserved.remove(&key)
    }

    /// How many more executions to claim.
    pub fn want(&self, now: Instant) -> usize {
        if self.is_isolating(now) {
            return 0;
        }
        let idle = self.idle();
        // With more running than workers (after a resize) the surplus is worked off first.
        let surplus = self.busy().saturating_sub(self.workers);
        (idle + self.prefetch(now)).saturating_sub(self.buffered() + surplus)
    }

    /// Whether it is time to claim: the buffer is half empty, or workers have nothing to do.
    pub fn is_hungry(&self, now: Instant) -> bool {
        let idle = self.idle();
        self.want(now) > 0 && (self.buffered() <= self.prefetch(now) / 2 || self.buffered() < idle)
    }

    /// Adds what a claim brought, already in order; what is urgent goes ahead of what waits.
    pub fn push(&mut self, claimed: Vec<Claimed>) {
        for execution in &claimed {
            self.mean_args += (execution.args.len() as f64 - self.mean_args) * MEAN_WEIGHT;
        }
        if let Some(last) = claimed.iter().find(|execution| execution.is_last_chance()) {
            self.alone = Some((last.key(), None));
        }
        let highest = claimed.iter().map(|execution| execution.priority).max();
        let is_urgent = highest.is_some_and(|highest| self.ready.iter().any(|waits| waits.priority < highest));
        self.ready.extend(claimed);
        if is_urgent {
            // It was submitted after a backlog had been claimed; those of one priority keep their order.
            self.ready.make_contiguous().sort_by_key(|execution| Reverse(execution.priority));
        }
    }

    /// Hands over at most `max` executions and says how long each has waited.
    pub fn take(&mut self, max: usize, now: Instant) -> Vec<Claimed> {
        let count = max.min(self.ready.len());
        if count > 0 {
            self.moved = now;
        }
        let mut out: Vec<Claimed> = self.ready.drain(..count).collect();
        for execution in &mut out {
            // Saturating: a forged row may be of the year 294276.
            let before = execution.claimed_at.saturating_sub(execution.due_at.unwrap_or(execution.created_at));
            let here = now.saturating_duration_since(execution.received).as_micros() as i64;
            execution.wait_us = before.max(0).saturating_add(here);
            let (queue, job) = (Arc::clone(&execution.queue), Arc::clone(&execution.job));
            let taken = Taken { queue, job, is_cancel_told: false };
            if let Some((_, since)) = self.alone.as_mut().filter(|(key, _)| *key == execution.key()) {
                *since = Some(now);
            }
            self.taken.insert(execution.key(), taken);
        }
        out
    }

    /// A worker is done with it. None: it was not taken, or is settled already.
    pub fn finish(&mut self, key: Key, run_us: i64, now: Instant) -> Option<Taken> {
        let taken = self.taken.remove(&key)?;
        self.moved = now;
        let run = run_us.max(0) as f64;
        self.mean_run_us = Some(match self.mean_run_us {
            None => run,
            Some(mean) => mean + (run - mean) * MEAN_WEIGHT,
        });
        Some(taken)
    }

    /// A worker is done with it and has no outcome: its claim is another's by now.
    pub fn forget(&mut self, key: Key) -> bool {
        self.taken.remove(&key).is_some()
    }

    /// The same for one that is put away: its row is given back soon, many in a statement.
    pub fn put_away(&mut self, key: Key) -> bool {
        self.forget(key) && self.leaving.insert(key)
    }

    /// Of what is held here by the books, what is not known here.
    pub fn unknown(&mut self, booked: Vec<Key>) -> Vec<Key> {
        let mut unknown: HashSet<Key> = booked.into_iter().collect();
        self.leaving.retain(|key| unknown.remove(key));
        for execution in &self.ready {
            unknown.remove(&execution.key());
        }
        unknown.retain(|key| !self.taken.contains_key(key) && !self.reserved.contains(key));
        unknown.into_iter().collect()
    }

    /// Takes back, newest first, what is far more than the workers come to soon: twice the aim, and a round of workers.
    pub fn shed(&mut self, now: Instant) -> Vec<Key> {
        let aim = self.prefetch(now) + self.workers.saturating_sub(self.busy());
        if self.buffered() <= 2 * aim + self.workers {
            return Vec::new();
        }
        self.ready.split_off(aim).iter().map(Claimed::key).collect()
    }

    /// Takes back everything that no worker holds.
    pub fn drain(&mut self) -> Vec<Claimed> {
        self.ready.drain(..).collect()
    }

    /// Forgets everything, and says what it was.
    pub fn drain_all(&mut self) -> Vec<Key> {
        self.reserved.clear();
        let ready: Vec<Key> = self.ready.drain(..).map(|execution| execution.key()).collect();
        ready.into_iter().chain(self.taken.drain().map(|(key, _)| key)).collect()
    }

    /// What is being written as running here is another's already.
    pub fn forget_reserved(&mut self) {
        self.reserved.clear();
    }

    pub fn taken(&self) -> Vec<Key> {
        self.taken.keys().copied().collect()
    }

    /// Takes out of the buffer those of `keys` that no worker holds yet.
    pub fn pull(&mut self, keys: &[Key]) -> Vec<Claimed> {
        let keys: HashSet<&Key> = keys.iter().collect();
        let (out, rest) = self.drain().into_iter().partition(|execution| keys.contains(&execution.key()));
        self.ready = VecDeque::<Claimed>::from_iter::<Vec<Claimed>>(rest);
        out
    }

    /// Those of `keys` that workers hold and have not been told about; they count as told from now on.
    pub fn tell_cancel(&mut self, keys: &[Key]) -> Vec<Key> {
        keys.iter()
            .filter(|key| match self.taken.get_mut(key) {
                Some(taken) => !std::mem::replace(&mut taken.is_cancel_told, true),
                None => false,
            })
            .copied()
            .collect()
    }

    pub fn holds(&self, key: &Key) -> bool {
        self.taken.contains_key(key)
            || self.reserved.contains(key)
            || self.ready.iter().any(|execution| execution.key() == *key)
    }
}
