//! What the database thinks we hold and we know nothing of: at once after a claim whose answer was lost, and now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::buffer::Key;
use crate::claimer::Claimer;
use crate::error::Result;
use crate::link::WORK_LIMIT;
use crate::release::release;

/// A statement that was given up, on whatever connection, may have been done after all, and later than any look that
/// follows it: behind a pooler nobody can end it. Without another look what it wrote would be running here for ever.
pub(crate) const RECONCILE_EVERY: Duration = Duration::from_secs(15);
/// A pool that has held nothing new since its last look waits twice as long each time, up to this: what is still to
/// come then, comes from a server that has been stuck for minutes.
const RECONCILE_IDLE: Duration = Duration::from_secs(240);

impl Claimer {
    /// When to look again.
    pub(crate) fn next_reconcile(&self) -> Instant {
        let held = self.core.tally.lock().totals.claims.claimed;
        self.looked + if held == self.held_at_look { self.pause } else { RECONCILE_EVERY }
    }

    /// Finds what the database thinks we hold and we know nothing of, and gives it back.
    pub(crate) async fn reconcile(&mut self) -> Result<()> {
        let Some(db) = &self.db else {
            return Ok(());
        };
        let core = Arc::clone(&self.core);
        let backend = if db.is_pooled() { None } else { self.lost_backend };
        let pool = core.pool();
        let (ids, tokens) = loop {
            core.count_statement();
            let rows =
                db.query(&core.sql.reconcile, &[(&pool, Type::INT4), (&backend, Type::INT4)], WORK_LIMIT).await?;
            let Some(row) = rows.first() else {
                return Ok(());
            };
            if row.try_get::<_, i64>("ended")? == 0 {
                break (row.try_get::<_, Vec<Uuid>>("ids")?, row.try_get::<_, Vec<i32>>("tokens")?);
            }
            // The old connection's process is on its way out; what it did is visible when it is gone.
            sleep(Duration::from_millis(20)).await;
        };
        let unknown: Vec<Key> = {
            let mut buffer = core.buffer.lock();
            let outbox = core.outbox.lock();
            let unknown = buffer.unknown(ids.into_iter().zip(tokens).collect());
            unknown.into_iter().filter(|key| !outbox.holds(key)).collect()
        };
        release(&core, db, &unknown, WORK_LIMIT).await?;
        let was_in_doubt = std::mem::take(&mut self.is_in_doubt);
        let held = core.tally.lock().totals.claims.claimed;
        let is_quiet = held == std::mem::replace(&mut self.held_at_look, held) && unknown.is_empty() && !was_in_doubt;
        self.pause = if is_quiet { (self.pause * 2).min(RECONCILE_IDLE) } else { RECONCILE_EVERY };
        self.looked = Instant::now();
        self.lost_backend = None;
        if was_in_doubt || !unknown.is_empty() {
            self.cursors.mark_all();
        }
        Ok(())
    }
}
