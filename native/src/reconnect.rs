//! A connection for one of the engine's tasks, made again with growing pauses until it stands.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::db::{Db, OnNotify};
use crate::error::Result;
use crate::state::Shared;

const LIMIT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Connects once.
pub async fn open(shared: &Arc<Shared>, is_pinned: bool) -> Result<Db> {
    let hears = Arc::downgrade(shared);
    let channel = shared.sql.wake_channel();
    let on_notify: OnNotify = Arc::new(move |from: &str, payload: &str| {
        if let Some(shared) = hears.upgrade().filter(|_| from == channel) {
            shared.on_wake(payload);
        }
    });
    let application = format!("currant engine {}", shared.settings.name);
    let db = Db::connect(&shared.settings.target, &application, on_notify).await?;
    if is_pinned {
        db.batch(&shared.sql.pin_work, LIMIT).await?;
    }
    Ok(db)
}

/// Connects, however long it takes; what is wrong meanwhile is told under `task`.
pub async fn connect(shared: &Arc<Shared>, task: &'static str, is_pinned: bool) -> Db {
    let mut pause = FIRST_PAUSE;
    loop {
        match open(shared, is_pinned).await {
            Ok(db) => {
                shared.set_trouble(task, None);
                return db;
            }
            Err(error) => shared.set_trouble(task, Some(error.to_string())),
        }
        sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
