use std::process::Command;

use currant_native::machine::Machine;

use crate::common::books::Books;
use crate::common::{news_until, succeed, take, until, until_signal};

/// A process of this machine that has been killed: its pid and start time.
fn killed_process() -> (i32, i64) {
    let mut child = Command::new("sleep").arg("60").spawn().expect("sleep runs");
    let pid = child.id();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)).expect("a start");
    let started = started.parse().expect("a number");
    child.kill().expect("it can be killed");
    child.wait().expect("it is reaped");
    (pid as i32, started)
}

fn of_this_machine(pid: i32, started: i64) -> String {
    let me = Machine::here();
    format!("host = '{}', boot_id = '{}', pid = {pid}, pid_started = {started}", me.host, me.boot_id)
}

#[test]
fn a_killed_process_of_this_machine_is_swept_at_start() {
    let books = Books::open();
    let (pid, started) = killed_process();
    let dead = books.dead_pool(5, &of_this_machine(pid, started));
    let engine = books.engine(5);
    let claimed = take(&engine, 5);
    assert!(claimed.iter().all(|execution| (execution.attempt, execution.token, execution.rescues) == (2, 2, 1)));
    assert_eq!(books.count(&format!("currant.pools WHERE id = {dead} AND lost_at IS NOT NULL")), 1);
    assert_eq!(engine.stats().totals.rescued, 5);
}

#[test]
fn a_reused_pid_does_not_keep_a_pool_alive() {
    let books = Books::open();
    let me = Machine::here();
    books.dead_pool(1, &of_this_machine(me.pid, me.pid_started - 1));
    let engine = books.engine(1);
    assert_eq!(take(&engine, 1)[0].rescues, 1);
}

#[test]
fn a_living_pool_keeps_its_own() {
    let books = Books::open();
    books.submit(3);
    let first = books.engine(3);
    let claimed = take(&first, 3);
    let second = books.engine(3);
    until("a renewal that has seen it", || {
        (books.count("currant.pools WHERE suspect_since IS NULL") == 2).then_some(())
    });
    let last = claimed.iter().map(|execution| succeed(&first, execution)).max().expect("three");
    assert!(news_until(&first, last).stale.is_empty());
    assert_eq!(second.stats().totals.rescued, 0);
}

#[test]
fn a_free_lock_is_fatal_the_second_time_only() {
    let books = Books::open();
    books.dead_pool(2, "");
    let engine = books.engine(2);
    assert_eq!(books.count("currant.pools WHERE suspect_since IS NOT NULL"), 1, "suspected at start");
    assert_eq!(take(&engine, 2).len(), 2);
    // By the server's clock: how long this test took to look is not of it.
    let waited =
        books.value("SELECT extract(epoch FROM lost_at - suspect_since) FROM currant.pools WHERE name = 'dead'");
    let waited: f64 = waited.parse().expect("a number");
    assert!((2.5..5.0).contains(&waited), "dead after {waited:.1} s");
}

#[test]
fn an_old_lease_is_dead_with_its_lock_held() {
    let books = Books::open();
    let frozen = books.dead_pool(1, "seen_at = now() - interval '61 s'");
    let key = currant_native::sql::Sql::new(&books.schema).expect("a schema").lock_key();
    books.run(&format!("SELECT pg_advisory_lock({key}, {frozen})"));
    let engine = books.engine(1);
    take(&engine, 1);
    books.run(&format!("SELECT pg_advisory_unlock({key}, {frozen})"));
}

#[test]
fn rescue_does_what_the_life_of_an_execution_says() {
    let books = Books::open();
    books.dead_pool(6, "seen_at = now() - interval '61 s'");
    let nth = |n: u32| format!("WHERE id = (SELECT id FROM currant.executions ORDER BY id OFFSET {n} LIMIT 1)");
    books.run(&format!("UPDATE currant.executions SET cancelling = true, rescues = 9 {}", nth(0)));
    books.run(&format!("UPDATE currant.executions SET rescues = 3 {}", nth(1)));
    books.run(&format!("UPDATE currant.executions SET rescues = 2 {}", nth(2)));
    books.run(&format!("UPDATE currant.executions SET rescues = 4, retries = 5 {}", nth(3)));
    books.run(&format!("UPDATE currant.executions SET rescues = 5, retries = 5 {}", nth(4)));
    let engine = books.engine(6);
    // Those on their last chance come one at a time, alone.
    let mut rescues = Vec::new();
    for _ in 0..3 {
        let claimed = take(&engine, 1);
        assert!(engine.take(5).is_empty());
        rescues.push(claimed[0].rescues);
        news_until(&engine, succeed(&engine, &claimed[0]));
    }
    rescues.sort_unstable();
    assert_eq!(rescues, [1, 3, 5]);
    let ended = books.rows(
        "SELECT status, coalesce(error ->> 'type', '-') FROM currant.history WHERE status <> 'succeeded' ORDER BY id",
    );
    assert_eq!(ended, [["cancelled", "-"], ["failed", "PoolLost"], ["failed", "PoolLost"]]);
}

#[test]
fn what_a_lost_pool_leaves_behind_later_is_found() {
    let books = Books::open();
    let (pid, started) = killed_process();
    let dead = books.dead_pool(1, &of_this_machine(pid, started));
    let engine = books.engine(4);
    take(&engine, 1);
    // The dead process's last claim ends only now.
    books.run(&format!(
        "INSERT INTO currant.executions (id, job, args, status, attempt, token, claimed_by, claimed_at)
         VALUES (currant.new_id(), 'm:f', '[]', 'running', 1, 1, {dead}, now())"
    ));
    let before = std::time::Instant::now();
    take(&engine, 1);
    assert!(before.elapsed().as_secs() < 10, "at one of the next two renewals");
}

#[test]
fn a_pool_that_was_declared_lost_begins_anew() {
    let books = Books::open();
    books.submit(6);
    let engine = books.engine(6);
    until_signal(&engine, "the buffer", || (engine.stats().buffered == 6).then_some(()));
    let held = take(&engine, 2);
    let old = engine.pool_id();
    let mut lost = Vec::new();
    // As another pool's sweep would have it, but for the executions: those are found left over.
    books.run(&format!("UPDATE currant.pools SET lost_at = now() WHERE id = {old}"));
    until_signal(&engine, "the news", || {
        lost.extend(engine.news().lost);
        (lost.len() == 2).then_some(())
    });
    assert_ne!(engine.pool_id(), old);
    assert!(held.iter().all(|execution| lost.contains(&execution.key())));
    held.iter().for_each(|execution| engine.forget(execution.key()));
    assert_eq!((engine.stats().running, engine.stats().totals.stale), (0, 2));
    // The four that nobody had taken come again, and in time, or at once, the two as well: nobody else is there.
    let again = take(&engine, 4);
    assert!(again.iter().all(|execution| execution.token == 2));
    assert!(books.count(&format!("currant.executions WHERE claimed_by = {}", engine.pool_id())) >= 4);
    let last = again.iter().map(|execution| succeed(&engine, execution)).max().expect("four");
    assert!(news_until(&engine, last).stale.is_empty());
}

#[test]
fn pools_that_ended_long_ago_are_forgotten() {
    let books = Books::open();
    books.dead_pool(0, "stopped_at = now() - interval '8 days'");
    books.dead_pool(0, "lost_at = now() - interval '6 days'");
    let _engine = books.engine(1);
    until("tidy", || (books.count("currant.pools WHERE name = 'dead'") == 1).then_some(()));
}
