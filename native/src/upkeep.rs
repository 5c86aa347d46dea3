//! The keeper's every-five-seconds: the lease renewed, the others looked after, cancellations passed on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::buffer::{Claimed, Key};
use crate::core::Role;
use crate::error::Result;
use crate::keeper::Keeper;
use crate::lease::{self, Renewal};
use crate::link::KEEPER_LIMIT;
use crate::outbox::{Outcome, Status};
use crate::promote::wait_of;
use crate::release::release;
use crate::rescue::{SUSPICION_S, dead, rescue};
use crate::wake::Reason;

const LEASE_EVERY: Duration = Duration::from_secs(5);
/// A dead process's last statement may still be at work when its pool is swept: look again soon after.
const AGAIN_AFTER_RESCUE: Duration = Duration::from_millis(300);

impl Keeper {
    /// Renews the lease, and acts on what that has seen.
    pub(crate) async fn renew(&mut self, leftover_s: f64) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        let core = Arc::clone(&self.core);
        self.lease_at = Instant::now() + LEASE_EVERY.mul_f64(0.9 + 0.1 * fastrand::f64());
        if !self.has_lock && !db.is_pooled() {
            self.has_lock = lease::lock(&core, db).await?;
        }
        let claimed = core.tally.lock().totals.claims.claimed;
        let look = claimed == self.claimed_before && core.is_hungry();
        self.claimed_before = claimed;
        let renewal = lease::renew(&core, db, leftover_s, look).await?;
        if !renewal.is_renewed {
            return self.start_anew().await;
        }
        core.set_trouble(Role::Keeper, None);
        let is_rescued = self.sweep(&renewal).await?;
        self.cancel(&renewal.cancelling);
        if let Some(seconds) = renewal.due_in {
            self.due_by(Instant::now() + wait_of(seconds));
        }
        if renewal.is_pending {
            core.wakes.wake_all(Reason::Poll);
        }
        if is_rescued {
            self.lease_at = Instant::now() + AGAIN_AFTER_RESCUE;
        } else if renewal.others.iter().any(|other| other.is_suspect()) {
            self.lease_at = self.lease_at.min(Instant::now() + Duration::from_secs_f64(SUSPICION_S + 0.05));
        }
        Ok(())
    }

    async fn sweep(&mut self, renewal: &Renewal) -> Result<bool> {
        let is_graced = self.grace_until.is_some_and(|end| end > Instant::now());
        let dead = dead(&renewal.others, is_graced);
        let Some(db) = &self.db else {
            return Ok(false);
        };
        if dead.is_empty() && renewal.leftover.is_empty() {
            return Ok(false);
        }
        rescue(&self.core, db, &dead, &renewal.leftover).await?;
        Ok(!dead.is_empty())
    }

    /// This pool was declared lost: what it held is being given to others. It goes on under a new id.
    async fn start_anew(&mut self) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        let core = &self.core;
        core.is_kept.send_replace(false);
        self.has_lock = lease::register(core, db).await?;
        let (dropped, taken): (Vec<Claimed>, Vec<Key>) = {
            let mut buffer = core.buffer.lock();
            buffer.forget_reserved();
            (buffer.drain(), buffer.taken())
        };
        core.news.lock().lost.extend(taken);
        core.signal.raise();
        let keys: Vec<Key> = dropped.iter().map(Claimed::key).collect();
        core.tally.lock().totals.released += keys.len() as u64;
        release(core, db, &keys, KEEPER_LIMIT).await?;
        core.wakes.wake_all(Reason::Start);
        core.is_kept.send_replace(true);
        self.lease_at = Instant::now();
        Ok(())
    }

    /// Cancellation was asked for: the engine itself ends what no worker holds, Python is told of the rest, once.
    pub(crate) fn cancel(&self, keys: &[Key]) {
        if keys.is_empty() {
            return;
        }
        let core = &self.core;
        let mut buffer = core.buffer.lock();
        let pulled = buffer.pull(keys);
        let told = buffer.tell_cancel(keys);
        let mut outbox = core.outbox.lock();
        for execution in pulled {
            outbox.push_own(Outcome::cancelled(execution.key(), execution.queue, execution.job));
        }
        drop((outbox, buffer));
        core.ring_settler();
        if !told.is_empty() {
            core.news.lock().cancel.extend(told);
            core.signal.raise();
        }
    }
}

impl Outcome {
    /// The engine's own: cancelled before a worker had it.
    fn cancelled(key: Key, queue: Arc<str>, job: Arc<str>) -> Outcome {
        Outcome {
            ticket: None,
            key,
            queue: Some(queue),
            job: Some(job),
            status: Status::Cancelled,
            result: None,
            error: None,
            run_us: 0,
            delay: 0.0,
            logs: None,
            source: None,
            ended: std::time::Instant::now(),
        }
    }
}
