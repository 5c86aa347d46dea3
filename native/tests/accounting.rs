//! Where every claim is, whatever happens to it: claimed = settled + stale + released + buffered + running + unsettled,
//! at every moment, through the buffer and the outbox together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use currant_native::buffer::{Buffer, Claimed, Key};
use currant_native::outbox::{BATCH, Outbox, Outcome, Status};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use uuid::Uuid;

#[derive(Debug, Clone)]
enum Step {
    Claim,
    Take(usize),
    /// Workers end so many, this one's status, twice if so.
    Settle(usize, Status, bool),
    /// Workers find that their claim is another's.
    Forget(usize),
    /// A batch is written; of these outcomes every n-th was stale. False: its writer died on the way.
    Write(usize, bool),
    Shed,
    /// Cancellation is asked for of everything whose number this divides.
    Cancel(u128),
    /// The pool was declared lost: it holds nothing any more.
    Lose,
    Resize(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Claim),
        6 => (0usize..60).prop_map(Step::Take),
        6 => (0usize..60, prop::sample::select(&Status::ALL[..]), any::<bool>())
            .prop_map(|(count, status, twice)| Step::Settle(count, status, twice)),
        1 => (0usize..5).prop_map(Step::Forget),
        6 => (1usize..9, any::<bool>()).prop_map(|(every, done)| Step::Write(every, done)),
        2 => Just(Step::Shed),
        1 => (2u128..9).prop_map(Step::Cancel),
        1 => Just(Step::Lose),
        1 => (1usize..200).prop_map(Step::Resize),
        2 => (0u64..3_000).prop_map(Step::Pass),
    ]
}

fn claimed(number: u128) -> Claimed {
    Claimed {
        id: Uuid::from_u128(number),
        job: Arc::from("m:f"),
        queue: Arc::from("default"),
        priority: 0,
        attempt: 1,
        token: 1,
        rescues: (number % 5) as i16,
        retries: None,
        batch: None,
        created_at: 0,
        due_at: None,
        claimed_at: 10,
        options: None,
        args: vec![0; (number % 300) as usize],
        received: Instant::now(),
        wait_us: 0,
    }
}

fn outcome(key: Key, status: Status) -> Outcome {
    Outcome {
        ticket: None,
        key,
        queue: None,
        job: None,
        status,
        result: Some(vec![0; 20]),
        error: None,
        run_us: 5,
        delay: 0.0,
        logs: None,
        source: None,
        ended: Instant::now(),
    }
}

/// The accounts, and the world that the accounts are of.
struct World {
    now: Instant,
    buffer: Buffer,
    outbox: Outbox,
    next: u128,
    held: Vec<Key>,
    tickets: u64,
    written: HashMap<Key, usize>,
    settled: usize,
    stale: usize,
    released: usize,
    last_written: u64,
}

