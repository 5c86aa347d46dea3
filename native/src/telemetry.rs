//! What the pool has done, counted twice: since connect for `stats`, and since the last event for the watchers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::buffer::Claimed;
use crate::latency::{Histogram, Sizes};
use crate::outbox::{Outcome, Status};
use crate::wake::Reason;

/// The latest claims of an interval that an event tells one by one (at 40,000 executions a second there are about 8).
pub const BATCHES: usize = 16;

/// Claim statements, as far as they asked one queue, or all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims {
    pub claims: u64,
    pub claimed: u64,
    pub empty: u64,
    pub sizes: Sizes,
    pub claim_us: Histogram,
    pub wakes: BTreeMap<Reason, u64>,
}

impl Claims {
    fn record(&mut self, reason: Reason, rows: usize, microseconds: u64) {
        self.claims += 1;
        self.claimed += rows as u64;
        self.empty += u64::from(rows == 0);
        self.sizes.record(rows);
        self.claim_us.record(microseconds);
        *self.wakes.entry(reason).or_default() += 1;
    }
}

/// Executions of one queue, of one job, or all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runs {
    pub outcomes: BTreeMap<Status, u64>,
    pub wait_us: Histogram,
    pub run_us: Histogram,
}

impl Runs {
    fn outcome(&mut self, status: Status, run_us: u64) {
        *self.outcomes.entry(status).or_default() += 1;
        self.run_us.record(run_us);
    }
}

/// One queue's part of one claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub queue: Arc<str>,
    pub rows: usize,
    pub took: Duration,
    pub reason: Reason,
    pub ended: Instant,
}

/// What has happened since the last event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recent {
    /// The statements themselves: one that asks three queues counts once.
    pub claims: Claims,
    pub queues: BTreeMap<Arc<str>, (Claims, Runs)>,
    pub jobs: BTreeMap<Arc<str>, Runs>,
    /// The latest, oldest first.
    pub batches: VecDeque<Batch>,
}

impl Recent {
    fn batch(&mut self, batch: Batch) {
        if self.batches.len() == BATCHES {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
    }
}

/// Counters that only grow.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    pub claims: Claims,
    pub runs: Runs,
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
    recent: Recent,
    /// Something worth an event has happened since the last one.
    is_dirty: bool,
}

impl Tally {
    /// One claim statement over some queues: (queue, rows) of each.
    pub fn claim(&mut self, reason: Reason, queues: &[(Arc<str>, usize)], took: Duration) {
        let (microseconds, ended) = (took.as_micros() as u64, Instant::now());
        let rows: usize = queues.iter().map(|(_, rows)| rows).sum();
        self.totals.claims.record(reason, rows, microseconds);
        self.recent.claims.record(reason, rows, microseconds);
        for (place, (queue, rows_here)) in queues.iter().enumerate() {
            of(&mut self.recent.queues, queue).0.record(reason, *rows_here, microseconds);
            // One that brought nothing at all is told of once, not for each queue.
            if *rows_here > 0 || (rows == 0 && place == 0) {
                self.recent.batch(Batch { queue: Arc::clone(queue), rows: *rows_here, took, reason, ended });
            }
        }
        // A claim that found nothing is counted but told only along with something that happened.
        self.is_dirty |= rows > 0;
    }

    /// One was submitted here as running: claimed without a claim.
    pub fn handed(&mut self, queue: &Arc<str>) {
        self.totals.claims.claimed += 1;
        self.recent.claims.claimed += 1;
        of(&mut self.recent.queues, queue).0.claimed += 1;
        self.is_dirty = true;
    }

    /// Handlers begin. Names are looked up once for all that follow each other: mostly all are of one job.
    pub fn waits(&mut self, taken: &[Claimed]) {
        let is_alike =
            |one: &Claimed, other: &Claimed| Arc::ptr_eq(&one.queue, &other.queue) && Arc::ptr_eq(&one.job, &other.job);
        for alike in taken.chunk_by(is_alike) {
            let Some(first) = alike.first() else {
                continue;
            };
            let queue = &mut of(&mut self.recent.queues, &first.queue).1.wait_us;
            let job = &mut of(&mut self.recent.jobs, &first.job).wait_us;
            for execution in alike {
                let wait = execution.wait_us.max(0) as u64;
                for histogram in [&mut self.totals.runs.wait_us, &mut *queue, &mut *job] {
                    histogram.record(wait);
                }
            }
            self.is_dirty = true;
        }
    }

    /// An outcome that is on disk, as `status`.
    pub fn outcome(&mut self, outcome: &Outcome, status: Status) {
        let run = outcome.run_us.max(0) as u64;
        self.totals.settled += 1;
        self.totals.runs.outcome(status, run);
        if let Some(queue) = &outcome.queue {
            of(&mut self.recent.queues, queue).1.outcome(status, run);
        }
        if let Some(job) = &outcome.job {
            of(&mut self.recent.jobs, job).outcome(status, run);
        }
        self.is_dirty = true;
    }

    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// What has happened since the last call.
    pub fn take_recent(&mut self) -> Recent {
        self.is_dirty = false;
        std::mem::take(&mut self.recent)
    }
}

fn of<'a, T: Default>(known: &'a mut BTreeMap<Arc<str>, T>, name: &Arc<str>) -> &'a mut T {
    known.entry(Arc::clone(name)).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(queue: &str, job: &str) -> Outcome {
        Outcome {
            ticket: None,
            key: (uuid::Uuid::nil(), 1),
            queue: Some(Arc::from(queue)),
            job: Some(Arc::from(job)),
            status: Status::Failed,
            result: None,
            error: None,
            run_us: 5,
            delay: 0.0,
            logs: None,
            source: None,
            ended: Instant::now(),
        }
    }

    #[test]
    fn nothing_is_told_of_claims_that_found_nothing() {
        let mut tally = Tally::default();
        tally.claim(Reason::Poll, &[(Arc::from("default"), 0)], Duration::from_millis(1));
        assert!(!tally.is_dirty());
        tally.outcome(&failed("default", "send"), Status::Failed);
        assert!(tally.is_dirty());
        let recent = tally.take_recent();
        let (claims, runs) = &recent.queues["default"];
        assert_eq!((claims.empty, runs.outcomes[&Status::Failed]), (1, 1));
        assert_eq!(recent.jobs["send"], *runs);
        assert!(!tally.is_dirty() && tally.take_recent() == Recent::default());
    }

    #[test]
    fn a_claim_over_queues_counts_once_and_the_latest_are_kept_one_by_one() {
        let mut tally = Tally::default();
        let (mail, web): (Arc<str>, Arc<str>) = (Arc::from("mail"), Arc::from("web"));
        for rows in 1..=20 {
            tally.claim(Reason::Notify, &[(mail.clone(), rows), (web.clone(), 0)], Duration::from_millis(1));
        }
        tally.claim(Reason::Poll, &[(mail, 0), (web, 0)], Duration::from_millis(1));
        let recent = tally.take_recent();
        assert_eq!((recent.claims.claims, recent.claims.empty, recent.claims.claimed), (21, 1, 210));
        assert_eq!(recent.queues["web"].0.empty, 21);
        let rows: Vec<usize> = recent.batches.iter().map(|batch| batch.rows).collect();
        assert_eq!(rows, (6..=20).chain([0]).collect::<Vec<_>>());
    }
}
