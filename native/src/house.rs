//! The housekeeping task: LISTEN, the pool's lock and lease, promotion, rescue, release, and what watchers are told.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::buffer::Key;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::outbox::{Outcome, Status};
use crate::process::{Identity, is_gone};
use crate::reconnect::connect;
use crate::state::Shared;

const LIMIT: Duration = Duration::from_secs(10);
const LEASE_EVERY: Duration = Duration::from_secs(5);
/// A free lock is looked at a second time after this long: a healthy pool has it back by then.
const SUSPICION: Duration = Duration::from_secs(3);
const FROZEN_S: f64 = 60.0;
const UNLOCKED_S: f64 = 20.0;
const TIDY_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Watchers hear of a pool at most ten times a second.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
/// Claims a dead process left behind are looked for this far back.
const LEFTOVER_S: f64 = 3600.0;

struct Due {
    lease: Instant,
    promote: Option<Instant>,
    publish: Instant,
    tidy: Instant,
}

pub async fn run(shared: Arc<Shared>, identity: Identity, first: Db) {
    let mut db = first;
    let mut is_new = false;
    loop {
        let served = async {
            if is_new {
                retake(&shared, &db, &identity).await?;
            }
            serve(&shared, &db, &identity).await
        };
        if let Err(error) = served.await {
            shared.state.lock().is_listening = false;
            shared.set_trouble("house", Some(error.to_string()));
            db = connect(&shared, "house", false).await;
            is_new = true;
        }
    }
}

/// LISTEN first, then register with the lock: claims come after both.
pub async fn begin(shared: &Shared, db: &Db, identity: &Identity) -> Result<()> {
    listen(shared, db).await?;
    register(shared, db, identity).await?;
    lease(shared, db, identity).await?;
    Ok(())
}

async fn listen(shared: &Shared, db: &Db) -> Result<()> {
    db.batch(&format!("LISTEN {}", shared.sql.wake_channel()), LIMIT).await?;
    shared.state.lock().is_listening = true;
    Ok(())
}

async fn register(shared: &Shared, db: &Db, identity: &Identity) -> Result<()> {
    let settings = &shared.settings;
    let (jobs, workers) = jobs_and_workers(shared);
    let rows = db
        .query(
            &shared.sql.register,
            &[
                (&settings.name, Type::TEXT),
                (&settings.kind, Type::TEXT),
                (&identity.host, Type::TEXT),
                (&identity.boot_id, Type::TEXT),
                (&identity.pid, Type::INT4),
                (&identity.started, Type::INT8),
                (&settings.version, Type::TEXT),
                (&settings.queues, Type::TEXT_ARRAY),
                (&jobs, Type::TEXT_ARRAY),
                (&workers, Type::INT4),
                (&Some(shared.sql.lock_key()), Type::INT4),
            ],
            LIMIT,
        )
        .await?;
    let Some(row) = rows.first() else {
        return Err(Error::Unavailable("the pool could not be registered".to_owned()));
    };
    shared.state.lock().pool = row.try_get("id")?;
    Ok(())
}

async fn retake(shared: &Shared, db: &Db, identity: &Identity) -> Result<()> {
    listen(shared, db).await?;
    let pool = shared.state.lock().pool;
    db.query(&shared.sql.lock, &[(&shared.sql.lock_key(), Type::INT4), (&pool, Type::INT4)], LIMIT).await?;
    lease(shared, db, identity).await?;
    shared.wake("start");
    Ok(())
}

async fn serve(shared: &Shared, db: &Db, identity: &Identity) -> Result<()> {
    let now = Instant::now();
    let mut due = Due { lease: now + LEASE_EVERY, promote: Some(now), publish: now, tidy: now + TIDY_EVERY };
    loop {
        let told = !shared.state.lock().outcomes.is_empty();
        let mut next = due.lease.min(due.tidy);
        next = due.promote.map_or(next, |at| next.min(at));
        next = if told { next.min(due.publish) } else { next };
        let woken = tokio::select! {
            () = shared.house_now.notified() => true,
            () = shared.tell_now.notified() => false,
            () = sleep_until(next) => false,
            reason = db.closed() => return Err(Error::Unavailable(reason)),
        };
        release(shared, db).await?;
        let now = Instant::now();
        if now >= due.publish {
            due.publish = publish(shared, db).await?.unwrap_or(due.publish);
        }
        if woken || due.promote.is_some_and(|at| now >= at) {
            due.promote = promote(shared, db).await?.map(|wait| Instant::now() + wait);
        }
        if woken {
            cancelling(shared, db).await?;
        }
        if now >= due.lease {
            due.lease = Instant::now() + lease(shared, db, identity).await?;
        }
        if now >= due.tidy {
            db.query(&shared.sql.tidy, &[], LIMIT).await?;
            due.tidy = now + TIDY_EVERY;
        }
    }
}

