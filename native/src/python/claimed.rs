use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDateTime, PyTzInfo};

use crate::buffer::Claimed;

/// One claimed execution, as it goes to a worker.
#[pyclass(name = "Claimed", module = "currant_lab._native", frozen)]
pub struct PyClaimed(pub Claimed);

#[pymethods]
impl PyClaimed {
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
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        moment(py, self.0.created_at)
    }

    #[getter]
    fn due_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        self.0.due_at.map(|due_at| moment(py, due_at)).transpose()
    }

    #[getter]
    fn claimed_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
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

    fn __repr__(&self) -> String {
        format!("<Claimed {} {}, attempt {}>", self.0.job, self.0.id, self.0.attempt)
    }
}

/// A moment in UTC. Whole seconds and microseconds apart: as one float a microsecond would be lost now and then.
fn moment(py: Python<'_>, microseconds: i64) -> PyResult<Bound<'_, PyDateTime>> {
    let utc = PyTzInfo::utc(py)?;
    let seconds = microseconds.div_euclid(1_000_000) as f64;
    let rest = microseconds.rem_euclid(1_000_000);
    let whole = PyDateTime::from_timestamp(py, seconds, Some(&utc))?;
    let replaced = whole.call_method("replace", (), Some(&[("microsecond", rest)].into_py_dict(py)?))?;
    Ok(replaced.cast_into::<PyDateTime>()?)
}

use pyo3::types::IntoPyDict;
