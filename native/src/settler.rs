//! The settler: writes outcomes in batches, one statement in flight, on a connection of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::core::{Core, Phase, Role};
use crate::db::Db;
use crate::error::{Error, Remedy, Result};
use crate::link::{Backoff, reopen};
use crate::outbox::{BATCH, Outcome, Status};
use crate::settle::{discard, settle, settled_before};
use crate::wake::Reason;

/// Outcomes that come right behind a settle of many wait this long for company. After quiet, and where they come one by
/// one, they go at once.
const COALESCE: Duration = Duration::from_millis(3);

/// So many in a settle are company: with fewer each would wait for others that don't come (2.4 ms more from the end of a
/// handler to its result).
const COMPANY: usize = 8;

/// What became of one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// On disk, as this.
    Counted(Status),
    /// It no longer held its claim.
    Stale,
    /// The database would not store it for this reason; the execution ended failed, or was stale anyway.
    Refused(String),
}

pub struct Settler {
    core: Arc<Core>,
    db: Option<Db>,
    /// When the last settle of many ended.
    last: Option<Instant>,
}

impl Settler {
    /// `db`: a connection made already. Without one the settler comes after one that died.
    pub fn new(core: Arc<Core>, db: Option<Db>) -> Settler {
        Settler { core, db, last: None }
    }

    /// Writes until everything is written and nothing more can come.
    pub async fn run(mut self) {
        // A batch that was under way when another settler died may be on disk already.
        let mut is_repeat = self.core.outbox.lock().is_interrupted();
        loop {
            if !is_repeat && !self.gather().await {
                break;
            }
            let batch = self.core.outbox.lock().next_batch();
            let fates = self.write(&batch, is_repeat).await;
            publish(&self.core, &batch, fates);
            self.last = (batch.len() >= COMPANY).then(Instant::now);
            is_repeat = false;
        }
        self.core.outbox.lock().shut();
    }

    /// Waits until a batch is worth writing. False: there will be none.
    async fn gather(&mut self) -> bool {
        let core = Arc::clone(&self.core);
        let mut phase = core.phase.subscribe();
        loop {
            let waiting = core.outbox.lock().waiting();
            let is_closing = core.phase() >= Phase::Closing;
            if waiting >= BATCH || (is_closing && waiting > 0) {
                return true;
            }
            if waiting == 0 {
                if is_closing {
                    return false;
                }
                self.rest(&mut phase).await;
                continue;
            }
            let due = self.last.map(|last| last + COALESCE).filter(|due| *due > Instant::now());
            let Some(due) = due else {
                return true;
            };
            tokio::select! {
                () = sleep_until(due) => {}
                () = core.settle_bell.notified() => {}
            }
        }
    }

    async fn rest(&mut self, phase: &mut tokio::sync::watch::Receiver<Phase>) {
        let core = &self.core;
        core.is_settler_resting.store(true, Ordering::SeqCst);
        if core.outbox.lock().waiting() > 0 {
            core.is_settler_resting.store(false, Ordering::SeqCst);
            return;
        }
        let Some(db) = &self.db else {
            self.db = reopen(core, Role::Settles, Phase::Closing).await;
            return;
        };
        tokio::select! {
            () = core.settle_bell.notified() => {}
            _ = phase.wait_for(|phase| *phase >= Phase::Closing) => {}
            reason = db.closed() => {
                core.set_trouble(Role::Settles, Some(reason));
                self.db = None;
            }
        }
    }

    /// Writes a batch whatever it takes: through lost connections, deadlocks, a full disk, and outcomes that can't
    /// be stored.
    async fn write(&mut self, batch: &[Outcome], mut is_repeat: bool) -> Vec<Fate> {
        let mut fates: Vec<Option<Fate>> = vec![None; batch.len()];
        // Parts still to be written, the first on top. A part that can't be stored is halved until the bad
        // one is alone.
        let mut parts = Vec::from([(0, batch.len())]);
        let mut backoff = Backoff::quick();
        while let Some((start, end)) = parts.pop() {
            let part = start..end;
            match self.try_write(&batch[part.clone()], is_repeat).await {
                Ok(written) => {
                    for (index, fate) in part.zip(written) {
                        fates[index] = Some(fate);
                    }
                    backoff = Backoff::quick();
                    self.core.set_trouble(Role::Settles, None);
                }
                Err(error) if error.remedy() == Remedy::Bisect && part.len() > 1 => {
                    let middle = start + part.len() / 2;
                    parts.extend([(middle, end), (start, middle)]);
                }
                Err(error) if error.remedy() == Remedy::Bisect => {
                    fates[start] = Some(self.refuse(&batch[start], &error).await);
                }
                Err(error) => {
                    is_repeat |= error.remedy() == Remedy::Reconnect;
                    self.recover(&error, &mut backoff).await;
                    parts.push((start, end));
                }
            }
        }
        fates.into_iter().map(|fate| fate.unwrap_or(Fate::Stale)).collect()
    }

