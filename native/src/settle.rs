//! The settle task: writes outcomes in batches, tells stale ones from counted ones, sets unstorable ones apart.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::db::Db;
use crate::error::{Error, Remedy, Result};
use crate::outbox::{Outcome, Status};
use crate::reconnect::connect;
use crate::sql::Statement;
use crate::state::Shared;

const LIMIT: Duration = Duration::from_secs(30);
/// Under load outcomes gather this long, so that one flush serves many.
const GATHER: Duration = Duration::from_millis(2);
const PAUSE: Duration = Duration::from_millis(200);

pub async fn run(shared: Arc<Shared>, first: Db) {
    let mut db = first;
    loop {
        let batch = next(&shared).await;
        let mut counted: HashMap<Uuid, ()> = HashMap::new();
        let mut refused: Vec<(Uuid, String)> = Vec::new();
        let mut parts = vec![batch.clone()];
        let mut repeats = false;
        while let Some(part) = parts.pop() {
            match write(&shared, &db, &part, repeats).await {
                Ok(ids) => counted.extend(ids.into_iter().map(|id| (id, ()))),
                Err(error) => match error.remedy() {
                    Remedy::Bisect if part.len() > 1 => {
                        let (left, right) = part.split_at(part.len() / 2);
                        parts.push(right.to_vec());
                        parts.push(left.to_vec());
                    }
                    Remedy::Bisect => {
                        let (bad, reason) = unstorable(&part[0], &error);
                        refused.push((bad.key.0, reason));
                        parts.push(vec![bad]);
                    }
                    Remedy::Reconnect => {
                        shared.set_trouble("settle", Some(error.to_string()));
                        db = connect(&shared, "settle", true).await;
                        repeats = true;
                        parts.push(part);
                    }
                    Remedy::Again | Remedy::Wait => {
                        sleep(PAUSE).await;
                        parts.push(part);
                    }
                },
            }
        }
        finish(&shared, &batch, &counted, refused);
    }
}

async fn next(shared: &Shared) -> Vec<Outcome> {
    loop {
        let waiting = shared.state.lock().outbox.waiting();
        if waiting == 0 {
            shared.settle_now.notified().await;
            continue;
        }
        if waiting > 1 && waiting < crate::outbox::BATCH {
            sleep(GATHER).await;
        }
        return shared.state.lock().outbox.next_batch().to_vec();
    }
}

/// The ids that counted. After a lost answer the books are asked about those that found nothing to settle.
async fn write(shared: &Shared, db: &Db, batch: &[Outcome], repeats: bool) -> Result<Vec<Uuid>> {
    let mut counted = ids(&query(shared, db, &shared.sql.settle, batch).await?)?;
    if repeats && counted.len() < batch.len() {
        counted.extend(ids(&query(shared, db, &shared.sql.settled, batch).await?)?);
    }
    Ok(counted)
}

async fn query(
    shared: &Shared,
    db: &Db,
    statement: &Statement,
    batch: &[Outcome],
) -> Result<Vec<Row>> {
    let ids: Vec<Uuid> = batch.iter().map(|one| one.key.0).collect();
    let tokens: Vec<i32> = batch.iter().map(|one| one.key.1).collect();
    let statuses: Vec<&str> = batch.iter().map(|one| one.status.as_str()).collect();
    let results: Vec<Option<&[u8]>> = batch.iter().map(|one| one.result.as_deref()).collect();
    let errors: Vec<Option<&str>> = batch.iter().map(|one| one.error.as_deref()).collect();
    let runs: Vec<i64> = batch.iter().map(|one| one.run_us).collect();
    let ended: Vec<i64> = batch
        .iter()
        .map(|one| one.ended.elapsed().as_micros() as i64)
        .collect();
    let delays: Vec<f64> = batch.iter().map(|one| one.delay).collect();
    let logs: Vec<Option<&str>> = batch.iter().map(|one| one.logs.as_deref()).collect();
    let sources: Vec<Option<&str>> = batch.iter().map(|one| one.source.as_deref()).collect();
    let all: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 10] = [
        (&ids, Type::UUID_ARRAY),
        (&tokens, Type::INT4_ARRAY),
        (&statuses, Type::TEXT_ARRAY),
        (&results, Type::BYTEA_ARRAY),
        (&errors, Type::TEXT_ARRAY),
        (&runs, Type::INT8_ARRAY),
        (&ended, Type::INT8_ARRAY),
        (&delays, Type::FLOAT8_ARRAY),
        (&logs, Type::TEXT_ARRAY),
        (&sources, Type::TEXT_ARRAY),
    ];
    shared.state.lock().counters.statements += 1;
    let used = if statement.name == "settled" {
        &all[..3]
    } else {
        &all[..]
    };
    db.query(statement, used, LIMIT).await
}

fn ids(rows: &[Row]) -> Result<Vec<Uuid>> {
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

fn unstorable(outcome: &Outcome, error: &Error) -> (Outcome, String) {
    let reason = format!("the database would not store this outcome: {error}");
    let info = serde_json::json!({"type": "NotStorable", "message": reason}).to_string();
    let bad = Outcome {
        status: Status::Failed,
        result: None,
        error: Some(info),
        logs: None,
        source: None,
        ..outcome.clone()
    };
    (bad, reason)
}

fn finish(
    shared: &Shared,
    batch: &[Outcome],
    counted: &HashMap<Uuid, ()>,
    refused: Vec<(Uuid, String)>,
) {
    let mut state = shared.state.lock();
    let is_delayed = batch.iter().any(|one| one.status == Status::Retry);
    for outcome in batch {
        let is_counted = counted.contains_key(&outcome.key.0);
        if is_counted {
            state.counters.settled += 1;
            Shared::count_outcome(&mut state, outcome.queue.as_ref(), outcome.status);
        } else {
            state.counters.stale += 1;
        }
        if let Some(ticket) = outcome.ticket {
            state.news.committed = state.news.committed.max(ticket);
            if !is_counted {
                state.news.stale.push(ticket);
            }
            if let Some((_, reason)) = refused.iter().find(|(id, _)| *id == outcome.key.0) {
                state.news.refused.push((ticket, reason.clone()));
            }
        }
    }
    state.outbox.done();
    drop(state);
    shared.signal.raise();
    shared.progress.notify_waiters();
    shared.tell_now.notify_one();
    if is_delayed {
        shared.house_now.notify_one(); // it may be the next that is due
        shared.wake("capacity");
    }
}
