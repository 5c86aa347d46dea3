//! Why the claimer should look again, remembered until it does.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Why a claim ran. In the order of precedence when several come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Notify,
    Start,
    Poll,
    Capacity,
}

impl Reason {
    pub const ALL: [Reason; 4] = [Reason::Notify, Reason::Start, Reason::Poll, Reason::Capacity];

    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Notify => "notify",
            Reason::Start => "start",
            Reason::Poll => "poll",
            Reason::Capacity => "capacity",
        }
    }
}

/// What a NOTIFY on the wake channel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// Something is pending in this queue.
    Queue(&'a str),
    /// Something has become scheduled.
    Due,
    /// Of what this pool runs, something is to be cancelled.
    Cancel(i32),
    /// `!pools`, words of later versions, nonsense.
    ForOthers,
}

impl Word<'_> {
    pub fn parse(payload: &str) -> Word<'_> {
        if let Some(queue) = payload.strip_prefix('+') {
            return Word::Queue(queue);
        }
        if payload == "@" {
            return Word::Due;
        }
        let pool = payload.strip_prefix("!cancel ").and_then(|id| id.parse().ok());
        pool.map_or(Word::ForOthers, Word::Cancel)
    }
}

/// Claims per wake reason, every reason present.
pub fn by_name(counts: &BTreeMap<Reason, u64>) -> Vec<(&'static str, u64)> {
    Reason::ALL.into_iter().map(|reason| (reason.as_str(), counts.get(&reason).copied().unwrap_or(0))).collect()
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wakes {
    pub reason: Option<Reason>,
    pub queues: Vec<usize>,
    pub all_queues: bool,
}

/// The flag that a claim clears before it looks, so that a wake which lands in the middle of it is kept.
#[derive(Debug, Default)]
pub struct WakeBoard {
    wakes: Mutex<Wakes>,
    bell: Notify,
}

impl WakeBoard {
    pub fn wake_queue(&self, queue: usize, reason: Reason) {
        let mut wakes = self.wakes.lock();
        if !wakes.queues.contains(&queue) {
            wakes.queues.push(queue);
        }
        note(&mut wakes, reason);
        drop(wakes);
        self.bell.notify_one();
    }

    pub fn wake_all(&self, reason: Reason) {
        let mut wakes = self.wakes.lock();
        wakes.all_queues = true;
        note(&mut wakes, reason);
        drop(wakes);
        self.bell.notify_one();
    }

    /// Workers are free; nothing is known to be new.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    pub fn clear(&self) -> Wakes {
        std::mem::take(&mut *self.wakes.lock())
    }

    /// Nothing has been said since the last `clear`.
    pub fn is_quiet(&self) -> bool {
        self.wakes.lock().reason.is_none()
    }

    pub async fn rung(&self) {
        self.bell.notified().await;
    }
}

fn note(wakes: &mut Wakes, reason: Reason) {
    wakes.reason = Some(wakes.reason.map_or(reason, |noted| noted.min(reason)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_add_up_until_they_are_cleared() {
        let board = WakeBoard::default();
        board.wake_all(Reason::Poll);
        board.wake_queue(1, Reason::Notify);
        board.wake_queue(1, Reason::Notify);
        let wakes = board.clear();
        assert_eq!(wakes.reason, Some(Reason::Notify));
        assert_eq!(wakes.queues, vec![1]);
        assert!(wakes.all_queues);
        assert_eq!(board.clear(), Wakes::default());
    }
}
