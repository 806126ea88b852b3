//! What a cache counts, as Prometheus reads it (text format 0.0.4). Every line carries the cache's key prefix, so that several
//! caches of a process can be told apart.

use crate::observe::histogram::{BOUNDS_MS, Histogram};
use crate::observe::stats::{Count, Stats};
use std::fmt::Write;
use std::time::Duration;

/// The text as far as it is written. A sample is what stands between the braces besides the cache, and the value.
pub struct Page<'a> {
    text: String,
    cache: &'a str,
    rows: &'a [Row<'a>],
}

/// What one resource counts.
pub struct Row<'a> {
    pub resource: &'a str,
    pub stats: &'a Stats,
}

impl<'a> Page<'a> {
    /// For the cache of this key prefix.
    pub fn new(cache: &'a str, rows: &'a [Row<'a>]) -> Self {
        Page {
            text: String::new(),
            cache,
            rows,
        }
    }

    pub fn into_text(self) -> String {
        self.text
    }

    /// Counted for each row: a label beside it, and the counter. A family without rows is left out.
    pub fn counters(&mut self, name: &str, help: &str, samples: &[(&str, Count)]) {
        if self.rows.is_empty() {
            return;
        }
        let name = format!("grove_cache_{name}_total");
        self.head(&name, "counter", help);
        for row in self.rows {
            for (label, count) in samples {
                self.sample(&name, &joined(&of(row), label), count(row.stats));
            }
        }
    }

    /// Counted once for the whole cache.
    pub fn counter(&mut self, name: &str, help: &str, samples: &[(&str, u64)]) {
        self.family(
            &format!("grove_cache_{name}_total"),
            "counter",
            help,
            samples,
        );
    }

    pub fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(
            &format!("grove_cache_{name}"),
            "gauge",
            help,
            &[("", value)],
        );
    }

    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[(&str, u64)]) {
        self.head(name, kind, help);
        for (label, value) in samples {
            self.sample(name, label, value);
        }
    }

    pub fn histograms(&mut self, name: &str, help: &str, histogram: fn(&Stats) -> &Histogram) {
        if self.rows.is_empty() {
            return;
        }
        let name = format!("grove_cache_{name}_seconds");
        self.head(&name, "histogram", help);
        for row in self.rows {
            self.histogram_of(&name, &of(row), histogram(row.stats));
        }
    }

    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let name = format!("grove_cache_{name}_seconds");
        self.head(&name, "histogram", help);
        self.histogram_of(&name, "", histogram);
    }

    /// `labels` come before the bound.
    fn histogram_of(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let counts = histogram.cumulated();
        for (bound, count) in BOUNDS_MS.iter().zip(counts) {
            let bound = Duration::from_millis(*bound).as_secs_f64();
            let label = joined(labels, &format!("le=\"{bound}\""));
            self.sample(&format!("{name}_bucket"), &label, count);
        }
        let all = counts[BOUNDS_MS.len()];
        self.sample(
            &format!("{name}_bucket"),
            &joined(labels, "le=\"+Inf\""),
            all,
        );
        self.sample(
            &format!("{name}_sum"),
            labels,
            histogram.sum().as_secs_f64(),
        );
        self.sample(&format!("{name}_count"), labels, all);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, label: &str, value: impl std::fmt::Display) {
        let comma = if label.is_empty() { "" } else { "," };
        let cache = self.cache;
        let _ = writeln!(
            self.text,
            "{name}{{cache=\"{cache}\"{comma}{label}}} {value}"
        );
    }
}

/// The label of a row.
fn of(row: &Row) -> String {
    format!("resource=\"{}\"", row.resource)
}

fn joined(labels: &str, label: &str) -> String {
    let comma = if labels.is_empty() || label.is_empty() {
        ""
    } else {
        ","
    };
    format!("{labels}{comma}{label}")
}
