//! One test's schema: what is written, asked and connected there.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use currant_native::core::PoolConfig;
use currant_native::db::Target;
use currant_native::engine::Engine;
use currant_native::tls::TlsConfig;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::cluster::{self, Cluster};

static NEXT: AtomicU32 = AtomicU32::new(1);

const MIGRATIONS: &[&str] = &[
    include_str!("../../../currant_lab/database/migrations/0001_initial.sql"),
    include_str!("../../../currant_lab/database/migrations/0002_functions.sql"),
    include_str!("../../../currant_lab/database/migrations/0003_dependencies.sql"),
];

pub struct Books {
    pub schema: String,
    cluster: &'static Cluster,
    runtime: Runtime,
    client: Client,
}

pub fn target_at(directory: &str, port: u16) -> Target {
    Target {
        hosts: vec![(directory.to_owned(), port)],
        user: "postgres".to_owned(),
        password: None,
        database: "postgres".to_owned(),
        tls: TlsConfig { mode: "prefer".to_owned(), root_cert: None, cert: None, key: None },
        wants_writes: false,
        connect_timeout: Duration::from_secs(10),
    }
}

impl Books {
    /// A migrated schema that no other test uses.
    pub fn open() -> Books {
        Books::open_on(cluster::shared())
    }

    pub fn open_on(cluster: &'static Cluster) -> Books {
        let schema = format!("t{}_{}", NEXT.fetch_add(1, Ordering::SeqCst), std::process::id());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let host = cluster.directory.to_str().expect("a path");
        let client = runtime.block_on(async {
            let mut config = tokio_postgres::Config::new();
            config.host(host).port(cluster.port).user("postgres").dbname("postgres");
            let (client, connection) = config.connect(NoTls).await.expect("the server");
            tokio::spawn(connection);
            client
        });
        let books = Books { schema, cluster, runtime, client };
        books.run(&format!("CREATE SCHEMA {}", books.schema));
        for migration in MIGRATIONS {
            books.run(migration);
        }
        books
    }

    pub fn target(&self) -> Target {
        target_at(self.cluster.directory.to_str().expect("a path"), self.cluster.port)
    }

    pub fn config(&self, workers: usize) -> PoolConfig {
        PoolConfig {
            schema: self.schema.clone(),
            name: self.schema.clone(),
            kind: "script".to_owned(),
            version: "0".to_owned(),
            queues: vec!["default".to_owned()],
            jobs: vec!["m:f".to_owned()],
            workers,
        }
    }

    pub fn engine(&self, workers: usize) -> Engine {
        self.engine_with(self.config(workers))
    }

    pub fn engine_with(&self, config: PoolConfig) -> Engine {
        Engine::connect(self.target(), config).expect("the engine connects")
    }

    /// Runs statements in which `currant` stands for the schema.
    pub fn run(&self, sql: &str) {
        let _rows = self.rows(sql);
    }

    /// The rows of all statements, as text; null is the empty text.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let text = sql.replace("currant", &self.schema);
        let answers = self.runtime.block_on(self.client.simple_query(&text));
        let answers = answers.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        answers
            .iter()
            .filter_map(|answer| match answer {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|index| row.get(index).unwrap_or_default().to_owned()).collect())
                }
                _ => None,
            })
            .collect()
    }

    /// The one value that a query gives.
    pub fn value(&self, sql: &str) -> String {
        self.rows(sql).first().and_then(|row| row.first()).cloned().unwrap_or_default()
    }

    pub fn count(&self, sql: &str) -> i64 {
        self.value(&format!("SELECT count(*) FROM {sql}")).parse().expect("a number")
    }

    /// Submits as the client does, and gives the NOTIFY.
    pub fn submit(&self, count: usize) {
        self.submit_to("default", "m:f", 0, count);
    }

    pub fn submit_to(&self, queue: &str, job: &str, priority: i32, count: usize) {
        self.run(&format!(
            "BEGIN; INSERT INTO currant.executions (id, job, queue, priority, args)
             SELECT currant.new_id(), '{job}', '{queue}', {priority}, '[]' FROM generate_series(1, {count});
             SELECT pg_notify('currant_wake', '+{queue}'); COMMIT"
        ));
    }

    /// Submits quietly: nobody is told.
    pub fn insert(&self, count: usize) {
        self.run(&format!(
            "INSERT INTO currant.executions (id, job, args)
             SELECT currant.new_id(), 'm:f', '[]' FROM generate_series(1, {count})"
        ));
    }

    /// A pool's row as a process that is dead would have left it, with `count` executions running.
    pub fn dead_pool(&self, count: usize, columns: &str) -> i32 {
        let pool = self.value(
            "INSERT INTO currant.pools (name, kind, host, boot_id, pid, pid_started, version, queues, workers)
             VALUES ('dead', 'script', 'elsewhere', 'other boot', 1, 1, '0', '{default}', 1) RETURNING id",
        );
        if !columns.is_empty() {
            self.run(&format!("UPDATE currant.pools SET {columns} WHERE id = {pool}"));
        }
        self.run(&format!(
            "INSERT INTO currant.executions (id, job, args, status, attempt, token, claimed_by, claimed_at)
             SELECT currant.new_id(), 'm:f', '[]', 'running', 1, 1, {pool}, now() FROM generate_series(1, {count})"
        ));
        pool.parse().expect("an id")
    }

    /// How many executions stand where, all tables together.
    pub fn standing(&self) -> Vec<(String, i64)> {
        self.rows("SELECT status, count(*) FROM currant.all_executions GROUP BY 1 ORDER BY 1")
            .into_iter()
            .map(|row| (row[0].clone(), row[1].parse().expect("a number")))
            .collect()
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.run("DROP SCHEMA currant CASCADE");
        }
    }
}
