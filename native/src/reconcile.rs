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
            let mut buffer = core.buffer.lock();
            let outbox = core.outbox.lock();
            let unknown = buffer.unknown(ids.into_iter().zip(tokens).collect());
            unknown.into_iter().filter(|key| !outbox.holds(key)).collect()
        };
        release(&core, db, &unknown, WORK_LIMIT).await?;
        let was_in_doubt = std::mem::take(&mut self.is_in_doubt);
        self.reconcile_at = Instant::now() + RECONCILE_EVERY;
        self.lost_backend = None;
        if was_in_doubt || !unknown.is_empty() {
            self.cursors.mark_all();
        }
        Ok(())
    }
}
