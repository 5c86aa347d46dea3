//! The engine as a Python module: the only part that knows PyO3. `currant_lab/_native.pyi` is its contract.

mod claimed;
mod engine;
mod errors;
mod listener;
mod news;
mod stats;

use pyo3::prelude::*;

// The module's state is Rust's own locks, but free-threaded builds are not tested: the GIL stays on there.
#[pymodule(gil_used = true)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::claimed::PyClaimed;
    #[pymodule_export]
    use super::engine::PyEngine;
    #[pymodule_export]
    use super::listener::PyListener;
    #[pymodule_export]
    use super::news::PyNews;
    #[pymodule_export]
    use super::stats::PyStats;

    /// The engine's statements for one schema, by name.
    #[pyfunction]
    fn statements(schema: &str) -> PyResult<std::collections::HashMap<&'static str, String>> {
        let sql = crate::sql::Sql::new(schema)?;
        Ok(sql.all().into_iter().map(|statement| (statement.name, statement.text.clone())).collect())
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("__all__", vec!["Claimed", "Engine", "Listener", "News", "Stats", "__version__", "statements"])
    }
}

/// An id, as it comes from Python: 16 bytes.
fn id_of(id: &[u8]) -> PyResult<uuid::Uuid> {
    uuid::Uuid::from_slice(id)
        .map_err(|_| pyo3::exceptions::PyValueError::new_err(format!("an execution id has 16 bytes, not {}", id.len())))
}
