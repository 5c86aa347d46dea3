//! The keeper: LISTEN, the lock, the lease, and everything that is not claiming or settling, on the third connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep_until};
use tokio_postgres::types::Type;

use crate::core::{Core, Phase, Role};
use crate::db::Db;
use crate::error::{Remedy, Result};
use crate::event::{EVERY, FIRST_AFTER, Head, events};
use crate::lease;
use crate::link::{Backoff, KEEPER_LIMIT, reopen};
use crate::promote::promote;
use crate::release::release;
use crate::wake::Reason;

const TIDY_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How far back a renewal looks for claims that a pool left behind; a starting pool looks back as far as `pools` goes.
const LEFTOVER_S: f64 = 120.0;
const LEFTOVER_AT_START_S: f64 = 8.0 * 86_400.0;
/// Looks at the next due time that `@` wakes ask for are this far apart, and twice as far each time as long as the
/// burst lasts: it may be a thousand submits for tomorrow.
const PROMOTE_APART: Duration = Duration::from_millis(10);
const PROMOTE_APART_MOST: Duration = Duration::from_millis(200);
/// Jobs are defined one by one; one renewal tells of all that come within this time.
const RENEW_AFTER: Duration = Duration::from_millis(50);
/// After an outage the others are given this long to come back before they are judged by lock or lease.
const GRACE: Duration = Duration::from_secs(10);

pub struct Keeper {
    pub(crate) core: Arc<Core>,
    pub(crate) db: Option<Db>,
    pub(crate) has_lock: bool,
    pub(crate) lease_at: Instant,
    /// The next due time; None: nothing is scheduled.
    due_at: Option<Instant>,
    promoted_at: Option<Instant>,
    promote_apart: Duration,
    /// The end of the grace that an outage gives the others.
    pub(crate) grace_until: Option<Instant>,
    publish_at: Option<Instant>,
    /// Not before then: many jobs and queues take several events, and all together at most ten are sent a second.
    publish_from: Option<Instant>,
    tidy_at: Instant,
    /// `claimed` at the last renewal: as long as it moves the claims themselves see what is pending.
    pub(crate) claimed_before: u64,
}

impl Keeper {
    pub fn new(core: Arc<Core>) -> Keeper {
        let now = Instant::now();
        Keeper {
            core,
            db: None,
            has_lock: false,
            lease_at: now,
            due_at: None,
            promoted_at: None,
            promote_apart: PROMOTE_APART,
            grace_until: None,
            publish_at: None,
            publish_from: None,
            tidy_at: now + Duration::from_secs(1),
            claimed_before: 0,
        }
    }

    /// With its first connection: registers the pool, takes the lock, sweeps once.
    pub async fn begin(&mut self, db: Db) -> Result<()> {
        self.has_lock = lease::register(&self.core, &db).await?;
        self.db = Some(db);
        self.keep().await
    }

    /// Keeps the pool until the phase says leave, then takes leave.
    pub async fn run(mut self) {
        while self.core.phase() < Phase::Leaving {
            if self.db.is_none() && !self.come_back().await {
                break;
            }
            if let Err(error) = self.step().await {
                self.core.set_trouble(Role::Keeper, Some(error.to_string()));
                match error.remedy() {
                    Remedy::Again => self.core.set_trouble(Role::Keeper, None),
                    Remedy::Reconnect => self.drop_link(),
                    // The trouble stays in the news until a renewal goes through.
                    Remedy::Wait | Remedy::Bisect => {
                        self.lease_at = Instant::now();
                        Backoff::slow().wait().await;
                    }
                }
            }
        }
        // What can't be said now is found by the others: the lock is free, or the lease runs out.
        let _unsaid = self.leave().await;
    }

    fn drop_link(&mut self) {
        self.core.is_kept.send_replace(false);
        self.core.is_listening.store(false, Ordering::SeqCst);
        self.db = None;
        self.has_lock = false;
    }

