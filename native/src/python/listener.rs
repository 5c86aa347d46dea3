use pyo3::prelude::*;

use super::engine::{seconds, wants_writes};
use crate::db::Target;
use crate::listen::Listener;
use crate::tls::TlsConfig;

/// LISTENs on channels and drains them at once, so that a busy notebook never holds vacuum back.
#[pyclass(name = "Listener", module = "currant_lab._native", frozen)]
pub struct PyListener(Listener);

#[pymethods]
impl PyListener {
    #[staticmethod]
    #[pyo3(signature = (*, hosts, user, password, database, sslmode, sslrootcert, sslcert, sslkey,
        target_session_attrs, connect_timeout, channels))]
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
        channels: Vec<String>,
    ) -> PyResult<PyListener> {
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
        Ok(PyListener(py.detach(|| Listener::connect(target, &channels))?))
    }

    fn fileno(&self) -> i32 {
        self.0.fileno()
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn take(&self) -> Vec<(String, String)> {
        self.0.take()
    }

    #[getter]
    fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    #[getter]
    fn connected(&self) -> bool {
        self.0.is_connected()
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}
