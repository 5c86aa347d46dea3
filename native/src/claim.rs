//! The claimer: keeps the buffer as full as the workers need it, on a connection of its own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::buffer::{Claimed, Key};
use crate::core::{Core, Phase, Role};
use crate::cursor::{Ask, Cursors, Got, Position};
use crate::db::{Db, Micros};
use crate::error::{Remedy, Result};
use crate::link::{Backoff, WORK_LIMIT, reopen};
use crate::release::release;
use crate::wake::Reason;

/// Without LISTEN, look this often.
const POLL_DEAF: Duration = Duration::from_millis(500);
/// What a claim costs apart from its search: the commit, and the rows' new versions (measured: 95 k rows/s).
const COST_COMMIT: Duration = Duration::from_millis(2);
const COST_ROW: Duration = Duration::from_micros(20);

pub struct Claimer {
    core: Arc<Core>,
    db: Option<Db>,
    /// The server process of the connection, to end it should its answer get lost.
    backend: Option<i32>,
    cursors: Cursors,
    /// A claim's answer was lost: the database may think that we hold more than we know of.
    is_in_doubt: bool,
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
        if self.is_in_doubt {
            self.reconcile().await?;
        }
        self.learn_backend().await?;
        self.claim_all().await?;
        if !self.may_rest() {
            return Ok(());
        }
        self.rest().await
    }

    /// Tells the callers whether free workers are worth a wake; false if they have become so just now.
    fn may_rest(&self) -> bool {
        let is_open = self.cursors.is_open(Instant::now());
        self.core.is_claimable.store(is_open, Ordering::SeqCst);
        !(is_open && self.core.buffer.lock().is_hungry())
    }

    async fn rest(&mut self) -> Result<()> {
        let core = Arc::clone(&self.core);
        let mut phase = core.phase.subscribe();
        let next_look = self.next_look();
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

    fn next_look(&mut self) -> Instant {
        let now = Instant::now();
        let far = now + Duration::from_secs(3_600);
        let mut next = self.cursors.next_due().unwrap_or(far);
        if !self.core.is_listening.load(Ordering::SeqCst) {
            if now >= self.poll_at {
                self.poll_at = now + POLL_DEAF.mul_f64(0.9 + 0.2 * fastrand::f64());
                self.core.wakes.wake_all(Reason::Poll);
            }
            next = next.min(self.poll_at);
        }
        // A scan that is owed while nobody is hungry waits for hunger, not for the clock.
        match self.core.buffer.lock().is_hungry() || next == self.poll_at {
            true => next,
            false => far,
        }
    }

    /// Claims until nobody is hungry or nothing is left.
    async fn claim_all(&mut self) -> Result<()> {
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
                let buffer = self.core.buffer.lock();
                if buffer.is_hungry() { buffer.want() } else { 0 }
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
        let started = Instant::now();
        core.count_statement();
        let rows = query(core, db, asks, jobs, pool).await?;
        let took = started.elapsed();
        let received = std::time::Instant::now();
        let claimed: Result<Vec<Claimed>> = rows
            .iter()
            .map(|row| read(core, row, jobs, received))
            .collect();
        let lanes = lanes_of(&core.queues, asks, claimed?);
        let cost = took.saturating_sub(COST_COMMIT + COST_ROW * rows.len() as u32);
        for (ask, lane) in asks.iter().zip(&lanes) {
            let last = lane.last().map(position_of);
            self.cursors.record(
                ask,
                Got {
                    count: lane.len(),
                    last,
                },
                cost,
                Instant::now(),
            );
        }
        let counts: Vec<(Arc<str>, usize)> = asks
            .iter()
            .zip(&lanes)
            .map(|(ask, lane)| (Arc::clone(&core.queues[ask.queue]), lane.len()))
            .collect();
        core.tally.lock().claim(reason, &counts, took);
        self.keep(interleave(lanes), pool).await
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

    /// Finds what the database thinks we hold and we know nothing of, and gives it back.
    async fn reconcile(&mut self) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        let core = Arc::clone(&self.core);
        let backend = if db.is_pooled() {
            None
        } else {
            self.backend.take()
        };
        let pool = core.pool();
        let (ids, tokens) = loop {
            core.count_statement();
            let rows = db
                .query(
                    &core.sql.reconcile,
                    &[(&pool, Type::INT4), (&backend, Type::INT4)],
                    WORK_LIMIT,
                )
                .await?;
            let Some(row) = rows.first() else {
                return Ok(());
            };
            if row.try_get::<_, i64>("ended")? == 0 {
                break (
                    row.try_get::<_, Vec<Uuid>>("ids")?,
                    row.try_get::<_, Vec<i32>>("tokens")?,
                );
            }
            // The old connection's process is on its way out; what it did is visible when it is gone.
            sleep(Duration::from_millis(20)).await;
        };
        let unknown: Vec<Key> = {
            let buffer = core.buffer.lock();
            let outbox = core.outbox.lock();
            let is_known = |key: &Key| buffer.holds(key) || outbox.holds(key);
            ids.into_iter()
                .zip(tokens)
                .filter(|key| !is_known(key))
                .collect()
        };
        // Through a pooler the lost claim may still be under way; the lease's sweep is the net there.
        release(&core, db, &unknown, WORK_LIMIT).await?;
        self.is_in_doubt = false;
        self.cursors.mark_all();
        Ok(())
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
        match error.remedy() {
            Remedy::Again => sleep(Duration::from_millis(5)).await,
            Remedy::Reconnect => {
                self.core.set_trouble(Role::Claims, Some(error.to_string()));
                self.db = None;
                self.is_in_doubt = true;
            }
            Remedy::Wait | Remedy::Bisect => {
                self.core.set_trouble(Role::Claims, Some(error.to_string()));
                Backoff::slow().wait().await;
                self.core.set_trouble(Role::Claims, None);
                self.core.wakes.wake_all(Reason::Poll);
            }
        }
    }

    /// Gives back what no worker holds.
    async fn give_back(&mut self) -> Result<()> {
        let keys: Vec<Key> = self
            .core
            .buffer
            .lock()
            .drain()
            .iter()
            .map(Claimed::key)
            .collect();
        if self.db.is_none() && !keys.is_empty() {
            self.db = reopen(&self.core, Role::Claims, Phase::Leaving).await;
        }
        self.release_counted(&keys).await
    }

    async fn release_counted(&self, keys: &[Key]) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        release(&self.core, db, keys, WORK_LIMIT).await?;
        self.core.tally.lock().totals.released += keys.len() as u64;
        Ok(())
    }
}

