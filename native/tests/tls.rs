//! `sslmode` means what libpq means by it.

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use common::books::target_at;
use common::cluster::{self, Cluster};
use currant_native::db::{Db, Target};
use currant_native::sql::Statement;
use currant_native::tls::TlsConfig;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use tokio::runtime::{Builder, Runtime};

struct Server {
    cluster: Cluster,
    port: u16,
    authority: String,
    stranger: String,
    client_cert: String,
    client_key: String,
    client_certless_key: String,
    own: Issued,
    signed: Issued,
    runtime: Runtime,
}

#[derive(Clone)]
struct Issued {
    cert: String,
    key: String,
}

fn authority(name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    (params.self_signed(&key).expect("a certificate"), key)
}

fn issue(name: &str, issuer: &(rcgen::Certificate, KeyPair)) -> Issued {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("params");
    params.distinguished_name.push(DnType::CommonName, name);
    let cert = params.signed_by(&key, &issuer.0, &issuer.1).expect("a certificate");
    Issued { cert: cert.pem(), key: key.serialize_pem() }
}

/// As `openssl req -x509` makes one: its own authority, for localhost.
fn own_authority() -> Issued {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Issued { cert: params.self_signed(&key).expect("a certificate").pem(), key: key.serialize_pem() }
}

fn server() -> MutexGuard<'static, Server> {
    static SERVER: OnceLock<Mutex<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Mutex::new(start())).lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn start() -> Server {
    let root = authority("root");
    let (signed, client) = (issue("localhost", &root), issue("postgres", &root));
    let port = TcpListener::bind("127.0.0.1:0").and_then(|found| found.local_addr()).expect("a port").port();
    let hba = "local all all trust\nhostssl certain all all cert\nhost all all all scram-sha-256\n";
    let settings = format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\nssl_ca_file = 'root.crt'\n\
         password_encryption = 'scram-sha-256'"
    );
    let files = [
        ("server.crt", signed.cert.as_str()),
        ("server.key", signed.key.as_str()),
        ("root.crt", &root.0.pem()),
        ("pg_hba.conf", hba),
    ];
    let cluster = cluster::start(&cluster::system_binaries(), &files, &settings);
    let write = |name: &str, text: &str| {
        let path = cluster.directory.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    };
    let server = Server {
        port,
        authority: write("authority.crt", &root.0.pem()),
        stranger: write("stranger.crt", &authority("stranger").0.pem()),
        client_cert: write("client.crt", &client.cert),
        client_key: write("client.key", &client.key),
        client_certless_key: write("empty.key", ""),
        own: own_authority(),
        signed,
        runtime: Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime"),
        cluster,
    };
    server.command("ALTER USER postgres PASSWORD 'secret'");
    server.command("CREATE DATABASE certain");
    server
}

impl Server {
    /// Over the socket, as the server's owner.
    fn command(&self, text: &str) {
        let target = target_at(self.cluster.directory.to_str().expect("a path"), self.port);
        let statement = Statement { name: "command", text: text.to_owned() };
        self.runtime.block_on(async {
            let db = Db::connect(&target, "command", Arc::new(|_, _| {})).await.expect("the socket");
            db.batch(&statement, common::PATIENCE).await.expect("it runs");
        });
    }

    fn target(&self, host: &str, mode: &str, root: Option<&str>) -> Target {
        let tls = TlsConfig { mode: mode.to_owned(), root_cert: root.map(str::to_owned), cert: None, key: None };
        Target { tls, password: Some("secret".to_owned()), ..target_at(host, self.port) }
    }

    /// Whether the connection is encrypted, or why there is none.
    fn connect(&self, target: &Target) -> Result<bool, String> {
        let text = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let statement = Statement { name: "ssl", text: text.to_owned() };
        self.runtime.block_on(async {
            let db = Db::connect(target, "test", Arc::new(|_, _| {})).await.map_err(|error| error.to_string())?;
            let rows = db.query(&statement, &[], common::PATIENCE).await.map_err(|error| error.to_string())?;
            Ok(rows[0].get(0))
        })
    }

    fn try_mode(&self, host: &str, mode: &str, root: Option<&str>) -> Result<bool, String> {
        self.connect(&self.target(host, mode, root))
    }

    /// Changes certificate or settings and waits until the server goes by them.
    fn reload(&self, change: &str, issued: &Issued) {
        let data: PathBuf = self.cluster.directory.join("data");
        cluster::put(&data, "server.crt", &issued.cert);
        cluster::put(&data, "server.key", &issued.key);
        self.command(change);
        let statement = Statement { name: "age", text: "SELECT pg_reload_conf()".to_owned() };
        self.command(&statement.text);
        let wants = !change.contains("off");
        let wanted = fs::read_to_string(data.join("server.crt")).expect("a file");
        let path = self.cluster.directory.join("wanted.crt");
        fs::write(&path, wanted).expect("a file");
        let root = path.to_str().expect("a path");
        let signed_root = Some(if issued.cert == self.signed.cert { self.authority.as_str() } else { root });
        common::until("the reload", || match wants {
            true => self.try_mode("localhost", "verify-ca", signed_root).ok().map(|_| ()),
            false => self.try_mode("localhost", "require", None).err().map(|_| ()),
        });
    }
}

