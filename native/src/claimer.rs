//! The claimer: keeps the buffer as full as the workers need it, on a connection of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::buffer::{Claimed, Key};
use crate::claim::{claim, interleave, position_of, tails};
use crate::core::{Core, Phase, Role};
use crate::cursor::{Ask, Cursors, Got, Position};
use crate::db::Db;
use crate::error::{Remedy, Result};
use crate::link::{Backoff, WORK_LIMIT, reopen};
use crate::reconcile::RECONCILE_EVERY;
use crate::release::release;
use crate::wake::Reason;

/// Without LISTEN, look this often.
const POLL_DEAF: Duration = Duration::from_millis(500);
/// How long claims may lie in the buffer of a pool that has become slow before it notices.
const SHED_EVERY: Duration = Duration::from_secs(1);
/// What a claim costs apart from its search: the commit, and the rows' new versions (measured: 95 k rows/s).
const COST_COMMIT: Duration = Duration::from_millis(2);
const COST_ROW: Duration = Duration::from_micros(20);

pub struct Claimer {
    pub(crate) core: Arc<Core>,
    pub(crate) db: Option<Db>,
    /// The server process of the connection, to end it should its answer get lost.
    backend: Option<i32>,
    /// That of a connection that was lost with a claim under way.
    pub(crate) lost_backend: Option<i32>,
    /// The last look at what the books say we hold.
    pub(crate) looked: Instant,
    /// From that to the next, while nothing new is held.
    pub(crate) pause: Duration,
    /// How many had been claimed at the last look.
    pub(crate) held_at_look: u64,
    pub(crate) cursors: Cursors,
    /// A claim's answer was lost: the database may think that we hold more than we know of.
    pub(crate) is_in_doubt: bool,
    poll_at: Instant,
}

impl Claimer {
    /// `db`: a connection made already. Without one the claimer comes after one that died, and looks what that left.
    pub fn new(core: Arc<Core>, db: Option<Db>) -> Claimer {
        let now = Instant::now();
        Claimer {
            cursors: Cursors::new(core.queues.len(), now),
            is_in_doubt: db.is_none(),
            core,
            db,
            backend: None,
            lost_backend: None,
            looked: now,
            pause: RECONCILE_EVERY,
            held_at_look: 0,
            poll_at: now,
        }
    }

    /// Claims until the phase says stop, then gives back what no worker holds.
    pub async fn run(mut self) {
        while self.core.phase() < Phase::Winding {
            let worked = match self.stand_ready().await {
                true => self.wait_and_claim().await,
                false => break,
            };
            if let Err(error) = worked {
                self.recover(&error).await;
            }
        }
        self.core.is_claimable.store(false, Ordering::SeqCst);
        self.core.set_trouble(Role::Claims, None);
        if let Err(error) = self.give_back().await {
            // The rows are given back by whoever sweeps after this pool is gone.
            self.core.set_trouble(Role::Claims, Some(error.to_string()));
        }
    }

    /// Has a connection and the keeper's go-ahead. False: the end has begun.
    async fn stand_ready(&mut self) -> bool {
        let mut phase = self.core.phase.subscribe();
        let mut kept = self.core.is_kept.subscribe();
        if self.db.is_none() {
            self.db = reopen(&self.core, Role::Claims, Phase::Winding).await;
        }
        tokio::select! {
            up = kept.wait_for(|is_kept| *is_kept) => up.is_ok() && self.db.is_some(),
            _ = phase.wait_for(|phase| *phase >= Phase::Winding) => false,
        }
    }

    async fn wait_and_claim(&mut self) -> Result<()> {
        self.is_in_doubt |= self.core.is_in_doubt.swap(false, Ordering::SeqCst);
        if self.is_in_doubt || self.next_reconcile() <= Instant::now() {
            self.reconcile().await?;
        }
        self.learn_backend().await?;
        self.shed().await?;
        self.claim_all().await?;
        self.core.set_trouble(Role::Claims, None);
        if !self.may_rest() {
            return Ok(());
        }
        self.rest().await
    }

