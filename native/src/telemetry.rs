//! What the pool has done, counted twice: since connect for `stats`, and since the last event for the watchers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::latency::{Histogram, Sizes};
use crate::outbox::Status;
use crate::wake::{Reason, by_name};

/// NOTIFY refuses payloads of 8,000 bytes and more.
const MOST_BYTES: usize = 7_999;
/// At most ten events a second ...
pub const EVERY: Duration = Duration::from_millis(100);
/// ... and the first one after quiet at once, but not before the settle that comes right behind it.
pub const FIRST_AFTER: Duration = Duration::from_millis(2);

/// Counts of one queue, or of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    pub claims: u64,
    pub claimed: u64,
    pub empty: u64,
    pub sizes: Sizes,
    pub claim_us: Histogram,
    pub wakes: BTreeMap<Reason, u64>,
    pub outcomes: BTreeMap<Status, u64>,
    pub wait_us: Histogram,
    pub run_us: Histogram,
}

impl Counts {
    fn claim(&mut self, reason: Reason, rows: usize, microseconds: u64) {
        self.claims += 1;
        self.claimed += rows as u64;
        self.empty += u64::from(rows == 0);
        self.sizes.record(rows);
        self.claim_us.record(microseconds);
        *self.wakes.entry(reason).or_default() += 1;
    }

    fn to_json(&self) -> Value {
        let wakes: Map<String, Value> = by_name(&self.wakes)
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name.to_owned(), json!(count)))
            .collect();
        let outcomes: Map<String, Value> =
            self.outcomes.iter().map(|(status, count)| (status.as_str().to_owned(), json!(count))).collect();
        json!({
            "claims": self.claims, "claimed": self.claimed, "empty": self.empty,
            "sizes": self.sizes.counts(), "claim_us": self.claim_us.counts(),
            "wakes": wakes, "outcomes": outcomes,
            "wait_us": self.wait_us.counts(), "run_us": self.run_us.counts(),
        })
    }
}

/// Counters that only grow.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    pub counts: Counts,
    pub statements: u64,
    pub settled: u64,
    pub stale: u64,
    pub released: u64,
    pub rescued: u64,
    pub reconnects: u64,
}

/// The tally of one pool.
#[derive(Debug, Default)]
pub struct Tally {
    pub totals: Totals,
    recent: BTreeMap<Arc<str>, Counts>,
    /// Something worth an event has happened since the last one.
    is_dirty: bool,
}

impl Tally {
    /// One claim statement over some queues: (queue, rows) of each.
    pub fn claim(&mut self, reason: Reason, queues: &[(Arc<str>, usize)], took: Duration) {
        let microseconds = took.as_micros() as u64;
        let rows: usize = queues.iter().map(|(_, rows)| rows).sum();
        self.totals.counts.claim(reason, rows, microseconds);
        for (queue, rows) in queues {
            self.recent(queue).claim(reason, *rows, microseconds);
        }
        // A claim that found nothing is counted but told only along with something that happened.
        self.is_dirty |= rows > 0;
    }

    pub fn waits<'a>(&mut self, waits: impl Iterator<Item = (&'a Arc<str>, i64)>) {
        for (queue, wait) in waits {
            let wait = wait.max(0) as u64;
            self.totals.counts.wait_us.record(wait);
            self.recent(queue).wait_us.record(wait);
            self.is_dirty = true;
        }
    }

    /// An outcome that is on disk.
    pub fn outcome(&mut self, queue: Option<&Arc<str>>, status: Status, run_us: i64) {
        let run = run_us.max(0) as u64;
        self.totals.settled += 1;
        self.totals.counts.run_us.record(run);
        *self.totals.counts.outcomes.entry(status).or_default() += 1;
        if let Some(queue) = queue {
            let counts = self.recent(queue);
            counts.run_us.record(run);
            *counts.outcomes.entry(status).or_default() += 1;
        }
        self.is_dirty = true;
    }

    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// What has happened since the last call, by queue.
    pub fn take_recent(&mut self) -> BTreeMap<Arc<str>, Counts> {
        self.is_dirty = false;
        std::mem::take(&mut self.recent)
    }

    fn recent(&mut self, queue: &Arc<str>) -> &mut Counts {
        if !self.recent.contains_key(queue) {
            self.recent.insert(Arc::clone(queue), Counts::default());
        }
        self.recent.entry(Arc::clone(queue)).or_default()
    }
}

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
    pub statements: u64,
}

