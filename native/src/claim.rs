//! The claim statement: what it asks for and what it brings.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::buffer::Claimed;
use crate::core::Core;
use crate::cursor::{Ask, Position};
use crate::db::{Db, Micros};
use crate::error::Result;
use crate::link::WORK_LIMIT;

/// Where each of these queues ends.
pub async fn tails(core: &Core, db: &Db, queues: &[usize]) -> Result<HashMap<usize, Position>> {
    let names: Vec<&str> = queues.iter().map(|queue| &*core.queues[*queue]).collect();
    core.count_statement();
    let rows = db.query(&core.sql.tail, &[(&names, Type::TEXT_ARRAY)], WORK_LIMIT).await?;
    let mut tails = HashMap::new();
    for row in rows {
        if let Some(queue) = core.queue_index(row.try_get(0)?) {
            tails.insert(queue, Position { rank: row.try_get(1)?, id: row.try_get(2)? });
        }
    }
    Ok(tails)
}

/// Claims for `pool`: the rows of each ask, in claim order. `is_alone`: those on their last chance as well.
pub async fn claim(
    core: &Core,
    db: &Db,
    asks: &[Ask],
    jobs: &[Arc<str>],
    pool: i32,
    is_alone: bool,
) -> Result<Vec<Vec<Claimed>>> {
    core.count_statement();
    let rows = query(core, db, asks, jobs, pool, is_alone).await?;
    let received = Instant::now();
    let claimed: Result<Vec<Claimed>> = rows.iter().map(|row| read(core, row, jobs, received)).collect();
    Ok(lanes_of(&core.queues, asks, claimed?))
}

async fn query(core: &Core, db: &Db, asks: &[Ask], jobs: &[Arc<str>], pool: i32, is_alone: bool) -> Result<Vec<Row>> {
    let queues: Vec<&str> = asks.iter().map(|ask| &*core.queues[ask.queue]).collect();
    let ranks: Vec<i32> = asks.iter().map(|ask| ask.after.rank).collect();
    let ids: Vec<Uuid> = asks.iter().map(|ask| ask.after.id).collect();
    let limits: Vec<i32> = asks.iter().map(|ask| i32::try_from(ask.limit).unwrap_or(i32::MAX)).collect();
    let jobs: Vec<&str> = jobs.iter().map(|job| &**job).collect();
    db.query(
        &core.sql.claim,
        &[
            (&queues, Type::TEXT_ARRAY),
            (&ranks, Type::INT4_ARRAY),
            (&ids, Type::UUID_ARRAY),
            (&limits, Type::INT4_ARRAY),
            (&jobs, Type::TEXT_ARRAY),
            (&pool, Type::INT4),
            (&is_alone, Type::BOOL),
        ],
        WORK_LIMIT,
    )
    .await
}

fn read(core: &Core, row: &Row, jobs: &[Arc<str>], received: Instant) -> Result<Claimed> {
    let (job, queue): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
    let shared = |names: &[Arc<str>], name: &str| {
        names.iter().find(|known| &***known == name).map_or_else(|| Arc::from(name), Arc::clone)
    };
    Ok(Claimed {
        id: row.try_get(0)?,
        job: shared(jobs, job),
        queue: shared(&core.queues, queue),
        priority: row.try_get(3)?,
        attempt: row.try_get(4)?,
        token: row.try_get(5)?,
        rescues: row.try_get(6)?,
        retries: row.try_get(7)?,
        batch: row.try_get(8)?,
        created_at: row.try_get::<_, Micros>(9)?.0,
        due_at: row.try_get::<_, Option<Micros>>(10)?.map(|moment| moment.0),
        claimed_at: row.try_get::<_, Micros>(11)?.0,
        options: row.try_get(12)?,
        args: row.try_get(13)?,
        received,
        wait_us: 0,
    })
}

pub fn position_of(claimed: &Claimed) -> Position {
    Position { rank: -i32::from(claimed.priority), id: claimed.id }
}

/// The rows of each ask, in claim order: an UPDATE returns them in any.
fn lanes_of(queues: &[Arc<str>], asks: &[Ask], claimed: Vec<Claimed>) -> Vec<Vec<Claimed>> {
    let mut lanes: Vec<Vec<Claimed>> = asks.iter().map(|_| Vec::new()).collect();
    for execution in claimed {
        if let Some(lane) = asks.iter().position(|ask| queues[ask.queue] == execution.queue) {
            lanes[lane].push(execution);
        }
    }
    for lane in &mut lanes {
        lane.sort_unstable_by_key(position_of);
    }
    lanes
}

/// One of each queue in turn, so that a queue's thousand does not stand before another's one.
pub fn interleave(mut lanes: Vec<Vec<Claimed>>) -> Vec<Claimed> {
    if lanes.len() == 1 {
        return lanes.pop().unwrap_or_default();
    }
    let mut lanes: Vec<VecDeque<Claimed>> = lanes.into_iter().map(VecDeque::from).collect();
    let mut out = Vec::with_capacity(lanes.iter().map(VecDeque::len).sum());
    while lanes.iter().any(|lane| !lane.is_empty()) {
        out.extend(lanes.iter_mut().filter_map(VecDeque::pop_front));
    }
    out
}
