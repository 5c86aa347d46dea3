//! Latencies as mergeable histograms, numbered exactly as `currant_lab/latency.py` does: the value itself
//! below 16 us, then 16 buckets to every doubling.

use std::collections::BTreeMap;

const STEPS: u64 = 16;
const STEP_BITS: u32 = 4;

/// The log bucket of a latency in microseconds.
pub fn bucket_of(microseconds: u64) -> u32 {
    if microseconds < STEPS {
        return microseconds as u32;
    }
    let octave = microseconds.ilog2();
    let step = (microseconds >> (octave - STEP_BITS)) & (STEPS - 1);
    (octave - STEP_BITS + 1) * STEPS as u32 + step as u32
}

/// Counts per log bucket, the bucket being the place: an execution is counted in several of these, so counting is one
/// addition and no search. An hour is bucket 464, the last one 975.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(Vec<u64>);

impl Histogram {
    pub fn record(&mut self, microseconds: u64) {
        let bucket = bucket_of(microseconds) as usize;
        if bucket >= self.0.len() {
            self.0.resize(bucket + 1, 0);
        }
        self.0[bucket] += 1;
    }

    pub fn add(&mut self, other: &Histogram) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, count) in self.0.iter_mut().zip(&other.0) {
            *own += count;
        }
    }

    /// (bucket, count) in order of the buckets, of those that counted something.
    pub fn counts(&self) -> Vec<(u32, u64)> {
        self.0
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, &count)| (bucket as u32, count))
            .collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Counts per upper power of two: 0, 1, 2, 4, 8, ...
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes(BTreeMap<u32, u64>);

impl Sizes {
    pub fn record(&mut self, size: usize) {
        let upper = if size == 0 { 0 } else { (size as u32).next_power_of_two() };
        *self.0.entry(upper).or_default() += 1;
    }

    pub fn add(&mut self, other: &Sizes) {
        for (&upper, &count) in &other.0 {
            *self.0.entry(upper).or_default() += count;
        }
    }

    pub fn counts(&self) -> Vec<(u32, u64)> {
        self.0.iter().map(|(&upper, &count)| (upper, count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_python_side() {
        // Taken from currant_lab.latency.bucket_of.
        for (value, bucket) in [
            (0, 0),
            (15, 15),
            (16, 16),
            (31, 31),
            (32, 32),
            (33, 32),
            (34, 33),
            (1_000, 111),
            (1_000_000, 270),
            (u64::from(u32::MAX), 463),
        ] {
            assert_eq!(bucket_of(value), bucket, "bucket of {value}");
        }
    }

    #[test]
    fn sizes_round_up_to_powers_of_two() {
        let mut sizes = Sizes::default();
        for size in [0, 1, 2, 3, 4, 5, 500, 1000] {
            sizes.record(size);
        }
        assert_eq!(sizes.counts(), vec![(0, 1), (1, 1), (2, 1), (4, 2), (8, 1), (512, 1), (1024, 1)]);
    }
}
