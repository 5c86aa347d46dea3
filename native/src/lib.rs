//! The engine of Currant Lab. The core knows nothing of Python; `python` is the only module that does.

pub mod buffer;
pub mod claim;
pub mod cursor;
pub mod db;
pub mod engine;
pub mod error;
pub mod house;
pub mod latency;
pub mod listener;
pub mod outbox;
pub mod process;
pub mod reconnect;
pub mod settle;
pub mod signal;
pub mod sql;
pub mod state;
pub mod tls;

#[cfg(feature = "python")]
mod python;
