//! Executions whose time has come.

use std::time::Duration;

use tokio_postgres::types::Type;

use crate::core::Core;
use crate::db::Db;
use crate::error::Result;
use crate::link::KEEPER_LIMIT;
use crate::wake::Reason;

/// What one promotion moves at most; when it was full, another follows at once.
const LIMIT: i64 = 1_000;
/// Never sleep longer than this on the word of one answer: the lease looks at the next due time anyway.
const LONGEST: f64 = 3_600.0;

/// Moves what is due to pending; returns how long until the next one is due.
pub async fn promote(core: &Core, db: &Db) -> Result<Option<Duration>> {
    core.count_statement();
    let rows = db.query(&core.sql.promote, NOTHING, KEEPER_LIMIT).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let queues: Vec<String> = row.try_get("queues")?;
    if !core.is_listening.load(std::sync::atomic::Ordering::SeqCst) {
        for index in queues.iter().filter_map(|queue| core.queue_index(queue)) {
            core.wakes.wake_queue(index, Reason::Notify);
        }
    }
    if row.try_get::<_, i64>("moved")? >= LIMIT {
        return Ok(Some(Duration::ZERO));
    }
    Ok(row.try_get::<_, Option<f64>>("due_in")?.map(wait_of))
}

/// A time to wait from seconds by the database's clock.
pub fn wait_of(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST))
}

const NOTHING: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] = &[];
