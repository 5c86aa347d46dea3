//! The engine's connections: each made, lost and made again on its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use crate::core::{Core, Phase, Role};
use crate::db::{Db, OnNotify};
use crate::error::Result;

/// A claim or settle that takes longer means a connection that is not to be trusted.
pub const WORK_LIMIT: Duration = Duration::from_secs(30);
/// The keeper's statements are small, and a lease that can't be renewed must be noticed in time.
pub const KEEPER_LIMIT: Duration = Duration::from_secs(10);

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// With its jitter well below the 3 s after which a free lock counts.
const BACKOFF_LAST: Duration = Duration::from_secs(1);

/// Waits between attempts, doubling, with jitter so that many pools do not come back in step.
#[derive(Debug)]
pub struct Backoff(Duration);

impl Backoff {
    pub fn quick() -> Backoff {
        Backoff(BACKOFF_FIRST)
    }

    /// For a server that answers but refuses: nothing is gained by haste.
    pub fn slow() -> Backoff {
        Backoff(BACKOFF_LAST)
    }

    pub async fn wait(&mut self) {
        sleep(self.0.mul_f64(0.5 + fastrand::f64())).await;
        self.0 = (self.0 * 2).min(BACKOFF_LAST);
    }
}

/// Opens one of the connections and gives it its session settings.
pub async fn open(core: &Arc<Core>, role: Role) -> Result<Db> {
    let mut db = Db::connect(&core.target, &core.application(), on_notify(core, role)).await?;
    db.set_pooled(core.is_pooled.load(Ordering::SeqCst));
    prepare(core, role, &db).await?;
    Ok(db)
}

/// The session settings, where a session is more than one transaction.
pub async fn prepare(core: &Core, role: Role, db: &Db) -> Result<()> {
    if db.is_pooled() {
        return Ok(());
    }
    let settings = match role {
        Role::Claims => &core.sql.pin_claim,
        Role::Settles => &core.sql.pin_settle,
        Role::Keeper => &core.sql.pin_keeper,
        Role::Submits => return Ok(()),
    };
    db.batch(settings, KEEPER_LIMIT).await
}

/// What a connection does with notifications: only the keeper's has any.
pub fn on_notify(core: &Arc<Core>, role: Role) -> OnNotify {
    if role != Role::Keeper {
        return Arc::new(|_, _| {});
    }
    // Weak, or a connection's task and the engine would keep each other alive.
    let core = Arc::downgrade(core);
    Arc::new(move |_, payload| {
        if let Some(core) = core.upgrade() {
            core.on_wake(payload);
        }
    })
}

/// Opens the connection again, however long it takes. None: the engine has reached `until` meanwhile.
pub async fn reopen(core: &Arc<Core>, role: Role, until: Phase) -> Option<Db> {
    let mut phase = core.phase.subscribe();
    let mut backoff = Backoff::quick();
    loop {
        if core.phase() >= until {
            return None;
        }
        match open(core, role).await {
            Ok(db) => {
                core.tally.lock().totals.reconnects += 1;
                core.set_trouble(role, None);
                return Some(db);
            }
            Err(error) => core.set_trouble(role, Some(error.to_string())),
        }
        tokio::select! {
            () = backoff.wait() => {}
            _ = phase.wait_for(|phase| *phase >= until) => {}
        }
    }
}
