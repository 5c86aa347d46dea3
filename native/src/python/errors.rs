//! The one mapping of the engine's errors into Python's tree.

use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyValueError};

use crate::error::Error;

pyo3::import_exception!(currant_lab.errors, DatabaseUnavailable);
pyo3::import_exception!(currant_lab.errors, SchemaOutdated);

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        let text = error.to_string();
        match error {
            Error::Unavailable(_) | Error::Timeout { .. } | Error::Database(_) => DatabaseUnavailable::new_err(text),
            Error::SchemaOutdated(_) => SchemaOutdated::new_err(text),
            Error::Argument(_) => PyValueError::new_err(text),
            Error::System { .. } => PyOSError::new_err(text),
        }
    }
}
