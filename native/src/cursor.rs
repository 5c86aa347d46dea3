//! Where each queue's claims go on.
//!
//! Claimed rows leave dead entries at the front of the index. A claim from the start walks over all of them, and
//! while somebody's transaction stays open no vacuum removes them (measured: 72 k/s fell to 24 k/s within 200 k
//! executions). So a claim goes on where the last one ended, and from the start only now and then: rows do
//! appear behind the cursor (retries, releases, higher priorities, late commits, other clocks).

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// Under a backlog the start is looked at this often: what is urgent waits so long at most, and as long again in the
/// claim before and in its own.
const RESCAN_EVERY: Duration = Duration::from_millis(50);
/// A scan from the start up to this long is cheap: on a drained queue it is repeated whenever there is reason.
const CHEAP: Duration = Duration::from_millis(5);
/// Dearer scans take at most a tenth of the time, but one is made this often come what may.
const DEAR_FACTOR: u32 = 10;
const RESCAN_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// A place in the claim order: negated priority, then id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub rank: i32,
    pub id: Uuid,
}

impl Position {
    /// Before every row.
    pub const START: Position = Position { rank: i32::MIN, id: Uuid::nil() };
}

/// What one claim wants of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub queue: usize,
    pub after: Position,
    pub limit: usize,
}

/// What it got.
#[derive(Debug, Clone, Copy, Default)]
pub struct Got {
    pub count: usize,
    pub last: Option<Position>,
    /// The queue's last row before the claim, whoever can run it; asked for where `is_dear`.
    pub tail: Option<Position>,
}

#[derive(Debug, Clone, Copy)]
struct Lane {
    position: Position,
    /// There may be rows after `position`.
    ahead: bool,
    /// There may be rows anywhere: a scan from the start is owed.
    owed: bool,
    /// The earliest moment of the next scan from the start.
    rescan_at: Instant,
    /// The last scan from the start took long: many rows in front are dead, or nobody here can run them.
    is_dear: bool,
}

/// The cursors of all queues of a pool. Pure: it is told the time.
#[derive(Debug)]
pub struct Cursors {
    lanes: Vec<Lane>,
    /// The queue that is served first next time, so that none starves when the demand is small.
    turn: usize,
}

impl Cursors {
    pub fn new(queues: usize, now: Instant) -> Cursors {
        let lane = Lane { position: Position::START, ahead: true, owed: true, rescan_at: now, is_dear: false };
        Cursors { lanes: vec![lane; queues], turn: 0 }
    }

    /// Something may be pending in `queue`, at any place.
    pub fn mark(&mut self, queue: usize) {
        if let Some(lane) = self.lanes.get_mut(queue) {
            lane.ahead = true;
            lane.owed = true;
        }
    }

    pub fn mark_all(&mut self) {
        for queue in 0..self.lanes.len() {
            self.mark(queue);
        }
    }

    /// Splits a demand over the queues that may have something. Empty: there is nothing to ask for now.
    pub fn plan(&mut self, want: usize, now: Instant) -> Vec<Ask> {
        let count = self.lanes.len();
        let mut asks: Vec<Ask> = (0..count)
            .map(|step| (self.turn + step) % count)
            .filter_map(|queue| {
                let after = self.lanes[queue].scan_from(now)?;
                Some(Ask { queue, after, limit: 0 })
            })
            .collect();
        if asks.is_empty() || want == 0 {
            return Vec::new();
        }
        asks.truncate(want);
        let (share, rest) = (want / asks.len(), want % asks.len());
        for (index, ask) in asks.iter_mut().enumerate() {
            ask.limit = share + usize::from(index < rest);
        }
        self.turn = (asks[asks.len() - 1].queue + 1) % count;
        asks
    }

    /// Takes note of what an ask brought; `cost` is the time the search itself took.
    pub fn record(&mut self, ask: &Ask, got: Got, cost: Duration, now: Instant) {
        let Some(lane) = self.lanes.get_mut(ask.queue) else {
            return;
        };
        let from_start = ask.after == Position::START;
        let is_full = got.count >= ask.limit;
        if from_start {
            lane.owed = false;
            lane.rescan_at = now + rescan_pause(cost, is_full);
            lane.is_dear = cost > CHEAP;
        }
        if is_full {
            lane.position = got.last.unwrap_or(lane.position);
            lane.ahead = true;
            return;
        }
        lane.position = [got.last, got.tail].into_iter().flatten().fold(lane.position, Position::max);
        lane.ahead = false;
        // Short from the cursor: what there is lies behind it.
        lane.owed = lane.owed || !from_start;
    }

    /// Whether a scan of this queue from the start is worth asking first where the queue ends, so that the next claims
    /// can begin there.
    pub fn is_dear(&self, queue: usize) -> bool {
        self.lanes.get(queue).is_some_and(|lane| lane.is_dear)
    }

    /// Whether a claim would ask for anything, now or when a scan that is owed becomes due.
    pub fn has_hope(&self) -> bool {
        self.lanes.iter().any(|lane| lane.ahead || lane.owed)
    }

    /// Whether a claim made now would ask for anything.
    pub fn is_open(&self, now: Instant) -> bool {
        self.lanes.iter().any(|lane| lane.scan_from(now).is_some())
    }

    /// When a scan that is owed becomes due, if nothing else comes first.
    pub fn next_due(&self) -> Option<Instant> {
        self.lanes.iter().filter(|lane| lane.owed || lane.ahead).map(|lane| lane.rescan_at).min()
    }
}

impl Lane {
    fn scan_from(&self, now: Instant) -> Option<Position> {
        let may_rescan = now >= self.rescan_at;
        if (self.owed || self.ahead) && may_rescan {
            return Some(Position::START);
        }
        // A cursor that never moved is a scan from the start, and waits like one.
        (self.ahead && self.position != Position::START).then_some(self.position)
    }
}

fn rescan_pause(cost: Duration, is_full: bool) -> Duration {
    let dear = match cost > CHEAP {
        true => (cost * DEAR_FACTOR).min(RESCAN_AT_LEAST_EVERY),
        false => Duration::ZERO,
    };
    if is_full { dear.max(RESCAN_EVERY) } else { dear }
}