    /// A new connection: LISTEN (with the session's settings), lock, lease; claims go on after that.
    async fn come_back(&mut self) -> bool {
        let Some(db) = reopen(&self.core, Role::Keeper, Phase::Leaving).await else {
            return false;
        };
        self.db = Some(db);
        self.grace_until = Some(Instant::now() + GRACE);
        if let Err(error) = self.keep().await {
            self.core.set_trouble(Role::Keeper, Some(error.to_string()));
            self.drop_link();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        true
    }

    async fn keep(&mut self) -> Result<()> {
        self.renew(LEFTOVER_AT_START_S).await?;
        let is_deaf = self.db.as_ref().is_none_or(Db::is_pooled);
        self.core.is_listening.store(!is_deaf, Ordering::SeqCst);
        self.core.set_trouble(Role::Keeper, None);
        // Whatever was said while nobody listened: look.
        self.core.errands.promote_check.store(true, Ordering::SeqCst);
        self.core.wakes.wake_all(Reason::Start);
        self.core.is_kept.send_replace(true);
        Ok(())
    }

    /// Waits for the next thing to do, and does it.
    async fn step(&mut self) -> Result<()> {
        self.heed_errands().await?;
        let core = Arc::clone(&self.core);
        let mut phase = core.phase.subscribe();
        let Some(db) = &self.db else {
            return Ok(());
        };
        tokio::select! {
            () = core.errands.bell.notified() => return Ok(()),
            _ = phase.wait_for(|phase| *phase >= Phase::Leaving) => return Ok(()),
            () = sleep_until(self.next_moment()) => {}
            reason = db.closed() => {
                core.set_trouble(Role::Keeper, Some(reason));
                self.drop_link();
                return Ok(());
            }
        }
        let now = Instant::now();
        if self.due_at.is_some_and(|due| due <= now) {
            self.promote().await?;
        }
        if self.publish_at.is_some_and(|moment| moment <= now) {
            self.publish().await?;
        }
        if self.lease_at <= now {
            self.renew(LEFTOVER_S).await?;
        }
        if self.tidy_at <= now {
            self.tidy().await?;
        }
        Ok(())
    }

    fn next_moment(&self) -> Instant {
        [self.due_at, self.publish_at].into_iter().flatten().fold(self.lease_at.min(self.tidy_at), Instant::min)
    }

    async fn heed_errands(&mut self) -> Result<()> {
        let core = Arc::clone(&self.core);
        let errands = &core.errands;
        if let Some(moment) = errands.due_at.lock().take() {
            self.due_by(Instant::from_std(moment));
        }
        if errands.promote_check.swap(false, Ordering::SeqCst) {
            let soonest = self.next_look_at_due(Instant::now());
            self.due_by(soonest);
        }
        if errands.renew.swap(false, Ordering::SeqCst) {
            self.lease_at = self.lease_at.min(Instant::now() + RENEW_AFTER);
        }
        if self.publish_at.is_none() && self.core.tally.lock().is_dirty() {
            let first = Instant::now() + FIRST_AFTER;
            self.publish_at = Some(self.publish_from.map_or(first, |moment| first.max(moment)));
        }
        if errands.cancel_check.swap(false, Ordering::SeqCst) {
            if let Some(db) = &self.db {
                let keys = lease::cancelling(&self.core, db).await?;
                self.cancel(&keys);
            }
        }
        Ok(())
    }

    fn next_look_at_due(&mut self, now: Instant) -> Instant {
        let Some(last) = self.promoted_at.filter(|last| *last + 2 * self.promote_apart > now) else {
            self.promote_apart = PROMOTE_APART;
            return now;
        };
        let soonest = last + self.promote_apart;
        self.promote_apart = (2 * self.promote_apart).min(PROMOTE_APART_MOST);
        soonest
    }

    pub(crate) fn due_by(&mut self, moment: Instant) {
        self.due_at = Some(self.due_at.map_or(moment, |due| due.min(moment)));
    }

    async fn promote(&mut self) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        let due_in = promote(&self.core, db).await?;
        self.promoted_at = Some(Instant::now());
        self.due_at = due_in.map(|wait| Instant::now() + wait);
        Ok(())
    }

    async fn publish(&mut self) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        self.publish_at = None;
        let events = self.events();
        for event in &events {
            self.core.count_statement();
            db.query(&self.core.sql.publish, &[(event, Type::TEXT)], KEEPER_LIMIT).await?;
        }
        self.publish_from = Some(Instant::now() + EVERY * events.len() as u32);
        Ok(())
    }

    fn events(&self) -> Vec<String> {
        let core = &self.core;
        let (recent, statements) = {
            let mut tally = core.tally.lock();
            (tally.take_recent(), tally.totals.statements)
        };
        let unsettled = core.outbox.lock().unsettled();
        let buffer = core.buffer.lock();
        let head = Head {
            pool: core.pool(),
            name: core.config.name.clone(),
            sent_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            running: buffer.running(),
            buffered: buffer.buffered(),
            workers: buffer.workers(),
            unsettled,
            prefetch: buffer.prefetch(std::time::Instant::now()),
            statements,
        };
        drop(buffer);
        events(&head, &recent)
    }

    async fn tidy(&mut self) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        self.tidy_at = Instant::now() + TIDY_EVERY;
        self.core.count_statement();
        db.query(&self.core.sql.tidy, &[], KEEPER_LIMIT).await?;
        Ok(())
    }

    /// Gives back what is still held, tells the watchers the last, and says goodbye.
    async fn leave(&mut self) -> Result<()> {
        self.core.is_kept.send_replace(false);
        let Some(db) = &self.db else {
            return Ok(());
        };
        let keys = self.core.buffer.lock().drain_all();
        self.core.tally.lock().totals.released += keys.len() as u64;
        release(&self.core, db, &keys, KEEPER_LIMIT).await?;
        if self.core.tally.lock().is_dirty() {
            self.publish().await?;
        }
        match &self.db {
            Some(db) => lease::goodbye(&self.core, db).await,
            None => Ok(()),
        }
    }
}