async fn query(
    core: &Core,
    db: &Db,
    asks: &[Ask],
    jobs: &[Arc<str>],
    pool: i32,
) -> Result<Vec<Row>> {
    let queues: Vec<&str> = asks.iter().map(|ask| &*core.queues[ask.queue]).collect();
    let ranks: Vec<i32> = asks.iter().map(|ask| ask.after.rank).collect();
    let ids: Vec<Uuid> = asks.iter().map(|ask| ask.after.id).collect();
    let limits: Vec<i32> = asks
        .iter()
        .map(|ask| i32::try_from(ask.limit).unwrap_or(i32::MAX))
        .collect();
    let jobs: Vec<&str> = jobs.iter().map(|job| &**job).collect();
    db.query(
        &core.sql.claim,
        &[
            (&queues, Type::TEXT_ARRAY),
            (&ranks, Type::INT4_ARRAY),
            (&ids, Type::UUID_ARRAY),
            (&limits, Type::INT4_ARRAY),
            (&jobs, Type::TEXT_ARRAY),
            (&pool, Type::INT4),
        ],
        WORK_LIMIT,
    )
    .await
}

fn read(
    core: &Core,
    row: &Row,
    jobs: &[Arc<str>],
    received: std::time::Instant,
) -> Result<Claimed> {
    let (job, queue): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
    let shared = |names: &[Arc<str>], name: &str| {
        names
            .iter()
            .find(|known| &***known == name)
            .map_or_else(|| Arc::from(name), Arc::clone)
    };
    Ok(Claimed {
        id: row.try_get(0)?,
        job: shared(jobs, job),
        queue: shared(&core.queues, queue),
        priority: row.try_get(3)?,
        attempt: row.try_get(4)?,
        token: row.try_get(5)?,
        rescues: row.try_get(6)?,
        retries: row.try_get(7)?,
        batch: row.try_get(8)?,
        created_at: row.try_get::<_, Micros>(9)?.0,
        due_at: row.try_get::<_, Option<Micros>>(10)?.map(|moment| moment.0),
        claimed_at: row.try_get::<_, Micros>(11)?.0,
        options: row.try_get(12)?,
        args: row.try_get(13)?,
        received,
        wait_us: 0,
    })
}

fn position_of(claimed: &Claimed) -> Position {
    Position {
        rank: -i32::from(claimed.priority),
        id: claimed.id,
    }
}

/// The rows of each ask, in claim order: an UPDATE returns them in any.
fn lanes_of(queues: &[Arc<str>], asks: &[Ask], claimed: Vec<Claimed>) -> Vec<Vec<Claimed>> {
    let mut lanes: Vec<Vec<Claimed>> = asks.iter().map(|_| Vec::new()).collect();
    for execution in claimed {
        if let Some(lane) = asks
            .iter()
            .position(|ask| queues[ask.queue] == execution.queue)
        {
            lanes[lane].push(execution);
        }
    }
    for lane in &mut lanes {
        lane.sort_unstable_by_key(position_of);
    }
    lanes
}

/// One of each queue in turn, so that a queue's thousand does not stand before another's one.
fn interleave(mut lanes: Vec<Vec<Claimed>>) -> Vec<Claimed> {
    if lanes.len() == 1 {
        return lanes.pop().unwrap_or_default();
    }
    let mut lanes: Vec<VecDeque<Claimed>> = lanes.into_iter().map(VecDeque::from).collect();
    let mut out = Vec::with_capacity(lanes.iter().map(VecDeque::len).sum());
    while lanes.iter().any(|lane| !lane.is_empty()) {
        out.extend(lanes.iter_mut().filter_map(VecDeque::pop_front));
    }
    out
}