/// The events for what has happened: one if it fits into a NOTIFY, else split over the queues.
pub fn events(head: &Head, recent: &BTreeMap<Arc<str>, Counts>) -> Vec<String> {
    let queues: Vec<(&str, Value)> = recent.iter().map(|(queue, counts)| (&**queue, counts.to_json())).collect();
    split(head, &queues)
}

fn split(head: &Head, queues: &[(&str, Value)]) -> Vec<String> {
    let text = event(head, queues);
    if text.len() <= MOST_BYTES {
        return vec![text];
    }
    if queues.len() > 1 {
        let (front, back) = queues.split_at(queues.len() / 2);
        return [split(head, front), split(head, back)].concat();
    }
    queues.iter().flat_map(|(queue, counts)| halves(head, queue, counts)).collect()
}

/// One queue too large for one event: its histograms go apart, for events add up.
fn halves(head: &Head, queue: &str, counts: &Value) -> Vec<String> {
    let Value::Object(counts) = counts else {
        return Vec::new();
    };
    let (histograms, plain): (Map<_, _>, Map<_, _>) =
        counts.clone().into_iter().partition(|(name, _)| name.ends_with("_us"));
    let mut parts = vec![plain];
    parts.extend(histograms.into_iter().map(|(name, values)| Map::from_iter([(name, values)])));
    parts
        .into_iter()
        .map(|part| event(head, &[(queue, Value::Object(part))]))
        .filter(|text| text.len() <= MOST_BYTES)
        .collect()
}

fn event(head: &Head, queues: &[(&str, Value)]) -> String {
    let queues: Map<String, Value> =
        queues.iter().map(|(queue, counts)| ((*queue).to_owned(), counts.clone())).collect();
    json!({
        "v": 1, "pool": head.pool, "name": head.name, "sent_at": head.sent_at, "queues": queues,
        "running": head.running, "buffered": head.buffered, "workers": head.workers,
        "unsettled": head.unsettled, "statements": head.statements,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            pool: 3,
            name: "a".repeat(200),
            sent_at: 1.5,
            running: 1,
            buffered: 2,
            workers: 3,
            unsettled: 4,
            statements: 5,
        }
    }

    fn wide() -> Counts {
        let mut counts = Counts { claimed: 7, ..Counts::default() };
        for exponent in 0..400u32 {
            let value = 1.05f64.powi(exponent as i32) as u64;
            for histogram in [&mut counts.claim_us, &mut counts.wait_us, &mut counts.run_us] {
                histogram.record(value);
            }
        }
        counts
    }

    #[test]
    fn too_much_for_one_event_is_split_and_adds_up() {
        let recent: BTreeMap<Arc<str>, Counts> = (0..20).map(|n| (Arc::from(format!("queue {n}")), wide())).collect();
        let all = events(&head(), &recent);
        let (mut claimed, mut waits) = (0, 0);
        for text in &all {
            assert!(text.len() < 8_000);
            let event: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(event["v"], 1);
            for counts in event["queues"].as_object().expect("queues").values() {
                claimed += counts["claimed"].as_u64().unwrap_or(0);
                let pairs = counts["wait_us"].as_array().cloned().unwrap_or_default();
                waits += pairs.iter().filter_map(|pair| pair[1].as_u64()).sum::<u64>();
            }
        }
        assert_eq!((claimed, waits), (20 * 7, 20 * 400));
    }

    #[test]
    fn nothing_is_told_of_claims_that_found_nothing() {
        let mut tally = Tally::default();
        tally.claim(Reason::Poll, &[(Arc::from("default"), 0)], Duration::from_millis(1));
        assert!(!tally.is_dirty());
        tally.outcome(Some(&Arc::from("default")), Status::Failed, 5);
        assert!(tally.is_dirty());
        let recent = tally.take_recent();
        assert_eq!((recent["default"].empty, recent["default"].outcomes[&Status::Failed]), (1, 1));
        assert!(!tally.is_dirty() && tally.take_recent().is_empty());
    }
}
