//! One connection to the database: made over several hosts and TLS modes, and its statements with time limits.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Row, Socket, Statement as Prepared};

use crate::error::{Error, Result, describe};
use crate::sql::Statement;
use crate::tls::{TlsConfig, Way};

const BACKEND: &str = include_str!("../sql/backend.sql");
const WRITABLE: &str = include_str!("../sql/writable.sql");

/// Where the database is. No `Debug`: the password is in it.
#[derive(Clone)]
pub struct Target {
    /// (host name, address or socket directory, port), tried in order.
    pub hosts: Vec<(String, u16)>,
    pub user: String,
    pub password: Option<String>,
    pub database: String,
    pub tls: TlsConfig,
    /// Only a server that takes writes will do.
    pub wants_writes: bool,
    /// For all hosts together.
    pub connect_timeout: Duration,
}

/// Called with the channel and payload of each notification, on the connection's own task: it must be quick.
pub type OnNotify = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// Parameters with their types: spelled out, so that a pooler can be served without prepared statements.
pub type Params<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// An open connection. Dropping it closes it.
pub struct Db {
    client: Client,
    driver: JoinHandle<()>,
    /// None while open, then why it closed.
    closed: watch::Receiver<Option<String>>,
    is_pooled: bool,
    prepared: Mutex<HashMap<&'static str, Prepared>>,
}

impl Drop for Db {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Db {
    /// Connects to the first host that will do, within the target's `connect_timeout`.
    pub async fn connect(target: &Target, application: &str, on_notify: OnNotify) -> Result<Db> {
        match timeout(target.connect_timeout, connect_any(target, application, on_notify)).await {
            Ok(connected) => connected,
            Err(_) => Err(Error::Unavailable(format!(
                "no answer from {} within {:.1} s",
                places(target),
                target.connect_timeout.as_secs_f64()
            ))),
        }
    }

    /// Tells it that a transaction pooler is in between: no prepared statements from now on.
    pub fn set_pooled(&mut self, is_pooled: bool) {
        self.is_pooled = is_pooled;
    }

    pub fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Waits until the connection is gone, and says why.
    pub async fn closed(&self) -> String {
        let mut closed = self.closed.clone();
        let reason = match closed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        reason.unwrap_or_else(|| "the connection was closed".to_owned())
    }

    /// Runs a statement; prepared once per connection, except through a pooler.
    pub async fn query(&self, statement: &Statement, params: Params<'_>, limit: Duration) -> Result<Vec<Row>> {
        let work = async {
            if self.is_pooled {
                return self.client.query_typed(&statement.text, params).await;
            }
            let prepared = self.prepare(statement, params).await?;
            let values: Vec<&(dyn ToSql + Sync)> = params.iter().map(|(value, _)| *value).collect();
            self.client.query(&prepared, &values).await
        };
        match timeout(limit, work).await {
            Ok(rows) => Ok(rows?),
            Err(_) => Err(Error::Timeout { statement: statement.name, seconds: limit.as_secs() }),
        }
    }

    /// Runs a statement that is planned anew each time: for rare ones, whose kept plan would be of another time's table.
    pub async fn query_anew(&self, statement: &Statement, params: Params<'_>, limit: Duration) -> Result<Vec<Row>> {
        match timeout(limit, self.client.query_typed(&statement.text, params)).await {
            Ok(rows) => Ok(rows?),
            Err(_) => Err(Error::Timeout { statement: statement.name, seconds: limit.as_secs() }),
        }
    }

    /// Runs plain SQL without parameters, several statements if need be.
    pub async fn batch(&self, statement: &Statement, limit: Duration) -> Result<()> {
        match timeout(limit, self.client.batch_execute(&statement.text)).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(Error::Timeout { statement: statement.name, seconds: limit.as_secs() }),
        }
    }

    /// The server process that serves this connection, at this moment.
    pub async fn backend(&self, limit: Duration) -> Result<i32> {
        match timeout(limit, self.client.query_typed(BACKEND, &[])).await {
            Ok(rows) => match rows?.first() {
                Some(row) => Ok(row.try_get(0)?),
                None => Err(Error::Unavailable("the server does not say who it is".to_owned())),
            },
            Err(_) => Err(Error::Timeout { statement: "backend", seconds: limit.as_secs() }),
        }
    }

    async fn prepare(
        &self,
        statement: &Statement,
        params: Params<'_>,
    ) -> std::result::Result<Prepared, tokio_postgres::Error> {
        let known = self.prepared.lock().get(statement.name).cloned();
        if let Some(prepared) = known {
            return Ok(prepared);
        }
        let types: Vec<Type> = params.iter().map(|(_, type_)| type_.clone()).collect();
        let prepared = self.client.prepare_typed(&statement.text, &types).await?;
        self.prepared.lock().insert(statement.name, prepared.clone());
        Ok(prepared)
    }
}