/// Renews the lease and rescues the executions of dead pools; returns when to come again.
async fn lease(shared: &Shared, db: &Db, identity: &Identity) -> Result<Duration> {
    let (jobs, workers) = jobs_and_workers(shared);
    let pool = shared.state.lock().pool;
    let rows = db
        .query(
            &shared.sql.lease,
            &[
                (&pool, Type::INT4),
                (&shared.sql.lock_key(), Type::INT4),
                (&identity.host, Type::TEXT),
                (&identity.boot_id, Type::TEXT),
                (&jobs, Type::TEXT_ARRAY),
                (&workers, Type::INT4),
                (&shared.settings.queues, Type::TEXT_ARRAY),
                (&true, Type::BOOL),
                (&LEFTOVER_S, Type::FLOAT8),
                (&false, Type::BOOL),
            ],
            LIMIT,
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(LEASE_EVERY);
    };
    count(shared);
    if !row.try_get::<_, bool>("renewed")? {
        reborn(shared);
        register(shared, db, identity).await?;
        shared.wake("start");
        return Ok(LEASE_EVERY);
    }
    shared.state.lock().lease_at = Instant::now();
    let cancelling_ids: Vec<Uuid> = row.try_get("cancelling_ids")?;
    let cancelling_tokens: Vec<i32> = row.try_get("cancelling_tokens")?;
    cancel(shared, cancelling_ids.into_iter().zip(cancelling_tokens).collect());
    let (dead, suspects) = judge(row)?;
    let leftover: Vec<i32> = row.try_get("leftover")?;
    if !dead.is_empty() || !leftover.is_empty() {
        rescue(shared, db, &dead, &leftover).await?;
    }
    Ok(if suspects { SUSPICION } else { LEASE_EVERY })
}

/// The pools that are dead, and whether others have to be looked at again soon.
fn judge(row: &tokio_postgres::Row) -> Result<(Vec<i32>, bool)> {
    let ids: Vec<i32> = row.try_get("ids")?;
    let pids: Vec<i32> = row.try_get("pids")?;
    let started: Vec<i64> = row.try_get("pids_started")?;
    let here: Vec<bool> = row.try_get("here")?;
    let has_lock: Vec<bool> = row.try_get("has_lock")?;
    let held: Vec<bool> = row.try_get("held")?;
    let ages: Vec<f64> = row.try_get("ages")?;
    let suspected: Vec<Option<f64>> = row.try_get("suspected")?;
    let mut dead = Vec::new();
    let mut has_suspects = false;
    for (index, id) in ids.iter().enumerate() {
        let is_free = has_lock[index] && !held[index];
        let is_dead = (here[index] && is_gone(pids[index], started[index]))
            || (is_free && suspected[index].is_some_and(|age| age >= SUSPICION.as_secs_f64()))
            || ages[index] > FROZEN_S
            || (!has_lock[index] && ages[index] > UNLOCKED_S);
        match is_dead {
            true => dead.push(*id),
            false => has_suspects |= is_free,
        }
    }
    Ok((dead, has_suspects))
}

async fn rescue(shared: &Shared, db: &Db, dead: &[i32], leftover: &[i32]) -> Result<()> {
    let rows = db
        .query(&shared.sql.rescue, &[(&dead, Type::INT4_ARRAY), (&leftover, Type::INT4_ARRAY)], LIMIT)
        .await?;
    count(shared);
    let rescued: i64 = rows.first().map_or(Ok(0), |row| row.try_get("rescued"))?;
    shared.state.lock().counters.rescued += rescued as u64;
    if rescued > 0 {
        shared.wake("start");
    }
    Ok(())
}

/// This pool was declared dead: what it held is another's now.
fn reborn(shared: &Shared) {
    let mut state = shared.state.lock();
    state.buffer.drain();
    let lost = state.buffer.drain_taken();
    state.news.lost.extend(lost);
    drop(state);
    shared.signal.raise();
}

