use std::collections::HashMap;

use pyo3::prelude::*;

use crate::engine::Stats;
use crate::wake::by_name;

/// Counters since connect, and the present state.
#[pyclass(name = "Stats", module = "currant_lab._native", frozen)]
pub struct PyStats(pub Stats);

#[pymethods]
impl PyStats {
    #[getter]
    fn workers(&self) -> usize {
        self.0.workers
    }

    #[getter]
    fn running(&self) -> usize {
        self.0.running
    }

    #[getter]
    fn buffered(&self) -> usize {
        self.0.buffered
    }

    #[getter]
    fn unsettled(&self) -> usize {
        self.0.unsettled
    }

    #[getter]
    fn prefetch(&self) -> usize {
        self.0.prefetch
    }

    #[getter]
    fn claims(&self) -> u64 {
        self.0.totals.claims.claims
    }

    #[getter]
    fn claimed(&self) -> u64 {
        self.0.totals.claims.claimed
    }

    #[getter]
    fn empty_claims(&self) -> u64 {
        self.0.totals.claims.empty
    }

    #[getter]
    fn wakes(&self) -> HashMap<&'static str, u64> {
        by_name(&self.0.totals.claims.wakes).into_iter().collect()
    }

    #[getter]
    fn statements(&self) -> u64 {
        self.0.totals.statements
    }

    #[getter]
    fn settled(&self) -> u64 {
        self.0.totals.settled
    }

    #[getter]
    fn stale(&self) -> u64 {
        self.0.totals.stale
    }

    #[getter]
    fn released(&self) -> u64 {
        self.0.totals.released
    }

    #[getter]
    fn rescued(&self) -> u64 {
        self.0.totals.rescued
    }

    #[getter]
    fn reconnects(&self) -> u64 {
        self.0.totals.reconnects
    }

    #[getter]
    fn listening(&self) -> bool {
        self.0.is_listening
    }

    #[getter]
    fn lease_age_s(&self) -> f64 {
        self.0.lease_age_s
    }

    #[getter]
    fn wait_us(&self) -> Vec<(u32, u64)> {
        self.0.totals.runs.wait_us.counts()
    }

    #[getter]
    fn run_us(&self) -> Vec<(u32, u64)> {
        self.0.totals.runs.run_us.counts()
    }

    #[getter]
    fn claim_us(&self) -> Vec<(u32, u64)> {
        self.0.totals.claims.claim_us.counts()
    }

    #[getter]
    fn claim_sizes(&self) -> Vec<(u32, u64)> {
        self.0.totals.claims.sizes.counts()
    }
}
