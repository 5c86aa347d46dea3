//! What a pool says on the events channel: JSON that `currant_lab/events.py` reads.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::outbox::Status;
use crate::telemetry::{Batch, Claims, Recent, Runs};
use crate::wake::by_name;

/// NOTIFY refuses payloads of 8,000 bytes and more.
const MOST_BYTES: usize = 7_999;
/// At most ten events a second ...
pub const EVERY: Duration = Duration::from_millis(100);
/// ... and the first one after quiet at once, but not before the settle that comes right behind it.
pub const FIRST_AFTER: Duration = Duration::from_millis(2);

/// What every event says of its pool.
#[derive(Debug, Clone)]
pub struct Head {
    pub pool: i32,
    pub name: String,
    /// Seconds since 1970.
    pub sent_at: f64,
    pub running: usize,
    pub buffered: usize,
    pub workers: usize,
    pub unsettled: usize,
    pub prefetch: usize,
    pub statements: u64,
}

/// One thing that an event tells. Events add up, so these may be spread over several.
#[derive(Debug, Clone)]
enum Piece {
    Claims(Value),
    Queue(String, Map<String, Value>),
    Job(String, Map<String, Value>),
    Batch(Value),
}

/// The events for what has happened: one if it fits into a NOTIFY, else several.
pub fn events(head: &Head, recent: &Recent) -> Vec<String> {
    let now = Instant::now();
    let mut pieces = Vec::new();
    if recent.claims.claims > 0 {
        pieces.push(Piece::Claims(Value::Object(of_claims(&recent.claims))));
    }
    for (queue, (claims, runs)) in &recent.queues {
        let all = of_claims(claims).into_iter().chain(of_runs(runs)).collect();
        pieces.push(Piece::Queue(queue.to_string(), all));
    }
    pieces.extend(recent.jobs.iter().map(|(job, runs)| Piece::Job(job.to_string(), of_runs(runs))));
    pieces.extend(recent.batches.iter().map(|batch| Piece::Batch(of_batch(batch, now))));
    split(head, &pieces)
}

fn of_claims(claims: &Claims) -> Map<String, Value> {
    let wakes: BTreeMap<&str, u64> = by_name(&claims.wakes).into_iter().filter(|(_, count)| *count > 0).collect();
    object(json!({
        "claims": claims.claims, "claimed": claims.claimed, "empty": claims.empty,
        "sizes": claims.sizes.counts(), "claim_us": claims.claim_us.counts(), "wakes": wakes,
    }))
}

fn of_runs(runs: &Runs) -> Map<String, Value> {
    let outcomes: BTreeMap<&str, u64> =
        runs.outcomes.iter().map(|(status, count): (&Status, &u64)| (status.as_str(), *count)).collect();
    object(json!({"outcomes": outcomes, "wait_us": runs.wait_us.counts(), "run_us": runs.run_us.counts()}))
}

