//! The engine of Currant Lab: claims, settles, listens and keeps the lease, without Python and without the GIL.
//!
//! Three tasks on three connections: [`claimer`] fills the buffer, [`settler`] empties the outbox, [`keeper`] does the
//! rest; [`submit`] writes single submits of its own process on a fourth. They share [`core`]; [`engine`] is what callers
//! hold; `python` wraps it and is the only part that knows PyO3.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod begin;
pub mod buffer;
pub mod claim;
pub mod claimer;
pub mod core;
pub mod cursor;
pub mod db;
pub mod engine;
pub mod error;
pub mod event;
pub mod keeper;
pub mod latency;
pub mod lease;
pub mod link;
pub mod listen;
pub mod machine;
pub mod outbox;
pub mod promote;
pub mod reconcile;
pub mod release;
pub mod rescue;
pub mod settle;
pub mod settler;
pub mod signal;
pub mod sql;
pub mod submit;
pub mod telemetry;
pub mod tls;
pub mod upkeep;
pub mod wake;

#[cfg(feature = "python")]
mod python;
