//! What a cache counts, as Prometheus reads it (text format 0.0.4). Every line carries the cache's key prefix, so that several
//! caches of a process can be told apart.

use crate::core::breaker::Phase;
use crate::core::cache::Cache;
use crate::core::collection::Collection;
use crate::core::collection::lines::Lines;
use crate::core::engine::{Engine, Entries};
use crate::core::histogram::{BOUNDS_MS, Histogram};
use crate::core::protocol::Generation;
use crate::core::stats::{Count, Stats};
use std::fmt::Write;
use std::time::Duration;

const FILLS: &str = "Values loaded from the source: written to Redis, or refused because an invalidation came between.";
const REFRESHES: &str = "Loads begun because the stored value was gone or about to expire.";
const GENERATION: &str = "The generation of the prompt in memory, or the last one that a cache of resources acknowledged; 0 without one.";
const STALENESS: &str =
    "For how long a value had been served without asking, each time it was asked for again.";

/// The text as far as it is written. A sample is what stands between the braces besides the cache, and the value.
struct Page<'a> {
    text: String,
    /// The engine's own, and those of what it drives, with the labels by which these are told apart.
    shared: &'a Stats,
    rows: &'a [Row<'a>],
    cache: &'a str,
}

/// What one resource counts, or the whole cache of one value.
pub(super) struct Row<'a> {
    pub resource: Option<&'a str>,
    pub stats: &'a Stats,
}