/// Whether two connections share server processes: then a transaction pooler is in between, and neither settings
/// nor locks nor LISTEN last. The uneven order also catches a pooler that takes its servers in turns.
pub async fn is_pooler_between(one: &Db, other: &Db, limit: Duration) -> Result<bool> {
    let first = one.backend(limit).await?;
    let second = other.backend(limit).await?;
    let third = one.backend(limit).await?;
    let fourth = one.backend(limit).await?;
    let fifth = other.backend(limit).await?;
    Ok(first == second || first != third || first != fourth || second != fifth)
}

fn places(target: &Target) -> String {
    let all: Vec<String> = target.hosts.iter().map(|(host, port)| place(host, *port)).collect();
    all.join(", ")
}

fn place(host: &str, port: u16) -> String {
    match host.starts_with('/') {
        true => format!("{host}/.s.PGSQL.{port}"),
        false => format!("{host}:{port}"),
    }
}

async fn connect_any(target: &Target, application: &str, on_notify: OnNotify) -> Result<Db> {
    let tcp_ways = target.tls.ways();
    let mut reasons: Vec<String> = Vec::new();
    for (host, port) in &target.hosts {
        let ways = match host.starts_with('/') {
            // A Unix socket carries no TLS, as with libpq.
            true => vec![Way { wire: tokio_postgres::config::SslMode::Disable, tls: None }],
            false => match &tcp_ways {
                Ok(ways) => ways.clone(),
                Err(error) => return Err(Error::Unavailable(error.to_string())),
            },
        };
        match connect_host(target, host, *port, &ways, application, &on_notify).await {
            Ok(db) => return Ok(db),
            Err(reason) => reasons.push(format!("{}: {reason}", place(host, *port))),
        }
    }
    Err(Error::Unavailable(match reasons.is_empty() {
        true => "no host is given".to_owned(),
        false => reasons.join("; "),
    }))
}

async fn connect_host(
    target: &Target,
    host: &str,
    port: u16,
    ways: &[Way],
    application: &str,
    on_notify: &OnNotify,
) -> std::result::Result<Db, String> {
    let mut reasons: Vec<String> = Vec::new();
    for way in ways {
        match connect_way(target, host, port, way, application, on_notify).await {
            Ok(db) => match accept(target, db).await {
                Ok(db) => return Ok(db),
                Err(error) => reasons.push(error.to_string()),
            },
            Err(error) => reasons.push(describe(&error)),
        }
    }
    reasons.dedup();
    Err(reasons.join("; "))
}

async fn connect_way(
    target: &Target,
    host: &str,
    port: u16,
    way: &Way,
    application: &str,
    on_notify: &OnNotify,
) -> std::result::Result<Db, tokio_postgres::Error> {
    let mut config = Config::new();
    config
        .user(&target.user)
        .dbname(&target.database)
        .application_name(application)
        .host(host)
        .port(port)
        .ssl_mode(way.wire)
        .connect_timeout(target.connect_timeout)
        // A peer that vanished without a word is noticed within about half a minute.
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(30));
    if let Some(password) = &target.password {
        config.password(password);
    }
    match &way.tls {
        None => {
            let (client, connection) = config.connect(NoTls).await?;
            Ok(start(client, connection, on_notify))
        }
        Some(tls) => {
            let (client, connection) = config.connect(tls.clone()).await?;
            Ok(start(client, connection, on_notify))
        }
    }
}

/// Refuses a server that takes no writes where the target wants one that does.
async fn accept(target: &Target, db: Db) -> Result<Db> {
    if !target.wants_writes {
        return Ok(db);
    }
    let rows = db.client.query_typed(WRITABLE, &[]).await?;
    match rows.first().map(|row| row.try_get::<_, bool>(0)).transpose()? {
        Some(true) => Ok(db),
        _ => Err(Error::Unavailable("this server takes no writes".to_owned())),
    }
}

/// Puts the connection on a task of its own, which reads notifications at once: one that nobody drains holds back
/// vacuum in the whole database.
fn start<S>(client: Client, mut connection: Connection<Socket, S>, on_notify: &OnNotify) -> Db
where
    S: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
{
    let (closing, closed) = watch::channel(None);
    let on_notify = Arc::clone(on_notify);
    let driver = tokio::spawn(async move {
        let reason = loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(message))) => on_notify(message.channel(), message.payload()),
                Some(Ok(_)) => {}
                Some(Err(error)) => break describe(&error),
                None => break "the connection was closed".to_owned(),
            }
        };
        closing.send_replace(Some(reason));
    });
    Db { client, driver, closed, is_pooled: false, prepared: Mutex::new(HashMap::new()) }
}

/// A `timestamptz` as microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Micros(pub i64);

/// PostgreSQL counts from 2000.
const EPOCH_2000: i64 = 946_684_800_000_000;

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Micros, Box<dyn std::error::Error + Sync + Send>> {
        let bytes: [u8; 8] = raw.try_into()?;
        Ok(Micros(i64::from_be_bytes(bytes).saturating_add(EPOCH_2000)))
    }

    fn accepts(type_: &Type) -> bool {
        *type_ == Type::TIMESTAMPTZ
    }
}