async fn cancelling(shared: &Shared, db: &Db) -> Result<()> {
    let pool = {
        let state = shared.state.lock();
        if state.buffer.running() + state.buffer.buffered() == 0 {
            return Ok(());
        }
        state.pool
    };
    let rows = db.query(&shared.sql.cancelling, &[(&pool, Type::INT4)], LIMIT).await?;
    count(shared);
    let keys = rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("token")?))).collect::<Result<Vec<Key>>>()?;
    cancel(shared, keys);
    Ok(())
}

/// What no worker has begun ends cancelled here; the rest is for Python.
fn cancel(shared: &Shared, keys: Vec<Key>) {
    if keys.is_empty() {
        return;
    }
    let mut state = shared.state.lock();
    for execution in state.buffer.pull(&keys) {
        state.outbox.push_own(Outcome {
            ticket: None,
            key: execution.key(),
            queue: Some(Arc::clone(&execution.queue)),
            status: Status::Cancelled,
            result: None,
            error: None,
            run_us: 0,
            delay: 0.0,
            logs: None,
            source: None,
            ended: std::time::Instant::now(),
        });
    }
    let told = state.buffer.tell_cancel(&keys);
    state.news.cancel.extend(told);
    drop(state);
    shared.settle_now.notify_one();
    shared.signal.raise();
}

/// Gives back what has not been taken, once the pool claims no more.
async fn release(shared: &Shared, db: &Db) -> Result<()> {
    let keys: Vec<Key> = {
        let mut state = shared.state.lock();
        if state.is_claiming {
            return Ok(());
        }
        state.buffer.drain().iter().map(|one| one.key()).collect()
    };
    if !keys.is_empty() {
        give_back(shared, db, &keys).await?;
    }
    shared.progress.notify_waiters();
    Ok(())
}

pub async fn give_back(shared: &Shared, db: &Db, keys: &[Key]) -> Result<()> {
    let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
    let tokens: Vec<i32> = keys.iter().map(|key| key.1).collect();
    let rows = db
        .query(&shared.sql.release, &[(&ids, Type::UUID_ARRAY), (&tokens, Type::INT4_ARRAY)], LIMIT)
        .await?;
    count(shared);
    shared.state.lock().counters.released += rows.len() as u64;
    Ok(())
}

async fn promote(shared: &Shared, db: &Db) -> Result<Option<Duration>> {
    let rows = db.query(&shared.sql.promote, &[], LIMIT).await?;
    count(shared);
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let moved: i64 = row.try_get("moved")?;
    if moved > 0 {
        shared.wake("notify");
    }
    if moved == 1000 {
        return Ok(Some(Duration::ZERO));
    }
    let wait: Option<f64> = row.try_get("due_in")?;
    // A millisecond late rather than early: an early look would find nothing and have to come again.
    Ok(wait.map(|seconds| Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0) + 0.001)))
}

async fn publish(shared: &Shared, db: &Db) -> Result<Option<Instant>> {
    let event = {
        let mut state = shared.state.lock();
        if state.outcomes.is_empty() {
            return Ok(None);
        }
        let outcomes = std::mem::take(&mut state.outcomes);
        let queues: serde_json::Map<String, serde_json::Value> = outcomes
            .into_iter()
            .map(|(queue, counts)| (queue.to_string(), serde_json::json!({ "outcomes": counts })))
            .collect();
        serde_json::json!({
            "v": 1, "pool": state.pool, "name": shared.settings.name, "queues": queues,
            "workers": state.buffer.workers(), "running": state.buffer.running(),
            "buffered": state.buffer.buffered(), "unsettled": state.outbox.unsettled(),
        })
        .to_string()
    };
    if event.len() < 8000 {
        db.query(&shared.sql.publish, &[(&event, Type::TEXT)], LIMIT).await?;
        count(shared);
    }
    Ok(Some(Instant::now() + PUBLISH_EVERY))
}

fn count(shared: &Shared) {
    shared.state.lock().counters.statements += 1;
}

fn jobs_and_workers(shared: &Shared) -> (Vec<String>, i32) {
    let state = shared.state.lock();
    (state.jobs.clone(), state.buffer.workers() as i32)
}
