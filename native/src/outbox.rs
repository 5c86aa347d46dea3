//! The outcomes that wait to be written, and the tickets that say which of them are on disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::buffer::Key;
use crate::error::{Error, Result};

/// So many unsettled outcomes stop `take`: the database is slower than the workers.
pub const BACK_PRESSURE: usize = 10_000;
/// One settle writes at most this many outcomes (measured: about 80 k/s in batches of 500) ...
pub const BATCH: usize = 500;
/// ... or this many bytes of results, so that results of 16 MiB do not meet in one message.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Succeeded,
    Failed,
    Cancelled,
    Retry,
}

impl Status {
    pub const ALL: [Status; 4] = [Status::Succeeded, Status::Failed, Status::Cancelled, Status::Retry];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
            Status::Retry => "retry",
        }
    }

    pub fn parse(text: &str) -> Result<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            Error::Argument(format!("an outcome is succeeded, failed, cancelled or retry, not {text:?}"))
        })
    }
}

/// One outcome on its way to the database.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// None: the engine's own, which nobody waits for.
    pub ticket: Option<u64>,
    pub key: Key,
    pub queue: Option<Arc<str>>,
    pub job: Option<Arc<str>>,
    pub status: Status,
    pub result: Option<Vec<u8>>,
    pub error: Option<String>,
    pub run_us: i64,
    /// Seconds before a retry.
    pub delay: f64,
    pub logs: Option<String>,
    pub source: Option<String>,
    pub ended: Instant,
}

impl Outcome {
    /// It succeeded and left no logs: nearly all do, and these are cheaper to write.
    pub fn is_plain(&self) -> bool {
        self.status == Status::Succeeded && self.error.is_none() && self.logs.is_none()
    }

    fn size(&self) -> usize {
        let texts = [&self.error, &self.logs].into_iter().flatten().map(String::len);
        self.result.as_ref().map_or(0, Vec::len) + texts.sum::<usize>()
    }
}

/// First in, first out; tickets count from 1 in the same order.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Outcome>,
    in_flight: Option<Arc<Vec<Outcome>>>,
    last_ticket: u64,
    unsettled: usize,
    is_shut: bool,
}

impl Outbox {
    /// Takes an outcome of a worker's and gives it its ticket. Err: the box is shut, it will not be written.
    pub fn push(&mut self, outcome: Outcome) -> std::result::Result<u64, u64> {
        self.last_ticket += 1;
        if self.is_shut {
            return Err(self.last_ticket);
        }
        self.unsettled += 1;
        self.waiting.push_back(Outcome { ticket: Some(self.last_ticket), ..outcome });
        Ok(self.last_ticket)
    }

    /// Takes an outcome of the engine's own.
    pub fn push_own(&mut self, outcome: Outcome) {
        if !self.is_shut {
            self.unsettled += 1;
            self.waiting.push_back(Outcome { ticket: None, ..outcome });
        }
    }

    /// From now on nothing comes in.
    pub fn shut(&mut self) {
        self.is_shut = true;
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn unsettled(&self) -> usize {
        self.unsettled
    }

    pub fn is_full(&self) -> bool {
        self.unsettled > BACK_PRESSURE
    }

    pub fn holds(&self, key: &Key) -> bool {
        let in_flight = self.in_flight.iter().flat_map(|batch| batch.iter());
        in_flight.chain(&self.waiting).any(|outcome| outcome.key == *key)
    }

    /// The next batch to write, oldest first; the same again until it is `done`. It stays unsettled until then.
    pub fn next_batch(&mut self) -> Arc<Vec<Outcome>> {
        if let Some(batch) = &self.in_flight {
            return Arc::clone(batch);
        }
        let mut bytes = 0;
        let mut count = 0;
        for outcome in self.waiting.iter().take(BATCH) {
            bytes += outcome.size();
            if count > 0 && bytes > BATCH_BYTES {
                break;
            }
            count += 1;
        }
        let batch = Arc::new(self.waiting.drain(..count).collect::<Vec<_>>());
        self.in_flight = Some(Arc::clone(&batch));
        batch
    }

    /// Whether a batch was given out and never came back: its writer died.
    pub fn is_interrupted(&self) -> bool {
        self.in_flight.is_some()
    }

    /// The batch is on disk, or refused for good.
    pub fn done(&mut self) {
        if let Some(batch) = self.in_flight.take() {
            self.unsettled -= batch.len();
        }
    }
}
