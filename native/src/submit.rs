//! Single submits of this process, written as running here: they start as soon as they are on disk, without a claim.
//!
//! On a connection of their own, made at the first of them, so that a thread that submits waits neither for Python's
//! loop nor, while a cell computes, for the GIL: each turn of that loop would cost it 5 ms.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::buffer::Claimed;
use crate::core::{Core, Role};
use crate::db::Db;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::link::{WORK_LIMIT, open};

/// An execution that is due at once.
#[derive(Debug)]
pub struct New {
    pub id: Uuid,
    pub job: String,
    pub queue: String,
    pub priority: i16,
    pub retries: Option<i16>,
    pub options: Option<String>,
    pub args: Vec<u8>,
}

impl New {
    /// As claimed by the very statement that wrote it, sent at `sent`.
    pub(crate) fn claimed(self, core: &Core, created_at: i64, sent: Instant) -> Claimed {
        let (job, queue) = core.shared_names(&self.job, &self.queue);
        Claimed {
            id: self.id,
            job,
            queue,
            priority: self.priority,
            attempt: 1,
            token: 1,
            rescues: 0,
            retries: self.retries,
            batch: None,
            created_at,
            due_at: None,
            claimed_at: created_at,
            options: self.options,
            args: self.args,
            received: sent,
            wait_us: 0,
        }
    }
}

/// Where submits are driven: in the thread that waits for them, for to wake another and be woken by it takes longer than
/// the statement.
pub struct Way {
    runtime: Runtime,
    db: Option<Db>,
}

/// The engine's way, made at first use and locked while a submit is under way.
pub type Ways = Arc<Mutex<Option<Way>>>;

/// How it went, and the connection if it is still good.
type Written = (Result<()>, Option<Db>);

/// A submit that has been begun. It goes on only while somebody waits for it.
pub struct Submitting {
    way: OwnedMutexGuard<Option<Way>>,
    work: Pin<Box<dyn Future<Output = Written> + Send>>,
}

impl Engine {
    /// Begins to write it, if a worker here is idle and no other submit is under way; None: nothing was done, and it is
    /// to be written some other way. The answer says when it is on disk: as running here, or, in a queue that is
    /// paused, as pending. After an error it may be there or not.
    pub fn submit(&self, new: New) -> Result<Option<Submitting>> {
        let Ok(mut way) = Arc::clone(self.submits()).try_lock_owned() else {
            return Ok(None);
        };
        if way.is_none() {
            *way = Some(Way { runtime: runtime_of_caller()?, db: None });
        }
        let Some(pool) = self.reserve(new.id, &new.job, &new.queue) else {
            return Ok(None);
        };
        let (core, mut db) = (Arc::clone(self.core()), way.as_mut().and_then(|way| way.db.take()));
        let work = Box::pin(async move { (write(&core, &mut db, new, pool).await, db) });
        Ok(Some(Submitting { way, work }))
    }
}

impl Submitting {
    /// Drives it, `limit` long at most; None: it is not done yet.
    pub fn wait(&mut self, limit: Duration) -> Option<Result<()>> {
        let (way, work) = (self.way.as_mut()?, self.work.as_mut());
        let (written, db) = way.runtime.block_on(async { timeout(limit, work).await }).ok()?;
        way.db = db;
        Some(written)
    }

    /// Drives it to its end in a thread of its own: whoever waited does so no longer.
    pub fn go_on(mut self) {
        thread::spawn(move || self.wait(WORK_LIMIT * 2));
    }
}

fn runtime_of_caller() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::System { what: "no runtime for submits", error })
}

async fn write(core: &Arc<Core>, db: &mut Option<Db>, new: New, pool: i32) -> Result<()> {
    let (id, sent) = (new.id, Instant::now());
    match try_write(core, db, &new, pool).await {
        Ok(Some(created_at)) => {
            core.hand_over(pool, new.claimed(core, created_at, sent));
            core.signal.raise();
            Ok(())
        }
        Ok(None) => {
            core.unreserve(id, false);
            Ok(())
        }
        Err(error) => {
            *db = None;
            core.unreserve(id, true);
            Err(error)
        }
    }
}

/// When it was created, in microseconds since 1970; None where it waits instead.
async fn try_write(core: &Arc<Core>, db: &mut Option<Db>, new: &New, pool: i32) -> Result<Option<i64>> {
    if db.is_none() {
        *db = Some(open(core, Role::Submits).await?);
    }
    let Some(db) = db else {
        return Err(Error::Unavailable("there is no connection".to_owned()));
    };
    core.count_statement();
    let rows = db
        .query(
            &core.sql.submit_here,
            &[
                (&new.id, Type::UUID),
                (&new.job, Type::TEXT),
                (&new.queue, Type::TEXT),
                (&new.priority, Type::INT2),
                (&new.retries, Type::INT2),
                (&new.options, Type::TEXT),
                (&new.args, Type::BYTEA),
                (&pool, Type::INT4),
            ],
            WORK_LIMIT,
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(match row.try_get::<_, bool>("is_here")? {
        true => Some(row.try_get("created_at")?),
        false => None,
    })
}
