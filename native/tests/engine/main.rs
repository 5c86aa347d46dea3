//! The engine against a real server.

#[path = "../common/mod.rs"]
mod common;

mod cancelling;
mod claiming;
mod leaving;
mod liveness;
mod plans;
mod pooled;
mod promoting;
mod quiet;
mod reconnecting;
mod settling;
mod submitting;
mod telling;
mod totals;
