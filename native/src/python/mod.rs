//! The engine as `currant_lab._native`: see `_native.pyi`, which this follows to the letter.

use std::collections::BTreeMap;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use uuid::Uuid;

use crate::buffer;
use crate::db::Target;
use crate::engine;
use crate::error::Error;
use crate::listener;
use crate::outbox::{Outcome, Status};
use crate::state::{Counters, Settings};
use crate::tls::TlsConfig;

mod errors {
    pyo3::import_exception!(currant_lab.errors, DatabaseUnavailable);
    pyo3::import_exception!(currant_lab.errors, SchemaOutdated);
    pyo3::import_exception!(currant_lab.errors, InvalidArguments);
}

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        let text = error.to_string();
        match error {
            Error::Unavailable(_)
            | Error::Timeout { .. }
            | Error::Database(_)
            | Error::System { .. } => errors::DatabaseUnavailable::new_err(text),
            Error::SchemaOutdated(_) => errors::SchemaOutdated::new_err(text),
            Error::Argument(_) => errors::InvalidArguments::new_err(text),
        }
    }
}

type BytesKey<'py> = (Bound<'py, PyBytes>, i32);

fn keys<'py>(py: Python<'py>, keys: &[buffer::Key]) -> Vec<BytesKey<'py>> {
    keys.iter()
        .map(|(id, token)| (PyBytes::new(py, id.as_bytes()), *token))
        .collect()
}

fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(if value.is_finite() {
        value.clamp(0.0, 1e6)
    } else {
        0.0
    })
}

/// A datetime in UTC.
fn moment<'py>(py: Python<'py>, micros: i64) -> PyResult<Bound<'py, PyAny>> {
    let datetime = py.import("datetime")?;
    let utc = datetime.getattr("timezone")?.getattr("utc")?;
    let epoch = datetime
        .getattr("datetime")?
        .call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
    epoch.add(datetime.getattr("timedelta")?.call1((0, 0, micros))?)
}

#[pyclass(frozen, module = "currant_lab._native")]
struct Claimed(buffer::Claimed);

#[pymethods]
impl Claimed {
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.id.as_bytes())
    }
    #[getter]
    fn job(&self) -> &str {
        &self.0.job
    }
    #[getter]
    fn queue(&self) -> &str {
        &self.0.queue
    }
    #[getter]
    fn priority(&self) -> i16 {
        self.0.priority
    }
    #[getter]
    fn attempt(&self) -> i32 {
        self.0.attempt
    }
    #[getter]
    fn token(&self) -> i32 {
        self.0.token
    }
    #[getter]
    fn rescues(&self) -> i16 {
        self.0.rescues
    }
    #[getter]
    fn retries(&self) -> Option<i16> {
        self.0.retries
    }
    #[getter]
    fn batch(&self) -> Option<i64> {
        self.0.batch
    }
    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.created_at)
    }
    #[getter]
    fn due_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.due_at.map(|at| moment(py, at)).transpose()
    }
    #[getter]
    fn claimed_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.claimed_at)
    }
    #[getter]
    fn wait_us(&self) -> i64 {
        self.0.wait_us
    }
    #[getter]
    fn options(&self) -> Option<&str> {
        self.0.options.as_deref()
    }
    #[getter]
    fn args<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.args)
    }
}

#[pyclass(frozen, module = "currant_lab._native")]
struct News {
    #[pyo3(get)]
    committed: u64,
    #[pyo3(get)]
    stale: Vec<u64>,
    #[pyo3(get)]
    refused: Vec<(u64, String)>,
    cancel: Vec<buffer::Key>,
    lost: Vec<buffer::Key>,
    #[pyo3(get)]
    trouble: Option<String>,
}

#[pymethods]
impl News {
    #[getter]
    fn cancel<'py>(&self, py: Python<'py>) -> Vec<BytesKey<'py>> {
        keys(py, &self.cancel)
    }
    #[getter]
    fn lost<'py>(&self, py: Python<'py>) -> Vec<BytesKey<'py>> {
        keys(py, &self.lost)
    }
    #[getter]
    fn connected(&self) -> bool {
        self.trouble.is_none()
    }
}

