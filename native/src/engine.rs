//! The engine: three connections and a task for each, behind calls that never wait for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::types::Type;

use crate::buffer::{Claimed, Key};
use crate::error::{Error, Result};
use crate::outbox::Outcome;
use crate::process::Identity;
use crate::reconnect::open;
use crate::state::{News, Settings, Shared};
use crate::{claim, house, settle};

const LIMIT: Duration = Duration::from_secs(10);

pub struct Engine {
    pub shared: Arc<Shared>,
    runtime: Mutex<Option<Runtime>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    pid: u32,
}

impl Engine {
    pub fn connect(settings: Settings) -> Result<Engine> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("currant-engine")
            .enable_all()
            .build()
            .map_err(|error| Error::System {
                what: "no thread for the engine",
                error,
            })?;
        let (shared, tasks) = runtime.block_on(begin(settings)).map_err(Error::of_start)?;
        Ok(Engine {
            shared,
            runtime: Mutex::new(Some(runtime)),
            tasks: Mutex::new(tasks),
            pid: std::process::id(),
        })
    }

    pub fn take(&self, max: usize) -> Vec<Claimed> {
        let mut state = self.shared.state.lock();
        if !state.is_claiming || state.outbox.is_full() {
            return Vec::new();
        }
        let taken = state.buffer.take(max, Instant::now());
        for one in &taken {
            state.counters.wait.record(one.wait_us.max(0) as u64);
        }
        let is_hungry = state.buffer.is_hungry();
        drop(state);
        if is_hungry {
            self.shared.claim_now.notify_one();
        }
        taken
    }

    pub fn settle(&self, outcome: Outcome) -> u64 {
        let mut state = self.shared.state.lock();
        let finished = state.buffer.finish(outcome.key, outcome.run_us);
        state.counters.run.record(outcome.run_us.max(0) as u64);
        let queue = finished.map(|taken| taken.queue);
        let ticket = match state.outbox.push(Outcome { queue, ..outcome }) {
            Ok(ticket) | Err(ticket) => ticket,
        };
        let is_hungry = state.is_claiming && state.buffer.is_hungry();
        drop(state);
        self.shared.settle_now.notify_one();
        if is_hungry {
            self.shared.claim_now.notify_one();
        }
        ticket
    }

    pub fn news(&self) -> (News, Option<String>) {
        let mut state = self.shared.state.lock();
        let committed = state.news.committed;
        let news = std::mem::take(&mut state.news);
        state.news.committed = committed;
        let trouble = state.trouble.values().next().cloned();
        (news, trouble)
    }

    pub fn stop_claiming(&self) {
        self.shared.state.lock().is_claiming = false;
        self.shared.house_now.notify_one();
    }

    /// Waits until every outcome is on disk; whether it is so.
    pub fn drain(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            {
                let state = self.shared.state.lock();
                if state.outbox.unsettled() == 0
                    && (state.is_claiming || state.buffer.buffered() == 0)
                {
                    return true;
                }
            }
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn close(&self, limit: Duration) {
        if self.pid != std::process::id() {
            return;
        }
        let Some(runtime) = self.runtime.lock().take() else {
            return;
        };
        self.stop_claiming();
        self.drain(limit);
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
        let held: Vec<Key> = {
            let mut state = self.shared.state.lock();
            state.outbox.shut();
            let mut keys: Vec<Key> = state.buffer.drain().iter().map(Claimed::key).collect();
            keys.extend(state.buffer.drain_taken());
            keys
        };
        let shared = Arc::clone(&self.shared);
        // What can't be said now is found out by the next sweep: the lock goes with the connection.
        let _ = runtime
            .block_on(async move { tokio::time::timeout(limit, goodbye(shared, held)).await });
        runtime.shutdown_timeout(Duration::from_millis(200));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.pid != std::process::id() {
            // A forked child has the memory but not the threads: nothing can be waited for.
            std::mem::forget(self.runtime.lock().take());
            return;
        }
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

async fn begin(settings: Settings) -> Result<(Arc<Shared>, Vec<JoinHandle<()>>)> {
    let shared = Arc::new(Shared::new(settings)?);
    let identity = Identity::of_this_process();
    let keeping = open(&shared, false).await?;
    let claiming = open(&shared, true).await?;
    let settling = open(&shared, true).await?;
    house::begin(&shared, &keeping, &identity).await?;
    let tasks = vec![
        tokio::spawn(house::run(Arc::clone(&shared), identity, keeping)),
        tokio::spawn(claim::run(Arc::clone(&shared), claiming)),
        tokio::spawn(settle::run(Arc::clone(&shared), settling)),
    ];
    Ok((shared, tasks))
}

async fn goodbye(shared: Arc<Shared>, held: Vec<Key>) -> Result<()> {
    let db = open(&shared, false).await?;
    if !held.is_empty() {
        house::give_back(&shared, &db, &held).await?;
    }
    let pool = shared.state.lock().pool;
    db.query(&shared.sql.goodbye, &[(&pool, Type::INT4)], LIMIT)
        .await?;
    Ok(())
}