    /// Tells the callers whether free workers are worth a wake; false if some have become free just now.
    fn may_rest(&self) -> bool {
        let has_jobs = !self.core.job_names().is_empty();
        self.core.is_claimable.store(has_jobs && self.cursors.has_hope(), Ordering::SeqCst);
        self.core.is_drained.store(!self.cursors.has_hope(), Ordering::SeqCst);
        !(has_jobs && self.cursors.is_open(Instant::now()) && self.core.is_hungry())
    }

    async fn rest(&mut self) -> Result<()> {
        let core = Arc::clone(&self.core);
        let mut phase = core.phase.subscribe();
        // No submit here rings for the sake of the look at the books: to see whether one is due costs nothing.
        let next_look = self.next_look().min(Instant::now() + self.patience().min(RECONCILE_EVERY));
        let Some(db) = &self.db else {
            return Ok(());
        };
        tokio::select! {
            () = core.wakes.rung() => {}
            () = sleep_until(next_look) => {}
            _ = phase.wait_for(|phase| *phase >= Phase::Winding) => {}
            reason = db.closed() => {
                core.set_trouble(Role::Claims, Some(reason));
                self.db = None;
                self.backend = None;
            }
        }
        Ok(())
    }

    /// With something in the buffer, look now and then whether it has become too much; with something that runs alone,
    /// whether it has done so for long enough.
    fn patience(&self) -> Duration {
        let buffer = self.core.buffer.lock();
        match buffer.buffered() == 0 && !buffer.is_isolating(Instant::now().into_std()) {
            true => Duration::from_secs(3_600),
            false => SHED_EVERY,
        }
    }

    /// Gives back what the workers will not come to soon: they have turned out slower than thought, or Python stands
    /// still. Other pools need not.
    async fn shed(&mut self) -> Result<()> {
        let keys = self.core.buffer.lock().shed(Instant::now().into_std());
        self.release_counted(&keys).await
    }

    fn next_look(&mut self) -> Instant {
        let now = Instant::now();
        let far = now + Duration::from_secs(3_600);
        // A scan that is owed while nobody is hungry waits for hunger, not for the clock.
        let owed = match self.core.is_hungry() {
            true => self.cursors.next_due().unwrap_or(far),
            false => far,
        };
        if self.core.is_listening.load(Ordering::SeqCst) {
            return owed;
        }
        if now >= self.poll_at {
            self.poll_at = now + POLL_DEAF.mul_f64(0.9 + 0.2 * fastrand::f64());
            self.core.wakes.wake_all(Reason::Poll);
        }
        owed.min(self.poll_at)
    }

    /// Claims until nobody is hungry or nothing is left.
    async fn claim_all(&mut self) -> Result<()> {
        // Before the wakes are taken: one of them may speak of something.
        self.core.is_drained.store(false, Ordering::SeqCst);
        // Cleared before looking: a wake that lands from now on is for the next round.
        let wakes = self.core.wakes.clear();
        if wakes.all_queues {
            self.cursors.mark_all();
        }
        for queue in wakes.queues {
            self.cursors.mark(queue);
        }
        let mut reason = wakes.reason.unwrap_or(Reason::Capacity);
        while self.core.phase() < Phase::Winding && *self.core.is_kept.borrow() {
            let want = {
                let (buffer, now) = (self.core.buffer.lock(), Instant::now().into_std());
                if buffer.is_hungry(now) { buffer.want(now) } else { 0 }
            };
            let jobs = self.core.job_names();
            let asks = self.cursors.plan(want, Instant::now());
            if asks.is_empty() || jobs.is_empty() {
                break;
            }
            self.claim(&asks, &jobs, reason).await?;
            reason = Reason::Capacity;
        }
        Ok(())
    }

