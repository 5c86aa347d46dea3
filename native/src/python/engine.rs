use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::claimed::PyClaimed;
use super::id_of;
use super::news::PyNews;
use super::stats::PyStats;
use crate::core::PoolConfig;
use crate::db::Target;
use crate::engine::{Engine, Report};
use crate::error::Error;
use crate::outbox::Status;
use crate::submit::New;
use crate::tls::TlsConfig;

/// Claims, prefetches, settles and keeps the lease for one pool, on threads of its own.
#[pyclass(name = "Engine", module = "currant_lab._native", frozen)]
pub struct PyEngine(Engine);

#[pymethods]
impl PyEngine {
    #[staticmethod]
    #[pyo3(signature = (*, hosts, user, password, database, sslmode, sslrootcert, sslcert, sslkey,
        target_session_attrs, connect_timeout, schema, name, kind, version, queues, jobs, workers))]
    #[expect(clippy::too_many_arguments, reason = "the stub's keywords, one by one")]
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
    ) -> PyResult<PyEngine> {
        let tls = TlsConfig { mode: sslmode, root_cert: sslrootcert, cert: sslcert, key: sslkey };
        let target = Target {
            hosts,
            user,
            password,
            database,
            tls,
            wants_writes: wants_writes(target_session_attrs)?,
            connect_timeout: seconds(connect_timeout),
        };
        let config = PoolConfig { schema, name, kind, version, queues, jobs, workers };
        Ok(PyEngine(py.detach(|| Engine::connect(target, config))?))
    }

    #[getter]
    fn pool_id(&self) -> i32 {
        self.0.pool_id()
    }

    fn fileno(&self) -> i32 {
        self.0.fileno()
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn wake(&self) {
        self.0.wake();
    }

    fn reserve(&self, id: &[u8], job: &str, queue: &str) -> PyResult<Option<i32>> {
        Ok(self.0.reserve(id_of(id)?, job, queue))
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of a row, one by one")]
    fn hand_over(
        &self,
        pool: i32,
        id: &[u8],
        job: String,
        queue: String,
        priority: i16,
        retries: Option<i16>,
        options: Option<String>,
        args: Vec<u8>,
        created_at: i64,
        sent_us_ago: u64,
    ) -> PyResult<()> {
        let new = New { id: id_of(id)?, job, queue, priority, retries, options, args };
        let now = Instant::now();
        let sent = now.checked_sub(Duration::from_micros(sent_us_ago)).unwrap_or(now);
        self.0.hand_over(pool, new, created_at, sent);
        Ok(())
    }

    fn unreserve(&self, id: &[u8], is_in_doubt: bool) -> PyResult<()> {
        self.0.unreserve(id_of(id)?, is_in_doubt);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of a row, one by one")]
    fn submit(
        &self,
        py: Python<'_>,
        id: &[u8],
        job: String,
        queue: String,
        priority: i16,
        retries: Option<i16>,
        options: Option<String>,
        args: Vec<u8>,
    ) -> PyResult<bool> {
        let new = New { id: id_of(id)?, job, queue, priority, retries, options, args };
        let Some(mut submitting) = self.0.submit(new)? else {
            return Ok(false);
        };
        loop {
            let (written, again) = py.detach(move || (submitting.wait(INTERRUPT_EVERY), submitting));
            if let Some(written) = written {
                return Ok(written.map(|()| true)?);
            }
            submitting = again;
            if let Err(interrupt) = py.check_signals() {
                submitting.go_on();
                return Err(interrupt);
            }
        }
    }

    fn take(&self, py: Python<'_>, max: usize) -> Vec<PyClaimed> {
        PyClaimed::all(py, self.0.take(max))
    }

    #[pyo3(signature = (id, token, status, result=None, error=None, run_us=0, delay=0.0, logs=None, source=None))]
    #[expect(clippy::too_many_arguments, reason = "the stub's keywords, one by one")]
    fn settle(
        &self,
        id: &[u8],
        token: i32,
        status: &str,
        result: Option<&[u8]>,
        error: Option<Bound<'_, PyString>>,
        run_us: i64,
        delay: f64,
        logs: Option<Bound<'_, PyString>>,
        source: Option<Bound<'_, PyString>>,
    ) -> PyResult<u64> {
        let delay = if delay.is_finite() { delay.clamp(0.0, LONGEST_DELAY) } else { 0.0 };
        let (error, logs, source) = (text_of(error), text_of(logs), text_of(source));
        let result = result.map(<[u8]>::to_vec);
        let report = Report { result, error, run_us, delay, logs, source };
        Ok(self.0.settle((id_of(id)?, token), Status::parse(status)?, report))
    }

    fn forget(&self, id: &[u8], token: i32) -> PyResult<()> {
        self.0.forget((id_of(id)?, token));
        Ok(())
    }

    fn put_away(&self, id: &[u8], token: i32) -> PyResult<()> {
        self.0.put_away((id_of(id)?, token));
        Ok(())
    }

    fn set_resting(&self, resting: usize) {
        self.0.set_resting(resting);
    }

    fn news(&self) -> PyNews {
        PyNews { news: self.0.news(), is_connected: self.0.is_connected() }
    }

    fn set_jobs(&self, names: Vec<String>) {
        self.0.set_jobs(&names);
    }

    fn set_workers(&self, workers: usize) {
        self.0.set_workers(workers);
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

    fn stats(&self) -> PyStats {
        PyStats(self.0.stats())
    }
}

/// A wait in Rust looks this often whether it was interrupted.
const INTERRUPT_EVERY: Duration = Duration::from_millis(100);

/// A retry waits a hundred years at most: more than that PostgreSQL may not be able to date.
const LONGEST_DELAY: f64 = 100.0 * 366.0 * 86_400.0;

/// A text of the handler's. It may hold lone surrogates, which no database stores: an outcome is not lost over them.
fn text_of(text: Option<Bound<'_, PyString>>) -> Option<String> {
    text.map(|text| text.to_string_lossy().into_owned())
}

/// A time limit from Python: anything that is not a number of seconds is none, a day at most.
pub fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(if value.is_nan() { 0.0 } else { value.clamp(0.0, 86_400.0) })
}

pub fn wants_writes(target_session_attrs: &str) -> Result<bool, Error> {
    match target_session_attrs {
        "any" => Ok(false),
        "read-write" | "primary" => Ok(true),
        other => Err(Error::Argument(format!(
            "target_session_attrs is any, read-write or primary, not {other:?}: a pool writes"
        ))),
    }
}