impl Page<'_> {
    /// Counted for each row: a label beside it, and the counter.
    fn counters(&mut self, name: &str, help: &str, samples: &[(&str, Count)]) {
        let name = format!("grove_cache_{name}_total");
        self.head(&name, "counter", help);
        for row in self.rows {
            for (label, count) in samples {
                self.sample(&name, &with(row, label), count(row.stats));
            }
        }
    }

    /// Counted once for the whole cache.
    fn counter(&mut self, name: &str, help: &str, samples: &[(&str, u64)]) {
        self.family(
            &format!("grove_cache_{name}_total"),
            "counter",
            help,
            samples,
        );
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
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

    fn histograms(&mut self, name: &str, help: &str, histogram: fn(&Stats) -> &Histogram) {
        let name = format!("grove_cache_{name}_seconds");
        self.head(&name, "histogram", help);
        for row in self.rows {
            self.histogram_of(&name, row, histogram(row.stats));
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let name = format!("grove_cache_{name}_seconds");
        self.head(&name, "histogram", help);
        let whole = Row {
            resource: None,
            stats: self.shared,
        };
        self.histogram_of(&name, &whole, histogram);
    }

    fn histogram_of(&mut self, name: &str, row: &Row, histogram: &Histogram) {
        let counts = histogram.cumulated();
        for (bound, count) in BOUNDS_MS.iter().zip(counts) {
            let bound = Duration::from_millis(*bound).as_secs_f64();
            let label = with(row, &format!("le=\"{bound}\""));
            self.sample(&format!("{name}_bucket"), &label, count);
        }
        let all = counts[BOUNDS_MS.len()];
        self.sample(&format!("{name}_bucket"), &with(row, "le=\"+Inf\""), all);
        let sum = histogram.sum().as_secs_f64();
        self.sample(&format!("{name}_sum"), &with(row, ""), sum);
        self.sample(&format!("{name}_count"), &with(row, ""), all);
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

/// The label of a sample, after that of its row.
fn with(row: &Row, label: &str) -> String {
    match row.resource {
        None => label.to_owned(),
        Some(resource) if label.is_empty() => format!("resource=\"{resource}\""),
        Some(resource) => format!("resource=\"{resource}\",{label}"),
    }
}

impl Cache {
    /// The metrics of this cache. Asks nobody.
    pub fn metrics(&self) -> String {
        let rows = [Row {
            resource: None,
            stats: &self.stats,
        }];
        let generation = self.near().generation;
        self.engine()
            .metrics(&rows, self.push_connected(), generation, None)
    }
}

impl Collection {
    /// The metrics of this cache and its resources. Asks nobody.
    pub fn metrics(&self) -> String {
        let resources = self.resources();
        let rows: Vec<_> = resources
            .iter()
            .map(|resource| Row {
                resource: Some(&resource.name),
                stats: &resource.stats,
            })
            .collect();
        let (open, generation) = (self.push_connected(), self.acknowledged());
        self.engine()
            .metrics(&rows, open, generation, Some(&self.lines))
    }
}

impl Engine {
    fn metrics(
        &self,
        rows: &[Row],
        push_connected: bool,
        generation: Option<Generation>,
        lines: Option<&Lines>,
    ) -> String {
        let stats = &self.stats;
        let mut page = Page {
            text: String::new(),
            shared: stats,
            rows,
            cache: &self.parts.name,
        };
        page.counters("reads", "Reads that began.", &[("", Stats::reads)]);
        page.counters(
            "answers",
            "Reads that memory answered, and loads that another tier answered.",
            &[
                ("tier=\"memory\"", |stats| stats.memory_hits.get()),
                ("tier=\"redis\"", |stats| stats.hits.get()),
                ("tier=\"source\"", |stats| stats.loaded.get()),
                ("tier=\"stale\"", |stats| stats.stale.get()),
                ("tier=\"fallback\"", |stats| stats.fallbacks.get()),
            ],
        );
        page.counters(
            "joined",
            "Reads that shared a load which another one had begun.",
            &[("", |stats| stats.joined.get())],
        );
        page.counters(
            "misses",
            "Looks into Redis that found nothing usable, by why; a load may look more than once.",
            &[
                ("reason=\"absent\"", |stats| stats.absent.get()),
                ("reason=\"foreign\"", |stats| stats.foreign.get()),
                ("reason=\"signature\"", |stats| {
                    stats.signatures_refused.get()
                }),
            ],
        );
        page.counters(
            "source_reads",
            "Requests to the source.",
            &[("", |stats| stats.source_reads.get())],
        );
        page.counters(
            "source_faults",
            "Requests that the source did not answer.",
            &[("", |stats| stats.source_faults.get())],
        );
        page.counters(
            "fills",
            FILLS,
            &[
                ("result=\"stored\"", |stats| stats.fills.get()),
                ("result=\"refused\"", |stats| stats.fills_refused.get()),
            ],
        );
        page.counters(
            "refreshes",
            REFRESHES,
            &[("", |stats| stats.refreshes.get())],
        );
        page.counter(
            "store_commands",
            "Commands sent to Redis, and those inside scripts: what its plan counts.",
            &[("", self.store_commands())],
        );
        page.counters(
            "store_faults",
            "Commands that Redis did not answer, or was not asked because its breaker is open.",
            &[("", |stats| stats.store_faults.get())],
        );
        let (phase, opened) = self.breaker().unwrap_or((Phase::Closed, 0));
        page.counter(
            "breaker_opened",
            "How often the breaker opened.",
            &[("", opened)],
        );
        let state = match phase {
            Phase::Closed => 0,
            Phase::HalfOpen => 1,
            Phase::Open => 2,
        };
        page.gauge("breaker_state", "0: closed, 1: half open, 2: open.", state);
        page.counter(
            "invalidations",
            "Invalidations made here: gone through, or not taken by Redis.",
            &[
                ("result=\"done\"", stats.invalidations.get()),
                ("result=\"failed\"", stats.invalidations_failed.get()),
            ],
        );
        page.gauge(
            "invalidation_pending",
            "1 while an invalidation made here did not reach Redis yet.",
            self.invalidation_pending().into(),
        );
        page.counter(
            "publishes_failed",
            "Invalidations made here that the other instances could not be told of.",
            &[("", stats.publishes_failed.get())],
        );
        page.counter(
            "pushes",
            "Announcements that arrived.",
            &[("", stats.pushes.get())],
        );
        page.counter(
            "push_connects",
            "How often the push stream was opened.",
            &[("", stats.push_connects.get())],
        );
        page.gauge(
            "push_connected",
            "1 while the push stream is open.",
            push_connected.into(),
        );
        page.gauge(
            "generation",
            GENERATION,
            generation.map_or(0, |generation| generation.number()),
        );
        if let Some(lines) = lines {
            page.gauge("near_entries", "Entries in memory.", lines.count() as u64);
            page.gauge("near_bytes", "Bytes that they take.", lines.bytes());
            page.counter(
                "near_evictions",
                "Entries that had to go for others.",
                &[("", lines.evictions.get())],
            );
        }
        page.histograms(
            "store_latency",
            "How long Redis took to answer a read.",
            |stats| &stats.store_latency,
        );
        page.histograms(
            "source_latency",
            "How long the source took to answer.",
            |stats| &stats.source_latency,
        );
        page.histograms("staleness", STALENESS, |stats| &stats.staleness);
        page.histogram(
            "propagation",
            "From the commit of an invalidation made here until an instance confirmed it, where a receipt waited for all.",
            &stats.propagation,
        );
        page.text
    }
}