fn of_batch(batch: &Batch, now: Instant) -> Value {
    json!({
        "queue": &*batch.queue, "size": batch.rows, "us": batch.took.as_micros() as u64,
        "reason": batch.reason.as_str(), "ago_us": now.saturating_duration_since(batch.ended).as_micros() as u64,
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn split(head: &Head, pieces: &[Piece]) -> Vec<String> {
    let text = event(head, pieces);
    if text.len() <= MOST_BYTES {
        return vec![text];
    }
    match pieces {
        [Piece::Queue(name, counts)] => halves(head, counts, |part| Piece::Queue(name.clone(), part)),
        [Piece::Job(name, counts)] => halves(head, counts, |part| Piece::Job(name.clone(), part)),
        // Nothing that is said in one piece is so large, but for names that no NOTIFY holds.
        [] | [_] => Vec::new(),
        _ => {
            let (front, back) = pieces.split_at(pieces.len() / 2);
            [split(head, front), split(head, back)].concat()
        }
    }
}

/// One queue or job too large for one event: its histograms go apart.
fn halves(head: &Head, counts: &Map<String, Value>, piece: impl Fn(Map<String, Value>) -> Piece) -> Vec<String> {
    let (histograms, plain): (Map<_, _>, Map<_, _>) =
        counts.clone().into_iter().partition(|(name, _)| name.ends_with("_us"));
    let mut parts = vec![plain];
    parts.extend(histograms.into_iter().map(|(name, values)| Map::from_iter([(name, values)])));
    parts.into_iter().map(|part| event(head, &[piece(part)])).filter(|text| text.len() <= MOST_BYTES).collect()
}

fn event(head: &Head, pieces: &[Piece]) -> String {
    let (mut queues, mut jobs, mut batches, mut claims) = (Map::new(), Map::new(), Vec::new(), None);
    for piece in pieces {
        match piece {
            Piece::Claims(value) => claims = Some(value.clone()),
            Piece::Queue(name, counts) => drop(queues.insert(name.clone(), Value::Object(counts.clone()))),
            Piece::Job(name, counts) => drop(jobs.insert(name.clone(), Value::Object(counts.clone()))),
            Piece::Batch(value) => batches.push(value.clone()),
        }
    }
    let mut said = object(json!({
        "v": 1, "pool": head.pool, "name": head.name, "sent_at": head.sent_at, "running": head.running,
        "buffered": head.buffered, "workers": head.workers, "unsettled": head.unsettled, "prefetch": head.prefetch,
        "statements": head.statements, "queues": queues, "jobs": jobs, "batches": batches,
    }));
    said.extend(claims.map(|value| ("claims".to_owned(), value)));
    Value::Object(said).to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::telemetry::BATCHES;
    use crate::wake::Reason;

    fn head() -> Head {
        Head {
            pool: 3,
            name: "a".repeat(200),
            sent_at: 1.5,
            running: 1,
            buffered: 2,
            workers: 3,
            unsettled: 4,
            prefetch: 6,
            statements: 5,
        }
    }

    fn wide() -> (Claims, Runs) {
        let (mut claims, mut runs) = (Claims { claimed: 7, ..Claims::default() }, Runs::default());
        for exponent in 0..400u32 {
            let value = 1.05f64.powi(exponent as i32) as u64;
            for histogram in [&mut claims.claim_us, &mut runs.wait_us, &mut runs.run_us] {
                histogram.record(value);
            }
        }
        (claims, runs)
    }

    #[test]
    fn too_much_for_one_event_is_split_and_adds_up() {
        let batch = Batch {
            queue: Arc::from("q".repeat(300)),
            rows: 1,
            took: Duration::ZERO,
            reason: Reason::Poll,
            ended: Instant::now(),
        };
        let recent = Recent {
            claims: Claims { claims: 9, ..Claims::default() },
            queues: (0..20).map(|n| (Arc::from(format!("queue {n}")), wide())).collect(),
            jobs: (0..30).map(|n| (Arc::from(format!("job {n}")), wide().1)).collect(),
            batches: std::iter::repeat_n(batch, BATCHES).collect(),
        };
        let (mut claims, mut claimed, mut waits, mut runs, mut batches) = (0, 0, 0, 0, 0);
        let sum = |counts: &Value, name: &str| {
            let pairs = counts[name].as_array().cloned().unwrap_or_default();
            pairs.iter().filter_map(|pair| pair[1].as_u64()).sum::<u64>()
        };
        for text in &events(&head(), &recent) {
            assert!(text.len() < 8_000);
            let event: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!((&event["v"], &event["prefetch"]), (&json!(1), &json!(6)));
            claims += event["claims"]["claims"].as_u64().unwrap_or(0);
            batches += event["batches"].as_array().expect("batches").len();
            for counts in event["queues"].as_object().expect("queues").values() {
                claimed += counts["claimed"].as_u64().unwrap_or(0);
                waits += sum(counts, "wait_us");
            }
            for counts in event["jobs"].as_object().expect("jobs").values() {
                runs += sum(counts, "run_us");
            }
        }
        assert_eq!((claims, claimed, waits, runs, batches), (9, 20 * 7, 20 * 400, 30 * 400, BATCHES));
    }

    #[test]
    fn a_name_that_no_notification_holds_keeps_nothing_else_back() {
        let mut recent =
            Recent { queues: BTreeMap::from([(Arc::from("q".repeat(9_000)), wide())]), ..Recent::default() };
        recent.jobs.insert(Arc::from("send"), wide().1);
        let said = events(&head(), &recent);
        assert!(!said.is_empty() && said.iter().all(|text| text.contains("send") && text.len() < 8_000));
    }
}
