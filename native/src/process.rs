//! Who this process is, and whether another process of this host still lives: from /proc.

use std::fs;

/// What `pools` keeps of a process.
#[derive(Debug, Clone)]
pub struct Identity {
    pub host: String,
    /// The boot's id with the pid namespace: where a pid means something.
    pub boot_id: String,
    pub pid: i32,
    pub started: i64,
}

impl Identity {
    pub fn of_this_process() -> Identity {
        let read = |path: &str| {
            fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let namespace = fs::read_link("/proc/self/ns/pid")
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        let pid = std::process::id() as i32;
        Identity {
            host: read("/proc/sys/kernel/hostname"),
            boot_id: format!("{} {namespace}", read("/proc/sys/kernel/random/boot_id")),
            pid,
            started: started(pid).unwrap_or(0),
        }
    }
}

/// Whether the process that had this pid and start time is gone. A zombie is gone: it runs nothing.
pub fn is_gone(pid: i32, since: i64) -> bool {
    started(pid) != Some(since)
}

/// Clock ticks between boot and the start of a living process (field 22 of its stat).
fn started(pid: i32) -> Option<i64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may contain anything; the fields after it are plain.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next(), Some("Z" | "X")) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
