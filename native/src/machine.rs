//! Which process this is, and whether another one on this very machine still lives.

use std::fs;

/// Where a pid means something, and the pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub host: String,
    /// The boot's id and the pid namespace: two containers of one host count apart.
    pub boot_id: String,
    pub pid: i32,
    /// Clock ticks after boot at which the process started; tells a pid from its reuse.
    pub pid_started: i64,
}

impl Machine {
    pub fn here() -> Machine {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let boot = read("/proc/sys/kernel/random/boot_id");
        let namespace = fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
        Machine {
            host: read("/proc/sys/kernel/hostname"),
            boot_id: format!("{boot} {namespace}"),
            pid,
            pid_started: stat_of(pid).map_or(0, |stat| stat.started),
        }
    }
}

/// Whether the process that had `pid` and started then is gone. A zombie counts as gone: it runs nothing.
/// False where it can't be told.
pub fn is_gone(pid: i32, started: i64) -> bool {
    if pid <= 0 {
        return false;
    }
    match stat_of(pid) {
        Some(stat) => stat.is_dead || stat.started != started,
        None => does_not_exist(pid),
    }
}

struct Stat {
    is_dead: bool,
    started: i64,
}

fn stat_of(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything, brackets too.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat { is_dead: matches!(*fields.first()?, "Z" | "X" | "x"), started: fields.get(19)?.parse().ok()? })
}

/// /proc may be hidden from us (hidepid); signal 0 tells a foreign process from none.
fn does_not_exist(pid: i32) -> bool {
    // SAFETY: signal 0 is not delivered, the call only looks.
    let answer = unsafe { libc::kill(pid, 0) };
    answer == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn this_process_lives_and_its_pid_with_another_start_does_not() {
        let me = Machine::here();
        assert!(!is_gone(me.pid, me.pid_started));
        assert!(is_gone(me.pid, me.pid_started + 1));
    }

    #[test]
    fn a_zombie_and_a_reaped_child_are_gone() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep runs");
        let pid = child.id() as i32;
        let started = stat_of(pid).expect("it is there").started;
        assert!(!is_gone(pid, started));
        child.kill().expect("it can be killed");
        while !stat_of(pid).is_some_and(|stat| stat.is_dead) {
            std::thread::yield_now();
        }
        assert!(is_gone(pid, started), "a zombie");
        child.wait().expect("it is reaped");
        assert!(is_gone(pid, started), "no process");
    }
}