    async fn recover(&mut self, error: &Error, backoff: &mut Backoff) {
        match error.remedy() {
            Remedy::Again => sleep(Duration::from_millis(1 + u64::from(fastrand::u8(..8)))).await,
            Remedy::Reconnect => {
                self.core.set_trouble(Role::Settles, Some(error.to_string()));
                self.db = None;
                // Outcomes are never given up: `close` ends this by ending the thread.
                self.db = reopen(&self.core, Role::Settles, Phase::Leaving).await;
                if self.db.is_none() {
                    backoff.wait().await;
                }
            }
            Remedy::Wait | Remedy::Bisect => {
                self.core.set_trouble(Role::Settles, Some(error.to_string()));
                backoff.wait().await;
            }
        }
    }

    /// One settle statement. `is_repeat`: an earlier try may have been committed without our hearing of it.
    async fn try_write(&mut self, part: &[Outcome], is_repeat: bool) -> Result<Vec<Fate>> {
        if self.db.is_none() {
            self.db = reopen(&self.core, Role::Settles, Phase::Leaving).await;
        }
        let Some(db) = &self.db else {
            return Err(Error::Unavailable("the engine is closing".to_owned()));
        };
        let mut counted = settle(&self.core, db, part).await?;
        if is_repeat && counted.len() < part.len() {
            counted.extend(settled_before(&self.core, db, part).await?);
        }
        Ok(part
            .iter()
            // Removed: an outcome handed in twice counts once.
            .map(|outcome| counted.remove(&outcome.key).map_or(Fate::Stale, Fate::Counted))
            .collect())
    }

    async fn discard(&self, outcome: &Outcome) -> Result<()> {
        match &self.db {
            Some(db) => discard(&self.core, db, outcome.key).await,
            None => Ok(()),
        }
    }

    /// Ends an execution whose outcome can't be stored as failed, with the reason in place of the outcome.
    async fn refuse(&mut self, outcome: &Outcome, error: &Error) -> Fate {
        let reason = error.to_string();
        let printable: String = reason.chars().filter(|letter| *letter != '\0').collect();
        let substitute = Outcome {
            status: Status::Failed,
            result: None,
            error: Some(serde_json::json!({"type": "NotStorable", "message": printable}).to_string()),
            logs: None,
            source: None,
            ..outcome.clone()
        };
        let mut backoff = Backoff::quick();
        loop {
            match self.try_write(std::slice::from_ref(&substitute), false).await {
                Ok(_) => return Fate::Refused(reason),
                // Nothing of the worker's is left in it: the row itself is what the database refuses.
                Err(again) if again.remedy() == Remedy::Bisect => match self.discard(outcome).await {
                    Ok(()) => return Fate::Refused(again.to_string()),
                    Err(error) => self.recover(&error, &mut backoff).await,
                },
                Err(again) => self.recover(&again, &mut backoff).await,
            }
        }
    }
}

/// Tells everybody what became of a batch.
fn publish(core: &Core, batch: &[Outcome], fates: Vec<Fate>) {
    let mut tally = core.tally.lock();
    let mut news = core.news.lock();
    for (outcome, fate) in batch.iter().zip(fates) {
        match fate {
            Fate::Counted(status) => {
                tally.outcome(outcome, status);
                let is_ours = outcome.ticket.is_none();
                if status == Status::Cancelled && (is_ours || outcome.status == Status::Retry) {
                    news.cancelled.push(outcome.key);
                }
                note_retry(core, outcome, status);
            }
            Fate::Stale => {
                tally.totals.stale += 1;
                news.stale.extend(outcome.ticket);
            }
            Fate::Refused(reason) => {
                tally.outcome(outcome, Status::Failed);
                news.refused.extend(outcome.ticket.map(|ticket| (ticket, reason)));
            }
        }
        news.committed = outcome.ticket.unwrap_or(news.committed);
    }
    drop((news, tally));
    core.outbox.lock().done();
    core.written.notify_all();
    core.signal.raise();
    core.ring_keeper();
}

/// A retry of ours needs nobody's NOTIFY: we know when it is due.
fn note_retry(core: &Core, outcome: &Outcome, status: Status) {
    if status != Status::Retry {
        return;
    }
    if outcome.delay > 0.0 {
        core.note_due(std::time::Instant::now() + crate::promote::wait_of(outcome.delay));
    } else if let Some(index) = outcome.queue.as_ref().and_then(|queue| core.queue_index(queue)) {
        core.wakes.wake_queue(index, Reason::Notify);
    }
}
