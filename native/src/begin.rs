//! The engine's start: threads, connections, the pool's row, the first sweep, and the three tasks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::claimer::Claimer;
use crate::core::{Core, Role};
use crate::db::{Db, is_pooler_between};
use crate::error::{Error, Result};
use crate::keeper::Keeper;
use crate::link::{self, KEEPER_LIMIT};
use crate::settler::Settler;

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