impl World {
    fn new() -> World {
        World {
            now: Instant::now(),
            buffer: Buffer::new(16),
            outbox: Outbox::default(),
            next: 0,
            held: Vec::new(),
            tickets: 0,
            written: HashMap::new(),
            settled: 0,
            stale: 0,
            released: 0,
            last_written: 0,
        }
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Claim => {
                let want = self.buffer.want(self.now);
                let first = self.next;
                self.next += want as u128;
                self.buffer.push((first..self.next).map(claimed).collect());
            }
            Step::Take(max) => {
                let taken = self.buffer.take(max, self.now);
                prop_assert!(taken.len() <= max);
                self.held.extend(taken.iter().map(Claimed::key));
            }
            Step::Settle(count, status, twice) => {
                for key in self.held.drain(..count.min(self.held.len())) {
                    prop_assert!(self.buffer.finish(key, 100, self.now).is_some());
                    self.tickets += 1;
                    prop_assert_eq!(self.outbox.push(outcome(key, status)), Ok(self.tickets));
                    prop_assert!(self.outbox.holds(&key));
                    if twice {
                        prop_assert!(self.buffer.finish(key, 100, self.now).is_none());
                    }
                }
            }
            Step::Forget(count) => {
                for key in self.held.drain(..count.min(self.held.len())) {
                    prop_assert!(self.buffer.forget(key));
                    prop_assert!(!self.buffer.forget(key));
                    self.stale += 1;
                }
            }
            Step::Write(every, is_done) => self.write(every, is_done)?,
            Step::Shed => self.released += self.buffer.shed(self.now).len(),
            Step::Cancel(number) => self.cancel(number)?,
            Step::Lose => {
                let ready = self.buffer.buffered();
                let lost = self.buffer.drain_all();
                let known: HashSet<Key> = self.held.drain(..).collect();
                prop_assert_eq!(lost[ready..].iter().copied().collect::<HashSet<_>>(), known);
                self.stale += lost.len();
                prop_assert!(self.buffer.is_empty());
            }
            Step::Resize(workers) => self.buffer.set_workers(workers),
            Step::Pass(milliseconds) => self.now += Duration::from_millis(milliseconds),
        }
        Ok(())
    }

    /// The same batch comes again until it is done; outcomes leave in the order of their tickets.
    fn write(&mut self, every: usize, is_done: bool) -> Result<(), TestCaseError> {
        if self.outbox.waiting() == 0 && !self.outbox.is_interrupted() {
            return Ok(());
        }
        let batch = self.outbox.next_batch();
        prop_assert!(!batch.is_empty() && batch.len() <= BATCH);
        prop_assert!(self.outbox.is_interrupted());
        prop_assert!(Arc::ptr_eq(&batch, &self.outbox.next_batch()));
        if !is_done {
            return Ok(());
        }
        for (index, outcome) in batch.iter().enumerate() {
            *self.written.entry(outcome.key).or_default() += 1;
            prop_assert_eq!(self.written[&outcome.key], 1, "written twice");
            if let Some(ticket) = outcome.ticket {
                prop_assert!(ticket > self.last_written);
                self.last_written = ticket;
            }
            match (index + 1) % every == 0 {
                true => self.stale += 1,
                false => self.settled += 1,
            }
        }
        self.outbox.done();
        Ok(())
    }

    /// What waits in the buffer ends here; what runs is told once.
    fn cancel(&mut self, number: u128) -> Result<(), TestCaseError> {
        let keys: Vec<Key> = (0..self.next).filter(|id| id % number == 0).map(|id| (Uuid::from_u128(id), 1)).collect();
        for execution in self.buffer.pull(&keys) {
            prop_assert!(!self.buffer.holds(&execution.key()));
            self.outbox.push_own(outcome(execution.key(), Status::Cancelled));
        }
        let told = self.buffer.tell_cancel(&keys);
        prop_assert!(told.iter().all(|key| self.held.contains(key)));
        prop_assert!(self.buffer.tell_cancel(&keys).is_empty());
        Ok(())
    }

    fn adds_up(&self) -> Result<(), TestCaseError> {
        let gone = self.settled + self.stale + self.released;
        let here = self.buffer.buffered() + self.buffer.running() + self.outbox.unsettled();
        prop_assert_eq!(self.next as usize, gone + here);
        prop_assert_eq!(self.buffer.running(), self.held.len());
        prop_assert!(self.buffer.buffered() <= 2 * (1_000 + 200) + 200);
        Ok(())
    }
}

proptest! {
    // The same steps each time.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(32), ..ProptestConfig::with_cases(32) })]
    #[test]
    fn every_claim_is_in_one_place(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        for step in steps {
            world.step(step)?;
            world.adds_up()?;
        }
        world.outbox.shut();
        prop_assert!(world.outbox.push(outcome((Uuid::from_u128(0), 1), Status::Failed)).is_err());
        world.adds_up()?;
        while world.outbox.unsettled() > 0 {
            world.write(3, true)?;
            world.adds_up()?;
        }
    }
}
