//! Which other pools are dead, and giving their executions back.

use tokio_postgres::types::Type;

use crate::core::Core;
use crate::db::Db;
use crate::error::Result;
use crate::link::KEEPER_LIMIT;
use crate::machine;

/// A healthy pool takes its lock back within this time after a reconnect.
pub const SUSPICION_S: f64 = 3.0;
/// A lease this old is dead whatever the lock says: the process is frozen, or the network in between is.
const LEASE_S: f64 = 60.0;
/// Where there are no session locks only the lease speaks: four renewals missed.
const LEASE_WITHOUT_LOCK_S: f64 = 20.0;

/// Another pool as the lease statement found it.
#[derive(Debug, Clone, PartialEq)]
pub struct Other {
    pub id: i32,
    pub pid: i32,
    pub pid_started: i64,
    /// On this very host, boot and pid namespace.
    pub is_here: bool,
    pub has_lock: bool,
    pub is_lock_held: bool,
    /// Seconds since its lease was renewed.
    pub age: f64,
    /// Seconds since its lock was first found free.
    pub suspected: Option<f64>,
}

impl Other {
    /// Whether it is dead. `is_gone` tells whether a process of this machine is.
    pub fn is_dead(&self, is_gone: impl Fn(i32, i64) -> bool) -> bool {
        if self.is_here && is_gone(self.pid, self.pid_started) {
            return true;
        }
        if !self.has_lock {
            return self.age > LEASE_WITHOUT_LOCK_S;
        }
        let is_abandoned = !self.is_lock_held && self.suspected.is_some_and(|seconds| seconds >= SUSPICION_S);
        is_abandoned || self.age > LEASE_S
    }

    /// Whether its lock was found free and the second look is still to come.
    pub fn is_suspect(&self) -> bool {
        self.has_lock && !self.is_lock_held
    }
}

/// The ids of those that are dead. `is_graced`: after an outage, which the others may have had as well, only those
/// whose process is known to be gone.
pub fn dead(others: &[Other], is_graced: bool) -> Vec<i32> {
    let is_dead = |other: &&Other| match is_graced {
        true => other.is_here && machine::is_gone(other.pid, other.pid_started),
        false => other.is_dead(machine::is_gone),
    };
    others.iter().filter(is_dead).map(|other| other.id).collect()
}

/// Declares `dead` pools lost and gives back what they, and those gone `before`, held. Returns how many executions.
pub async fn rescue(core: &Core, db: &Db, dead: &[i32], before: &[i32]) -> Result<u64> {
    core.count_statement();
    let rows = db
        .query_anew(&core.sql.rescue, &[(&dead, Type::INT4_ARRAY), (&before, Type::INT4_ARRAY)], KEEPER_LIMIT)
        .await?;
    let rescued = match rows.first() {
        Some(row) => row.try_get::<_, i64>("rescued")? + row.try_get::<_, i64>("ended")?,
        None => 0,
    };
    let rescued = u64::try_from(rescued).unwrap_or(0);
    core.tally.lock().totals.rescued += rescued;
    Ok(rescued)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other() -> Other {
        Other {
            id: 7,
            pid: 100,
            pid_started: 5,
            is_here: false,
            has_lock: true,
            is_lock_held: true,
            age: 1.0,
            suspected: None,
        }
    }

    const LIVES: fn(i32, i64) -> bool = |_, _| false;
    const GONE: fn(i32, i64) -> bool = |_, _| true;

    #[test]
    fn a_healthy_pool_lives() {
        assert!(!other().is_dead(LIVES));
    }

    #[test]
    fn a_process_counts_as_gone_only_on_this_machine() {
        assert!(Other { is_here: true, ..other() }.is_dead(GONE));
        assert!(!other().is_dead(GONE));
    }

    #[test]
    fn a_free_lock_is_suspect_first_and_dead_three_seconds_later() {
        let free = Other { is_lock_held: false, ..other() };
        assert!(free.is_suspect() && !free.is_dead(LIVES));
        assert!(!Other { suspected: Some(2.9), ..free.clone() }.is_dead(LIVES));
        assert!(Other { suspected: Some(3.0), ..free }.is_dead(LIVES));
        assert!(!Other { suspected: Some(9.0), ..other() }.is_dead(LIVES), "it took its lock back");
    }

    #[test]
    fn after_an_outage_only_what_is_known_counts() {
        let old = Other { age: 300.0, is_lock_held: false, suspected: Some(9.0), ..other() };
        assert_eq!(dead(std::slice::from_ref(&old), false), [7]);
        assert!(dead(std::slice::from_ref(&old), true).is_empty());
        let gone = Other { is_here: true, pid: i32::MAX, ..old };
        assert_eq!(dead(&[gone], true), [7]);
    }

    #[test]
    fn an_old_lease_is_dead_whatever_the_lock_says() {
        assert!(!Other { age: 59.0, ..other() }.is_dead(LIVES));
        assert!(Other { age: 61.0, ..other() }.is_dead(LIVES));
        let pooled = Other { has_lock: false, is_lock_held: false, ..other() };
        assert!(!Other { age: 19.0, suspected: Some(9.0), ..pooled.clone() }.is_dead(LIVES));
        assert!(Other { age: 21.0, ..pooled }.is_dead(LIVES));
    }
}
