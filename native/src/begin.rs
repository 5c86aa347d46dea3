//! The engine's start: threads, connections, the pool's row, the first sweep, and the three tasks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::buffer::Buffer;
use crate::claimer::Claimer;
use crate::core::{Core, Errands, Links, News, Phase, PoolConfig, Role};
use crate::db::{Db, Target, is_pooler_between};
use crate::error::{Error, Result};
use crate::keeper::Keeper;
use crate::link::{self, KEEPER_LIMIT};
use crate::machine::Machine;
use crate::outbox::Outbox;
use crate::settler::Settler;
use crate::signal::Signal;
use crate::sql::Sql;
use crate::telemetry::Tally;
use crate::wake::WakeBoard;

/// The tasks of a running engine.
pub struct Tasks {
    pub claimer: JoinHandle<()>,
    pub settler: JoinHandle<()>,
    pub keeper: JoinHandle<()>,
}

/// A runtime on threads of its own.
pub fn runtime(threads: usize) -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("currant-engine")
        .enable_all()
        .build()
        .map_err(|error| Error::System { what: "no threads for the engine", error })
}

/// The three connections, the pool's row, the first sweep; then the tasks.
pub async fn begin(core: &Arc<Core>) -> Result<Tasks> {
    let connect = |role| {
        let core = Arc::clone(core);
        async move { Db::connect(&core.target, &core.application(), link::on_notify(&core, role)).await }
    };
    let mut keeping = connect(Role::Keeper).await?;
    let (mut claims, mut settles) = tokio::try_join!(connect(Role::Claims), connect(Role::Settles))?;
    let is_pooled = is_pooler_between(&keeping, &claims, KEEPER_LIMIT).await?;
    core.is_pooled.store(is_pooled, Ordering::SeqCst);
    for db in [&mut keeping, &mut claims, &mut settles] {
        db.set_pooled(is_pooled);
    }
    tokio::try_join!(
        link::prepare(core, Role::Keeper, &keeping),
        link::prepare(core, Role::Claims, &claims),
        link::prepare(core, Role::Settles, &settles),
    )?;
    let mut keeper = Keeper::new(Arc::clone(core));
    keeper.begin(keeping).await?;
    let mut first = Some(claims);
    let claimer = move |core: &Arc<Core>| boxed(Claimer::new(Arc::clone(core), first.take()).run());
    let mut first = Some(settles);
    let settler = move |core: &Arc<Core>| boxed(Settler::new(Arc::clone(core), first.take()).run());
    let mut first = Some(keeper);
    let keeper = move |core: &Arc<Core>| boxed(first.take().unwrap_or_else(|| Keeper::new(Arc::clone(core))).run());
    Ok(Tasks {
        claimer: tokio::spawn(supervise(Arc::clone(core), Role::Claims, claimer)),
        settler: tokio::spawn(supervise(Arc::clone(core), Role::Settles, settler)),
        keeper: tokio::spawn(supervise(Arc::clone(core), Role::Keeper, keeper)),
    })
}

pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

fn boxed(task: impl Future<Output = ()> + Send + 'static) -> Task {
    Box::pin(task)
}

/// Runs a task; should it panic, says so in the news and starts another in its place.
pub async fn supervise(core: Arc<Core>, role: Role, mut make: impl FnMut(&Arc<Core>) -> Task) {
    while let Err(ended) = tokio::spawn(make(&core)).await {
        if !ended.is_panic() {
            return;
        }
        core.set_trouble(role, Some(format!("a task of the engine failed: {}", panic_text(ended))));
        sleep(Duration::from_millis(100)).await;
    }
}

fn panic_text(ended: tokio::task::JoinError) -> String {
    let Ok(panic) = ended.try_into_panic() else {
        return "it was ended".to_owned();
    };
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "for an unknown reason".to_owned(),
    }
}

/// Everything the tasks and callers share, before there is any connection.
pub fn new_core(target: Target, mut config: PoolConfig) -> Result<Core> {
    if config.queues.is_empty() {
        return Err(Error::Argument("a pool needs at least one queue".to_owned()));
    }
    let mut seen = std::collections::HashSet::new();
    config.queues.retain(|queue| seen.insert(queue.clone()));
    Ok(Core {
        sql: Sql::new(&config.schema)?,
        queues: config.queues.iter().map(|queue| Arc::from(queue.as_str())).collect(),
        jobs: Mutex::new(Arc::new(job_names(&config.jobs))),
        buffer: Mutex::new(Buffer::new(config.workers)),
        target,
        config,
        machine: Machine::here(),
        is_pooled: AtomicBool::new(false),
        pool_id: AtomicI32::new(0),
        outbox: Mutex::new(Outbox::default()),
        written: Condvar::new(),
        settle_bell: tokio::sync::Notify::new(),
        is_settler_resting: AtomicBool::new(false),
        wakes: WakeBoard::default(),
        is_claimable: AtomicBool::new(false),
        is_drained: AtomicBool::new(false),
        is_in_doubt: AtomicBool::new(false),
        errands: Errands::default(),
        news: Mutex::new(News::default()),
        links: Mutex::new(Links::default()),
        tally: Mutex::new(Tally::default()),
        signal: Signal::new()?,
        phase: watch::Sender::new(Phase::Running),
        is_kept: watch::Sender::new(false),
        is_listening: AtomicBool::new(false),
        renewed_us: AtomicU64::new(0),
        started: Instant::now(),
    })
}

/// The names a claim asks for. No row can hold one with a NUL in it, and the protocol has no way to ask for it.
pub fn job_names(names: &[String]) -> Vec<Arc<str>> {
    names.iter().filter(|name| !name.contains('\0')).map(|name| Arc::from(name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::TlsConfig;

    fn core() -> Core {
        let target = Target {
            hosts: Vec::new(),
            user: String::new(),
            password: None,
            database: String::new(),
            tls: TlsConfig { mode: "disable".into(), root_cert: None, cert: None, key: None },
            wants_writes: false,
            connect_timeout: Duration::ZERO,
        };
        let config = PoolConfig {
            schema: "currant".into(),
            name: "n".into(),
            kind: "script".into(),
            version: "0".into(),
            queues: vec!["a".into(), "b".into(), "a".into()],
            jobs: Vec::new(),
            workers: 1,
        };
        new_core(target, config).expect("a core")
    }

    #[test]
    fn a_queue_named_twice_counts_once() {
        assert_eq!(core().queues.len(), 2);
    }

    #[test]
    fn a_task_that_panics_is_told_of_and_replaced() {
        let core = Arc::new(core());
        let mut starts = 0;
        let make = |_: &Arc<Core>| {
            starts += 1;
            let is_first = starts == 1;
            Box::pin(async move { assert!(!is_first, "of all things") }) as Task
        };
        runtime(1).expect("threads").block_on(supervise(Arc::clone(&core), Role::Settles, make));
        assert_eq!(starts, 2);
        let trouble = core.links.lock().trouble().expect("told");
        assert!(trouble.contains("of all things"), "{trouble}");
    }
}
