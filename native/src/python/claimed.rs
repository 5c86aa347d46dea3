use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyDateTime, PyString, PyTzInfo};

use crate::buffer::Claimed;

/// One claimed execution, as it goes to a worker. What every worker asks for, some of it more than once, is a Python
/// object already.
#[pyclass(name = "Claimed", module = "currant_lab._native", frozen)]
pub struct PyClaimed {
    #[pyo3(get)]
    id: Py<PyBytes>,
    #[pyo3(get)]
    job: Py<PyString>,
    #[pyo3(get)]
    queue: Py<PyString>,
    #[pyo3(get)]
    args: Py<PyBytes>,
    rest: Claimed,
}

impl PyClaimed {
    /// In the same order; a name is one object for all that follow each other with it.
    pub fn all(py: Python<'_>, taken: Vec<Claimed>) -> Vec<PyClaimed> {
        let (mut jobs, mut queues) = (LastName::default(), LastName::default());
        let mut made = Vec::with_capacity(taken.len());
        for mut claimed in taken {
            made.push(PyClaimed {
                id: PyBytes::new(py, claimed.id.as_bytes()).unbind(),
                job: jobs.of(py, &claimed.job),
                queue: queues.of(py, &claimed.queue),
                args: PyBytes::new(py, &std::mem::take(&mut claimed.args)).unbind(),
                rest: claimed,
            });
        }
        made
    }
}

#[derive(Default)]
struct LastName(Option<(Arc<str>, Py<PyString>)>);

impl LastName {
    fn of(&mut self, py: Python<'_>, name: &Arc<str>) -> Py<PyString> {
        match &self.0 {
            Some((last, made)) if Arc::ptr_eq(last, name) => made.clone_ref(py),
            _ => {
                let made = PyString::new(py, name).unbind();
                self.0 = Some((name.clone(), made.clone_ref(py)));
                made
            }
        }
    }
}

#[pymethods]
impl PyClaimed {
    #[getter]
    fn priority(&self) -> i16 {
        self.rest.priority
    }

    #[getter]
    fn attempt(&self) -> i32 {
        self.rest.attempt
    }

    #[getter]
    fn token(&self) -> i32 {
        self.rest.token
    }

    #[getter]
    fn rescues(&self) -> i16 {
        self.rest.rescues
    }

    #[getter]
    fn retries(&self) -> Option<i16> {
        self.rest.retries
    }

    #[getter]
    fn batch(&self) -> Option<i64> {
        self.rest.batch
    }

    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        moment(py, self.rest.created_at)
    }

    #[getter]
    fn due_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        self.rest.due_at.map(|due_at| moment(py, due_at)).transpose()
    }

    #[getter]
    fn claimed_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        moment(py, self.rest.claimed_at)
    }

    #[getter]
    fn wait_us(&self) -> i64 {
        self.rest.wait_us
    }

    #[getter]
    fn options(&self) -> Option<&str> {
        self.rest.options.as_deref()
    }

    fn __repr__(&self) -> String {
        format!("<Claimed {} {}, attempt {}>", self.rest.job, self.rest.id, self.rest.attempt)
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
