//! The pool's own row: registered, renewed, taken leave of; and what the renewal sees of everybody else.

use std::sync::atomic::Ordering;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::buffer::Key;
use crate::core::Core;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::link::KEEPER_LIMIT;
use crate::rescue::Other;

/// What one renewal has found.
#[derive(Debug)]
pub struct Renewal {
    /// False: this pool was declared lost.
    pub is_renewed: bool,
    pub others: Vec<Other>,
    /// Pools gone before that still hold executions.
    pub leftover: Vec<i32>,
    /// Claims of this pool whose cancellation was asked for.
    pub cancelling: Vec<Key>,
    /// Seconds until the next scheduled execution is due.
    pub due_in: Option<f64>,
    /// A claim might bring something.
    pub is_pending: bool,
}

/// Makes the pool's row and takes its lock; from now on `core.pool()` is its id. Whether it has the lock.
pub async fn register(core: &Core, db: &Db) -> Result<bool> {
    let jobs = core.job_names();
    let jobs: Vec<&str> = jobs.iter().map(|job| &**job).collect();
    let workers = i32::try_from(core.buffer.lock().workers()).unwrap_or(i32::MAX);
    let lock_key = (!db.is_pooled()).then(|| core.sql.lock_key());
    let (config, machine) = (&core.config, &core.machine);
    core.count_statement();
    let rows = db
        .query(
            &core.sql.register,
            &[
                (&config.name, Type::TEXT),
                (&config.kind, Type::TEXT),
                (&machine.host, Type::TEXT),
                (&machine.boot_id, Type::TEXT),
                (&machine.pid, Type::INT4),
                (&machine.pid_started, Type::INT8),
                (&config.version, Type::TEXT),
                (&config.queues, Type::TEXT_ARRAY),
                (&jobs, Type::TEXT_ARRAY),
                (&workers, Type::INT4),
                (&lock_key, Type::INT4),
            ],
            KEEPER_LIMIT,
        )
        .await?;
    let row = rows.first().ok_or_else(|| Error::Unavailable("the server did not register the pool".to_owned()))?;
    core.pool_id.store(row.try_get("id")?, Ordering::SeqCst);
    core.note_renewed();
    Ok(row.try_get("locked")?)
}

/// Takes the pool's lock on a new connection. False: the server has not noticed yet that the old one is dead.
pub async fn lock(core: &Core, db: &Db) -> Result<bool> {
    core.count_statement();
    let (key, pool) = (core.sql.lock_key(), core.pool());
    let rows = db.query(&core.sql.lock, &[(&key, Type::INT4), (&pool, Type::INT4)], KEEPER_LIMIT).await?;
    Ok(match rows.first() {
        Some(row) => row.try_get(0)?,
        None => false,
    })
}

/// Renews the lease and looks round. `leftover_s`: how far back to look for claims of pools that are gone; `look`: for
/// pending work as well.
pub async fn renew(core: &Core, db: &Db, leftover_s: f64, look: bool) -> Result<Renewal> {
    let jobs = core.job_names();
    let jobs: Vec<&str> = jobs.iter().map(|job| &**job).collect();
    let workers = i32::try_from(core.buffer.lock().workers()).unwrap_or(i32::MAX);
    let (pool, key, has_lock) = (core.pool(), core.sql.lock_key(), !db.is_pooled());
    core.count_statement();
    let rows = db
        .query(
            &core.sql.lease,
            &[
                (&pool, Type::INT4),
                (&key, Type::INT4),
                (&core.machine.host, Type::TEXT),
                (&core.machine.boot_id, Type::TEXT),
                (&jobs, Type::TEXT_ARRAY),
                (&workers, Type::INT4),
                (&core.config.queues, Type::TEXT_ARRAY),
                (&has_lock, Type::BOOL),
                (&leftover_s, Type::FLOAT8),
                (&look, Type::BOOL),
            ],
            KEEPER_LIMIT,
        )
        .await?;
    let row = rows.first().ok_or_else(|| Error::Unavailable("the server did not answer the renewal".to_owned()))?;
    let renewal = read(row)?;
    if renewal.is_renewed {
        core.note_renewed();
    }
    Ok(renewal)
}

/// Says goodbye in `pools`.
pub async fn goodbye(core: &Core, db: &Db) -> Result<()> {
    core.count_statement();
    let pool = core.pool();
    db.query(&core.sql.goodbye, &[(&pool, Type::INT4)], KEEPER_LIMIT).await?;
    Ok(())
}

/// The claims of this pool whose cancellation was asked for.
pub async fn cancelling(core: &Core, db: &Db) -> Result<Vec<Key>> {
    core.count_statement();
    let pool = core.pool();
    let rows = db.query(&core.sql.cancelling, &[(&pool, Type::INT4)], KEEPER_LIMIT).await?;
    let keys: std::result::Result<Vec<Key>, _> =
        rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("token")?))).collect();
    keys.map_err(Error::Database)
}

fn read(row: &Row) -> Result<Renewal> {
    let ids: Vec<i32> = row.try_get("ids")?;
    let pids: Vec<i32> = row.try_get("pids")?;
    let starts: Vec<i64> = row.try_get("pids_started")?;
    let here: Vec<bool> = row.try_get("here")?;
    let has_lock: Vec<bool> = row.try_get("has_lock")?;
    let held: Vec<bool> = row.try_get("held")?;
    let ages: Vec<f64> = row.try_get("ages")?;
    let suspected: Vec<Option<f64>> = row.try_get("suspected")?;
    let others = (0..ids.len())
        .filter_map(|index| {
            Some(Other {
                id: *ids.get(index)?,
                pid: *pids.get(index)?,
                pid_started: *starts.get(index)?,
                is_here: *here.get(index)?,
                has_lock: *has_lock.get(index)?,
                is_lock_held: *held.get(index)?,
                age: *ages.get(index)?,
                suspected: *suspected.get(index)?,
            })
        })
        .collect();
    let ids: Vec<Uuid> = row.try_get("cancelling_ids")?;
    let tokens: Vec<i32> = row.try_get("cancelling_tokens")?;
    Ok(Renewal {
        is_renewed: row.try_get("renewed")?,
        others,
        leftover: row.try_get("leftover")?,
        cancelling: ids.into_iter().zip(tokens).collect(),
        due_in: row.try_get("due_in")?,
        is_pending: row.try_get("pending")?,
    })
}