#[test]
fn each_mode_encrypts_and_checks_what_it_says() {
    let server = server();
    let root = Some(server.authority.clone());
    let root = root.as_deref();
    assert_eq!(server.try_mode("localhost", "disable", None), Ok(false));
    assert_eq!(server.try_mode("localhost", "allow", None), Ok(false));
    assert_eq!(server.try_mode("localhost", "prefer", None), Ok(true));
    assert_eq!(server.try_mode("127.0.0.1", "require", None), Ok(true));
    assert_eq!(server.try_mode("127.0.0.1", "require", root), Ok(true), "the chain is checked, the name is not");
    assert_eq!(server.try_mode("127.0.0.1", "verify-ca", root), Ok(true));
    assert_eq!(server.try_mode("localhost", "verify-full", root), Ok(true));
}

#[test]
fn what_does_not_check_out_is_refused_and_nothing_falls_back() {
    let server = server();
    let (root, stranger) = (Some(server.authority.as_str()), Some(server.stranger.as_str()));
    for mode in ["require", "verify-ca", "verify-full"] {
        let reason = server.try_mode("localhost", mode, stranger).expect_err("a stranger's root");
        assert!(reason.contains("certificate"), "{mode}: {reason}");
    }
    let reason = server.try_mode("127.0.0.1", "verify-full", root).expect_err("another name");
    assert!(reason.contains("not valid for name"), "{reason}");
    let reason = server.try_mode("localhost", "verify-full", Some("system")).expect_err("no public authority");
    assert!(reason.contains("certificate"), "{reason}");
    let reason = server.try_mode("localhost", "verify-full", None).expect_err("no root");
    assert!(reason.contains("sslrootcert"), "{reason}");
    let reason = server.try_mode("localhost", "verify-ca", Some("system")).expect_err("anybody's certificate");
    assert!(reason.contains("verify-full"), "{reason}");
    let reason = server.try_mode("localhost", "verify-ca", Some("/no/such.crt")).expect_err("no file");
    assert!(reason.contains("/no/such.crt"), "{reason}");
    assert!(server.try_mode("localhost", "maybe", None).is_err());
}

#[test]
fn a_client_certificate_is_shown() {
    let server = server();
    let mut target = server.target("localhost", "verify-full", Some(&server.authority));
    target.database = "certain".to_owned();
    let reason = server.connect(&target).expect_err("without one");
    assert!(reason.contains("certificate"), "{reason}");
    target.tls.cert = Some(server.client_cert.clone());
    assert!(server.connect(&target).expect_err("half of it").contains("sslkey"));
    target.tls.key = Some(server.client_certless_key.clone());
    assert!(server.connect(&target).expect_err("no key in it").contains("private key"));
    target.tls.key = Some(server.client_key.clone());
    assert_eq!(server.connect(&target), Ok(true));
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    let server = server();
    let target = Target { password: Some("wrong one".to_owned()), ..server.target("localhost", "require", None) };
    let reason = server.connect(&target).expect_err("a wrong password");
    assert!(reason.contains("password authentication failed") && !reason.contains("wrong one"), "{reason}");
}

#[test]
fn the_servers_own_certificate_may_be_the_root() {
    let server = server();
    server.reload("SELECT 1", &server.own);
    let own = server.cluster.directory.join("own.crt");
    fs::write(&own, &server.own.cert).expect("a file");
    let own = own.to_str();
    let (full, wrong_name) =
        (server.try_mode("localhost", "verify-full", own), server.try_mode("127.0.0.1", "verify-full", own));
    let (ca, other) = (
        server.try_mode("127.0.0.1", "verify-ca", own),
        server.try_mode("localhost", "verify-ca", Some(&server.stranger)),
    );
    server.reload("SELECT 1", &server.signed);
    assert_eq!((full, ca), (Ok(true), Ok(true)));
    assert!(wrong_name.is_err() && other.is_err());
}

#[test]
fn a_server_without_tls_is_refused_above_prefer() {
    let server = server();
    server.reload("ALTER SYSTEM SET ssl = off", &server.signed);
    let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
    let answers = modes.map(|mode| server.try_mode("localhost", mode, Some(&server.authority)));
    server.reload("ALTER SYSTEM SET ssl = on", &server.signed);
    assert!(answers[..3].iter().all(|answer| *answer == Ok(false)), "{answers:?}");
    assert!(answers[3..].iter().all(|answer| matches!(answer, Err(reason) if reason.contains("TLS"))), "{answers:?}");
}
