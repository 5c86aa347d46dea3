//! What holds of the buffer and the cursors whatever happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use currant_native::buffer::{Buffer, Claimed};
use currant_native::cursor::{Cursors, Got, Position};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use uuid::Uuid;

fn claimed(number: u128) -> Claimed {
    Claimed {
        id: Uuid::from_u128(number),
        job: Arc::from("m:f"),
        queue: Arc::from("default"),
        priority: 0,
        attempt: 1,
        token: 1,
        rescues: 0,
        retries: None,
        batch: None,
        created_at: 0,
        due_at: None,
        claimed_at: 10,
        options: None,
        args: vec![0; 10],
        received: Instant::now(),
        wait_us: 0,
    }
}

#[derive(Debug, Clone)]
enum Step {
    Claim,
    Take(usize),
    Finish(usize, i64),
    Shed,
    Resize(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Claim),
        3 => (0usize..50).prop_map(Step::Take),
        3 => (0usize..50, 0i64..20_000_000).prop_map(|(count, run)| Step::Finish(count, run)),
        1 => Just(Step::Shed),
        1 => (1usize..200).prop_map(Step::Resize),
        1 => (0u64..3_000).prop_map(Step::Pass),
    ]
}

proptest! {
    // The same steps each time.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(256), ..ProptestConfig::default() })]
    #[test]
    fn no_claim_is_lost_and_the_demand_is_bounded(steps in prop::collection::vec(step(), 1..120)) {
        let mut now = Instant::now();
        let mut buffer = Buffer::new(16);
        let (mut next, mut finished, mut shed) = (0u128, 0usize, 0usize);
        let mut held = Vec::new();
        let mut order = Vec::new();
        for step in steps {
            match step {
                Step::Claim => {
                    let want = buffer.want(now);
                    prop_assert!(want <= buffer.workers() + 1_000);
                    buffer.push((0..want).map(|_| { next += 1; claimed(next) }).collect());
                    prop_assert_eq!(buffer.want(now), 0);
                    prop_assert!(!buffer.is_hungry(now));
                }
                Step::Take(max) => {
                    let taken = buffer.take(max, now);
                    order.extend(taken.iter().map(|execution| execution.id));
                    held.extend(taken.into_iter().map(|execution| execution.key()));
                }
                Step::Finish(count, run) => {
                    for key in held.drain(..count.min(held.len())) {
                        prop_assert!(buffer.finish(key, run, now).is_some());
                        prop_assert!(buffer.finish(key, run, now).is_none());
                        finished += 1;
                    }
                }
                Step::Shed => shed += buffer.shed(now).len(),
                Step::Resize(workers) => buffer.set_workers(workers),
                Step::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
            }
            prop_assert_eq!(buffer.running(), held.len());
            prop_assert_eq!(next as usize, finished + shed + buffer.buffered() + buffer.running());
        }
        prop_assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "first in, first out");
    }

    /// Against a model of the table: whoever is told of every change claims everything that is there, in the end.
    #[test]
    fn nothing_is_overlooked(
        changes in prop::collection::vec((0usize..3, -3i32..4, any::<u32>(), any::<bool>()), 1..60),
        want in 1usize..40,
        cost_ms in 0u64..60,
    ) {
        let mut now = tokio::time::Instant::now();
        let mut cursors = Cursors::new(3, now);
        let mut table: [BTreeMap<Position, ()>; 3] = Default::default();
        let mut claims = 0;
        for (queue, rank, id, is_told) in changes {
            table[queue].insert(Position { rank, id: Uuid::from_u128(id.into()) }, ());
            if is_told {
                cursors.mark(queue);
            }
            now += Duration::from_millis(7);
            claims += claim_once(&mut cursors, &mut table, want, cost_ms, now);
        }
        cursors.mark_all();
        let mut idle = 0;
        while idle < 3 {
            let got = claim_once(&mut cursors, &mut table, want, cost_ms, now);
            claims += got;
            if got == 0 {
                match cursors.next_due() {
                    Some(due) if due > now => now = due,
                    _ => idle += 1,
                }
            }
        }
        prop_assert!(table.iter().all(BTreeMap::is_empty), "left over after {} claims", claims);
        prop_assert!(!cursors.has_hope());
    }

    #[test]
    fn a_demand_is_split_fairly_and_whole(want in 1usize..100, queues in 1usize..8) {
        let now = tokio::time::Instant::now();
        let mut cursors = Cursors::new(queues, now);
        let asks = cursors.plan(want, now);
        prop_assert_eq!(asks.iter().map(|ask| ask.limit).sum::<usize>(), want);
        let most = asks.iter().map(|ask| ask.limit).max().unwrap_or(0);
        let least = asks.iter().map(|ask| ask.limit).min().unwrap_or(0);
        prop_assert!(most - least <= 1 && least >= 1);
        prop_assert_eq!(asks.len(), want.min(queues));
    }
}

