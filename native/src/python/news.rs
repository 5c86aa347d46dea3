use std::borrow::Cow;

use pyo3::prelude::*;

use crate::buffer::Key;
use crate::core::News;

/// What has happened since the last call of `Engine.news`.
#[pyclass(name = "News", module = "currant_lab._native", frozen)]
pub struct PyNews {
    pub news: News,
    pub is_connected: bool,
}

#[pymethods]
impl PyNews {
    #[getter]
    fn committed(&self) -> u64 {
        self.news.committed
    }

    #[getter]
    fn stale(&self) -> Vec<u64> {
        self.news.stale.clone()
    }

    #[getter]
    fn refused(&self) -> Vec<(u64, String)> {
        self.news.refused.clone()
    }

    #[getter]
    fn cancel(&self) -> Vec<(Cow<'_, [u8]>, i32)> {
        keys(&self.news.cancel)
    }

    #[getter]
    fn lost(&self) -> Vec<(Cow<'_, [u8]>, i32)> {
        keys(&self.news.lost)
    }

    #[getter]
    fn cancelled(&self) -> Vec<(Cow<'_, [u8]>, i32)> {
        keys(&self.news.cancelled)
    }

    #[getter]
    fn connected(&self) -> bool {
        self.is_connected
    }

    #[getter]
    fn trouble(&self) -> Option<&str> {
        self.news.trouble.as_deref()
    }
}

fn keys(keys: &[Key]) -> Vec<(Cow<'_, [u8]>, i32)> {
    keys.iter().map(|(id, token)| (Cow::Borrowed(id.as_bytes().as_slice()), *token)).collect()
}