    /// One claim statement.
    async fn claim(&mut self, asks: &[Ask], jobs: &[Arc<str>], reason: Reason) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        let core = &self.core;
        let pool = core.pool();
        let is_dear = |ask: &Ask| ask.after == Position::START && self.cursors.is_dear(ask.queue);
        let dear: Vec<usize> = asks.iter().filter(|ask| is_dear(ask)).map(|ask| ask.queue).collect();
        let tails = match dear.is_empty() {
            true => HashMap::new(),
            false => tails(core, db, &dear).await?,
        };
        let started = Instant::now();
        // Only this task adds to the buffer: empty now is empty when the answer comes.
        let is_alone = core.buffer.lock().takes_last_chance(started.into_std());
        let lanes = claim(core, db, asks, jobs, pool, is_alone).await?;
        if is_alone && asks.iter().any(|ask| ask.after == Position::START) {
            core.buffer.lock().looked_for_last_chance(started.into_std());
        }
        let took = started.elapsed();
        let rows: usize = lanes.iter().map(Vec::len).sum();
        let cost = took.saturating_sub(COST_COMMIT + COST_ROW * rows as u32);
        for (ask, lane) in asks.iter().zip(&lanes) {
            let (last, tail) = (lane.last().map(position_of), tails.get(&ask.queue).copied());
            self.cursors.record(ask, Got { count: lane.len(), last, tail }, cost, Instant::now());
        }
        let counts: Vec<(Arc<str>, usize)> =
            asks.iter().zip(&lanes).map(|(ask, lane)| (Arc::clone(&core.queues[ask.queue]), lane.len())).collect();
        core.tally.lock().claim(reason, &counts, took);
        let (claimed, surplus) = isolate(interleave(lanes));
        self.keep(claimed, pool).await?;
        self.release_counted(&surplus).await
    }

    /// Puts what was claimed into the buffer; gives it back if the pool has meanwhile been declared lost.
    async fn keep(&self, claimed: Vec<Claimed>, pool: i32) -> Result<()> {
        if claimed.is_empty() {
            return Ok(());
        }
        let core = &self.core;
        {
            let mut buffer = core.buffer.lock();
            if pool == core.pool() {
                buffer.push(claimed);
                drop(buffer);
                core.signal.raise();
                core.ring_keeper();
                return Ok(());
            }
        }
        let keys: Vec<Key> = claimed.iter().map(Claimed::key).collect();
        self.release_counted(&keys).await
    }

    async fn learn_backend(&mut self) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        if self.backend.is_none() && !db.is_pooled() {
            self.backend = Some(db.backend(WORK_LIMIT).await?);
        }
        Ok(())
    }

    async fn recover(&mut self, error: &crate::error::Error) {
        self.is_in_doubt = true;
        match error.remedy() {
            Remedy::Again => sleep(Duration::from_millis(5)).await,
            Remedy::Reconnect => {
                self.core.set_trouble(Role::Claims, Some(error.to_string()));
                self.db = None;
                self.lost_backend = self.backend.take();
            }
            Remedy::Wait | Remedy::Bisect => {
                self.core.set_trouble(Role::Claims, Some(error.to_string()));
                Backoff::slow().wait().await;
                self.core.wakes.wake_all(Reason::Poll);
            }
        }
    }

    /// Gives back what no worker holds.
    async fn give_back(&mut self) -> Result<()> {
        let keys: Vec<Key> = self.core.buffer.lock().drain().iter().map(Claimed::key).collect();
        if self.db.is_none() && !keys.is_empty() {
            self.db = reopen(&self.core, Role::Claims, Phase::Leaving).await;
        }
        self.release_counted(&keys).await
    }

    /// Counted first: they have left the buffer, and on an error the reconciliation gives them back.
    async fn release_counted(&self, keys: &[Key]) -> Result<()> {
        self.core.tally.lock().totals.released += keys.len() as u64;
        let Some(db) = &self.db else {
            return Ok(());
        };
        if keys.is_empty() {
            return Ok(());
        }
        release(&self.core, db, keys, WORK_LIMIT).await?;
        Ok(())
    }
}

/// One on its last chance is kept alone: others would be blamed with it if it kills the pool once more. Returns what to
/// keep and what to give back.
fn isolate(mut claimed: Vec<Claimed>) -> (Vec<Claimed>, Vec<Key>) {
    let Some(last) = claimed.iter().position(Claimed::is_last_chance) else {
        return (claimed, Vec::new());
    };
    let alone = claimed.swap_remove(last);
    (vec![alone], claimed.iter().map(Claimed::key).collect())
}