#[pyclass(frozen, module = "currant_lab._native")]
struct Stats {
    #[pyo3(get)]
    workers: usize,
    #[pyo3(get)]
    running: usize,
    #[pyo3(get)]
    buffered: usize,
    #[pyo3(get)]
    unsettled: usize,
    #[pyo3(get)]
    prefetch: usize,
    #[pyo3(get)]
    listening: bool,
    #[pyo3(get)]
    lease_age_s: f64,
    counters: Counters,
}

#[pymethods]
impl Stats {
    #[getter]
    fn claims(&self) -> u64 {
        self.counters.claims
    }
    #[getter]
    fn claimed(&self) -> u64 {
        self.counters.claimed
    }
    #[getter]
    fn empty_claims(&self) -> u64 {
        self.counters.empty_claims
    }
    #[getter]
    fn wakes(&self) -> BTreeMap<&'static str, u64> {
        self.counters.wakes.clone()
    }
    #[getter]
    fn statements(&self) -> u64 {
        self.counters.statements
    }
    #[getter]
    fn settled(&self) -> u64 {
        self.counters.settled
    }
    #[getter]
    fn stale(&self) -> u64 {
        self.counters.stale
    }
    #[getter]
    fn released(&self) -> u64 {
        self.counters.released
    }
    #[getter]
    fn rescued(&self) -> u64 {
        self.counters.rescued
    }
    #[getter]
    fn reconnects(&self) -> u64 {
        self.counters.reconnects
    }
    #[getter]
    fn wait_us(&self) -> Vec<(u32, u64)> {
        self.counters.wait.counts()
    }
    #[getter]
    fn run_us(&self) -> Vec<(u32, u64)> {
        self.counters.run.counts()
    }
    #[getter]
    fn claim_us(&self) -> Vec<(u32, u64)> {
        self.counters.claim.counts()
    }
    #[getter]
    fn claim_sizes(&self) -> Vec<(u32, u64)> {
        self.counters.sizes.counts()
    }
}

#[pyclass(frozen, module = "currant_lab._native")]
struct Engine(engine::Engine);

#[pymethods]
impl Engine {
    #[staticmethod]
    #[pyo3(signature = (*, hosts, user, password, database, sslmode, sslrootcert, sslcert, sslkey, target_session_attrs, connect_timeout, schema, name, kind, version, queues, jobs, workers))]
    #[allow(clippy::too_many_arguments)] // the stub's keywords, one for one
    fn connect(
        py: Python<'_>,
        hosts: Vec<(String, u16)>,
        user: String,
        password: Option<String>,
        database: String,
        sslmode: String,
        sslrootcert: Option<String>,
        sslcert: Option<String>,
        sslkey: Option<String>,
        target_session_attrs: &str,
        connect_timeout: f64,
        schema: String,
        name: String,
        kind: String,
        version: String,
        queues: Vec<String>,
        jobs: Vec<String>,
        workers: usize,
    ) -> PyResult<Engine> {
        let target = Target {
            hosts,
            user,
            password,
            database,
            tls: TlsConfig {
                mode: sslmode,
                root_cert: sslrootcert,
                cert: sslcert,
                key: sslkey,
            },
            wants_writes: matches!(target_session_attrs, "read-write" | "primary"),
            connect_timeout: seconds(connect_timeout),
        };
        let settings = Settings {
            target,
            schema,
            name,
            kind,
            version,
            queues,
            jobs,
            workers,
        };
        Ok(Engine(py.detach(|| engine::Engine::connect(settings))?))
    }

    #[getter]
    fn pool_id(&self) -> i32 {
        self.0.shared.state.lock().pool
    }

    fn fileno(&self) -> i32 {
        self.0.shared.signal.fileno()
    }

    fn clear(&self) {
        self.0.shared.signal.clear();
    }

    fn wake(&self) {
        self.0.shared.wake("notify");
    }

    fn take(&self, max: usize) -> Vec<Claimed> {
        self.0.take(max).into_iter().map(Claimed).collect()
    }

