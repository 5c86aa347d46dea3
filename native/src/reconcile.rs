//! After a claim whose answer was lost: what the database thinks we hold and we know nothing of.

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

/// Longer than any claim takes.
const RECHECK_AFTER: Duration = Duration::from_secs(60);

impl Claimer {
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
            let buffer = core.buffer.lock();
            let outbox = core.outbox.lock();
            let is_known = |key: &Key| buffer.holds(key) || outbox.holds(key);
            ids.into_iter().zip(tokens).filter(|key| !is_known(key)).collect()
        };
        release(&core, db, &unknown, WORK_LIMIT).await?;
        let is_first = std::mem::take(&mut self.is_in_doubt);
        self.recheck_at = (is_first && db.is_pooled()).then(|| Instant::now() + RECHECK_AFTER);
        self.lost_backend = None;
        self.cursors.mark_all();
        Ok(())
    }
}