/// One claim against the model; how many rows it took.
fn claim_once(
    cursors: &mut Cursors,
    table: &mut [BTreeMap<Position, ()>; 3],
    want: usize,
    cost_ms: u64,
    now: tokio::time::Instant,
) -> usize {
    let mut taken = 0;
    for ask in cursors.plan(want, now) {
        let lane = &mut table[ask.queue];
        let tail = lane.keys().last().copied().filter(|_| cursors.is_dear(ask.queue));
        let found: Vec<Position> = lane.keys().copied().filter(|place| *place > ask.after).take(ask.limit).collect();
        found.iter().for_each(|place| {
            lane.remove(place);
        });
        taken += found.len();
        let got = Got { count: found.len(), last: found.last().copied(), tail };
        cursors.record(&ask, got, Duration::from_millis(cost_ms), now);
    }
    taken
}

#[test]
fn a_worker_is_kept_only_where_nobody_waits() {
    let now = Instant::now();
    let mut buffer = Buffer::new(2);
    let key = |number: u128| (Uuid::from_u128(number), 1);
    assert!(buffer.reserve(key(1), now) && buffer.holds(&key(1)) && !buffer.is_empty());
    assert_eq!(buffer.want(now), 1, "the other worker's");
    assert!(buffer.reserve(key(2), now));
    assert!(!buffer.reserve(key(3), now), "all workers are spoken for");
    assert_eq!(buffer.want(now), 0);
    assert!(buffer.unreserve(key(1)) && !buffer.unreserve(key(1)));
    buffer.push(vec![claimed(4)]);
    assert!(!buffer.reserve(key(5), now), "another is before it");
    buffer.forget_reserved();
    assert!(!buffer.unreserve(key(2)) && !buffer.holds(&key(2)), "it is another pool's by now");
}

#[test]
fn what_is_held_by_the_books_alone() {
    let mut buffer = Buffer::new(4);
    let key = |number: u128| (Uuid::from_u128(number), 1);
    let now = Instant::now();
    assert!(buffer.reserve(key(1), now));
    buffer.push(vec![claimed(2), claimed(3)]);
    let runs = buffer.take(1, now)[0].key();
    let waits = claimed(3).key();
    let booked = vec![key(1), runs, waits, key(9)];
    assert_eq!(buffer.unknown(booked.clone()), [key(9)]);
    assert!(buffer.put_away(runs) && !buffer.put_away(runs));
    assert_eq!(buffer.unknown(booked), [key(9)], "its row is about to be given back");
    assert_eq!(buffer.unknown(vec![waits]), [], "it has been");
    assert_eq!(buffer.unknown(vec![runs]), [runs], "who holds it now?");
}

#[test]
fn one_on_its_last_chance_waits_for_an_idle_pool_but_not_for_ever() {
    let begun = Instant::now();
    let mut buffer = Buffer::new(2);
    buffer.looked_for_last_chance(begun);
    assert!(buffer.takes_last_chance(begun), "nothing is beside it");
    buffer.push(vec![claimed(1)]);
    assert!(!buffer.takes_last_chance(begun + Duration::from_secs(59)));
    let late = begun + Duration::from_secs(60);
    assert!(buffer.takes_last_chance(late));
    buffer.looked_for_last_chance(late);
    assert!(!buffer.takes_last_chance(late));
}

#[test]
fn what_is_urgent_goes_ahead_of_what_waits_in_the_buffer() {
    let mut buffer = Buffer::new(1);
    let of = |number: u128, priority: i16| Claimed { priority, ..claimed(number) };
    buffer.push(vec![of(1, 5), of(2, 0), of(3, 0)]);
    buffer.push(vec![of(9, 10), of(10, 10), of(11, 5)]);
    buffer.push(vec![of(4, 0)]);
    let order: Vec<u128> = buffer.take(10, Instant::now()).iter().map(|one| one.id.as_u128()).collect();
    assert_eq!(order, [9, 10, 1, 11, 2, 3, 4]);
}