    #[pyo3(signature = (id, token, status, *, result=None, error=None, run_us=0, delay=0.0, logs=None, source=None))]
    #[allow(clippy::too_many_arguments)] // the stub's keywords, one for one
    fn settle(
        &self,
        id: &[u8],
        token: i32,
        status: &str,
        result: Option<Vec<u8>>,
        error: Option<String>,
        run_us: i64,
        delay: f64,
        logs: Option<String>,
        source: Option<String>,
    ) -> PyResult<u64> {
        let id = Uuid::from_slice(id)
            .map_err(|_| Error::Argument("an execution id has 16 bytes".to_owned()))?;
        Ok(self.0.settle(Outcome {
            ticket: None,
            key: (id, token),
            queue: None,
            status: Status::parse(status)?,
            result,
            error,
            run_us,
            delay,
            logs,
            source,
            ended: std::time::Instant::now(),
        }))
    }

    fn news(&self) -> News {
        let (news, trouble) = self.0.news();
        News {
            committed: news.committed,
            stale: news.stale,
            refused: news.refused,
            cancel: news.cancel,
            lost: news.lost,
            trouble,
        }
    }

    fn set_jobs(&self, names: Vec<String>) {
        self.0.shared.state.lock().jobs = names;
        self.0.shared.wake("start");
    }

    fn set_workers(&self, workers: usize) {
        self.0.shared.state.lock().buffer.set_workers(workers);
        self.0.shared.wake("capacity");
    }

    fn stop_claiming(&self) {
        self.0.stop_claiming();
    }

    fn drain(&self, py: Python<'_>, timeout: f64) -> bool {
        py.detach(|| self.0.drain(seconds(timeout)))
    }

    fn close(&self, py: Python<'_>, timeout: f64) {
        py.detach(|| self.0.close(seconds(timeout)));
    }

    fn stats(&self) -> Stats {
        let state = self.0.shared.state.lock();
        Stats {
            workers: state.buffer.workers(),
            running: state.buffer.running(),
            buffered: state.buffer.buffered(),
            unsettled: state.outbox.unsettled(),
            prefetch: state.buffer.prefetch(),
            listening: state.is_listening,
            lease_age_s: state.lease_at.elapsed().as_secs_f64(),
            counters: state.counters.clone(),
        }
    }
}

#[pyclass(frozen, module = "currant_lab._native")]
struct Listener(listener::Listener);

#[pymethods]
impl Listener {
    #[staticmethod]
    #[pyo3(signature = (*, hosts, user, password, database, sslmode, sslrootcert, sslcert, sslkey, target_session_attrs, connect_timeout, channels))]
    #[allow(clippy::too_many_arguments)] // the stub's keywords, one for one
    fn connect(
        py: Python<'_>,
        hosts: Vec<(String, u16)>,
        user: String,
        password: Option<String>,
        database: String,
        sslmode: String,
        sslrootcert: Option<String>,
        sslcert: Option<String>,
        sslkey: Option<String>,
        target_session_attrs: &str,
        connect_timeout: f64,
        channels: Vec<String>,
    ) -> PyResult<Listener> {
        let target = Target {
            hosts,
            user,
            password,
            database,
            tls: TlsConfig {
                mode: sslmode,
                root_cert: sslrootcert,
                cert: sslcert,
                key: sslkey,
            },
            wants_writes: matches!(target_session_attrs, "read-write" | "primary"),
            connect_timeout: seconds(connect_timeout),
        };
        Ok(Listener(py.detach(|| {
            listener::Listener::connect(target, channels)
        })?))
    }

    fn fileno(&self) -> i32 {
        self.0.inbox.signal.fileno()
    }

    fn clear(&self) {
        self.0.inbox.signal.clear();
    }

    fn take(&self) -> Vec<(String, String)> {
        self.0.take()
    }

    #[getter]
    fn dropped(&self) -> u64 {
        self.0
            .inbox
            .dropped
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    #[getter]
    fn connected(&self) -> bool {
        self.0
            .inbox
            .is_connected
            .load(std::sync::atomic::Ordering::SeqCst)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Claimed>()?;
    module.add_class::<Engine>()?;
    module.add_class::<Listener>()?;
    module.add_class::<News>()?;
    module.add_class::<Stats>()?;
    Ok(())
}
