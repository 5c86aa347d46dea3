//! The claim task: asks for executions while workers have room, and puts them into the buffer.
//!
//! Wake protocol on the wake channel: `+QUEUE` something is pending there; `@` something is scheduled;
//! `!cancel POOL` that pool has claims to cancel; `!pools` pools have changed.

use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use tokio::time::{Instant, sleep_until, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::buffer::Claimed;
use crate::cursor::{Ask, Got, Position};
use crate::db::{Db, Micros};
use crate::error::Result;
use crate::reconnect::connect;
use crate::state::Shared;

const LIMIT: Duration = Duration::from_secs(30);
/// The net under LISTEN: with the lease's statement it keeps an idle pool below 0.5 transactions/s.
const POLL: Duration = Duration::from_secs(5);
const POLL_UNHEARD: Duration = Duration::from_millis(500);

pub async fn run(shared: Arc<Shared>, first: Db) {
    let mut db = first;
    loop {
        if let Err(error) = serve(&shared, &db).await {
            shared.set_trouble("claim", Some(error.to_string()));
            db = connect(&shared, "claim", true).await;
            shared.wake("start");
        }
    }
}

async fn serve(shared: &Shared, db: &Db) -> Result<()> {
    loop {
        let (asks, reason, due) = {
            let mut state = shared.state.lock();
            let want = if state.is_claiming && state.buffer.is_hungry() {
                state.buffer.want()
            } else {
                0
            };
            let asks = if want > 0 {
                state.cursors.plan(want, Instant::now())
            } else {
                Vec::new()
            };
            (
                asks,
                std::mem::replace(&mut state.wake_reason, "capacity"),
                state.cursors.next_due(),
            )
        };
        if asks.is_empty() {
            // The reason belongs to the claim that follows, not to this look.
            shared.state.lock().wake_reason = reason;
            wait(shared, db, due).await?;
            continue;
        }
        claim(shared, db, &asks, reason).await?;
    }
}

async fn wait(shared: &Shared, db: &Db, due: Option<Instant>) -> Result<()> {
    let poll = if shared.state.lock().is_listening {
        POLL
    } else {
        POLL_UNHEARD
    };
    let hungry = shared.state.lock().buffer.is_hungry();
    let rescan = async {
        match due {
            Some(due) if hungry => sleep_until(due).await,
            _ => std::future::pending().await,
        }
    };
    let look = async {
        tokio::select! {
            () = shared.claim_now.notified() => Ok(()),
            () = rescan => Ok(()),
            reason = db.closed() => Err(crate::error::Error::Unavailable(reason)),
        }
    };
    match timeout(poll, look).await {
        Ok(looked) => looked,
        Err(_) => {
            shared.wake("poll");
            Ok(())
        }
    }
}

async fn claim(shared: &Shared, db: &Db, asks: &[Ask], reason: &'static str) -> Result<()> {
    let queues: Vec<&str> = asks.iter().map(|ask| &*shared.queues[ask.queue]).collect();
    let ranks: Vec<i32> = asks.iter().map(|ask| ask.after.rank).collect();
    let after: Vec<uuid::Uuid> = asks.iter().map(|ask| ask.after.id).collect();
    let limits: Vec<i32> = asks.iter().map(|ask| ask.limit as i32).collect();
    let (jobs, pool) = {
        let state = shared.state.lock();
        (state.jobs.clone(), state.pool)
    };
    let begun = Clock::now();
    let rows = db
        .query(
            &shared.sql.claim,
            &[
                (&queues, Type::TEXT_ARRAY),
                (&ranks, Type::INT4_ARRAY),
                (&after, Type::UUID_ARRAY),
                (&limits, Type::INT4_ARRAY),
                (&jobs, Type::TEXT_ARRAY),
                (&pool, Type::INT4),
            ],
            LIMIT,
        )
        .await?;
    let cost = begun.elapsed();
    let mut claimed = rows
        .iter()
        .map(|row| read(shared, row))
        .collect::<Result<Vec<Claimed>>>()?;
    claimed.sort_by_key(|one| (-i32::from(one.priority), one.id));
    let mut state = shared.state.lock();
    for ask in asks {
        let own = claimed
            .iter()
            .filter(|one| *one.queue == *shared.queues[ask.queue]);
        let last = own
            .clone()
            .map(|one| Position {
                rank: -i32::from(one.priority),
                id: one.id,
            })
            .max();
        state.cursors.record(
            ask,
            Got {
                count: own.count(),
                last,
            },
            cost,
            Instant::now(),
        );
    }
    let counters = &mut state.counters;
    counters.claims += 1;
    counters.statements += 1;
    counters.claimed += claimed.len() as u64;
    counters.empty_claims += u64::from(claimed.is_empty());
    *counters.wakes.entry(reason).or_default() += 1;
    counters.claim.record(cost.as_micros() as u64);
    counters.sizes.record(claimed.len());
    let brought = !claimed.is_empty();
    state.buffer.push(claimed);
    let released = if state.is_claiming {
        false
    } else {
        state.buffer.buffered() > 0
    };
    drop(state);
    if released {
        shared.house_now.notify_one();
    }
    if brought {
        shared.signal.raise();
    }
    Ok(())
}

fn read(shared: &Shared, row: &Row) -> Result<Claimed> {
    let queue: &str = row.try_get("queue")?;
    let queue = match shared.queues.iter().find(|own| ***own == *queue) {
        Some(own) => Arc::clone(own),
        None => Arc::from(queue),
    };
    Ok(Claimed {
        id: row.try_get("id")?,
        job: Arc::from(row.try_get::<_, &str>("job")?),
        queue,
        priority: row.try_get("priority")?,
        attempt: row.try_get("attempt")?,
        token: row.try_get("token")?,
        rescues: row.try_get("rescues")?,
        retries: row.try_get("retries")?,
        batch: row.try_get("batch")?,
        created_at: row.try_get::<_, Micros>("created_at")?.0,
        due_at: row.try_get::<_, Option<Micros>>("due_at")?.map(|at| at.0),
        claimed_at: row.try_get::<_, Micros>("claimed_at")?.0,
        options: row.try_get("options")?,
        args: row.try_get("args")?,
        received: Clock::now(),
        wait_us: 0,
    })
}
