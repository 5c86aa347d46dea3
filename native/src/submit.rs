//! Single submits of this process, written as running here: they start as soon as they are on disk, without a claim.
//!
//! On a connection of their own, made at the first of them, so that a thread that submits waits neither for Python's
//! loop nor, while a cell computes, for the GIL: each turn of that loop would cost it 5 ms.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use tokio::sync::OwnedMutexGuard;
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

impl Engine {
    /// Begins to write it, if a worker here is idle and no other submit is under way; None: nothing was done, and it is
    /// to be written some other way. Its answer says when it is on disk: as running here, or, in a queue that is
    /// paused, as pending. After an error it may be there or not.
    pub fn submit(&self, new: New) -> Option<Receiver<Result<()>>> {
        let core = Arc::clone(self.core());
        let way = Arc::clone(&core.submits).try_lock_owned().ok()?;
        let pool = self.reserve(new.id, &new.job, &new.queue)?;
        let (tell, answer) = sync_channel(1);
        self.handle().spawn(async move {
            // Whoever asked may have been interrupted: it starts all the same.
            let _unheard = tell.send(write(&core, way, new, pool).await);
        });
        Some(answer)
    }
}

async fn write(core: &Arc<Core>, mut way: OwnedMutexGuard<Option<Db>>, new: New, pool: i32) -> Result<()> {
    let (id, sent) = (new.id, Instant::now());
    match try_write(core, &mut way, &new, pool).await {
        Ok(Some(created_at)) => {
            core.hand_over(pool, claimed(core, new, created_at, sent));
            core.signal.raise();
            Ok(())
        }
        Ok(None) => {
            core.unreserve(id, false);
            Ok(())
        }
        Err(error) => {
            *way = None;
            core.unreserve(id, true);
            Err(error)
        }
    }
}

/// When it was created, in microseconds since 1970; None where it waits instead.
async fn try_write(core: &Arc<Core>, way: &mut Option<Db>, new: &New, pool: i32) -> Result<Option<i64>> {
    if way.is_none() {
        *way = Some(open(core, Role::Submits).await?);
    }
    let Some(db) = way else {
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

fn claimed(core: &Core, new: New, created_at: i64, sent: Instant) -> Claimed {
    let (job, queue) = core.shared_names(&new.job, &new.queue);
    Claimed {
        id: new.id,
        job,
        queue,
        priority: new.priority,
        attempt: 1,
        token: 1,
        rescues: 0,
        retries: new.retries,
        batch: None,
        created_at,
        due_at: None,
        claimed_at: created_at,
        options: new.options,
        args: new.args,
        received: sent,
        wait_us: 0,
    }
}
