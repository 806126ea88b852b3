//! What a cache counts, as Prometheus reads it (text format 0.0.4). Every line carries the cache's key prefix, so that several
//! caches of a process can be told apart.

use crate::core::breaker::Phase;
use crate::core::cache::Cache;
use crate::core::histogram::{BOUNDS_MS, Histogram};
use std::fmt::Write;
use std::time::Duration;

/// The text as far as it is written. A sample is what stands between the braces besides the cache, and the value.
struct Page<'a> {
    text: String,
    cache: &'a str,
}

impl Page<'_> {
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

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let name = format!("grove_cache_{name}_seconds");
        self.head(&name, "histogram", help);
        let counts = histogram.cumulated();
        for (bound, count) in BOUNDS_MS.iter().zip(counts) {
            let bound = Duration::from_millis(*bound).as_secs_f64();
            self.sample(&format!("{name}_bucket"), &format!("le=\"{bound}\""), count);
        }
        let all = counts[BOUNDS_MS.len()];
        self.sample(&format!("{name}_bucket"), "le=\"+Inf\"", all);
        self.sample(&format!("{name}_sum"), "", histogram.sum().as_secs_f64());
        self.sample(&format!("{name}_count"), "", all);
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

impl Cache {
    /// The metrics of this cache. Asks nobody.
    pub fn metrics(&self) -> String {
        let stats = &self.stats;
        let mut page = Page {
            text: String::new(),
            cache: &self.parts.name,
        };
        page.counter("reads", "Reads that began.", &[("", stats.reads())]);
        page.counter(
            "answers",
            "Reads that memory answered, and loads that another tier answered.",
            &[
                ("tier=\"memory\"", stats.memory_hits.get()),
                ("tier=\"redis\"", stats.hits.get()),
                ("tier=\"source\"", stats.loaded.get()),
                ("tier=\"stale\"", stats.stale.get()),
                ("tier=\"fallback\"", stats.fallbacks.get()),
            ],
        );
        page.counter(
            "joined",
            "Reads that shared a load which another one had begun.",
            &[("", stats.joined.get())],
        );
        page.counter(
            "misses",
            "Looks into Redis that found nothing usable, by why; a load may look more than once.",
            &[
                ("reason=\"absent\"", stats.absent.get()),
                ("reason=\"foreign\"", stats.foreign.get()),
                ("reason=\"signature\"", stats.signatures_refused.get()),
            ],
        );
        page.counter(
            "source_reads",
            "Requests to the source.",
            &[("", stats.source_reads.get())],
        );
        page.counter(
            "source_faults",
            "Requests that the source did not answer.",
            &[("", stats.source_faults.get())],
        );
        page.counter(
            "fills",
            "Prompts loaded from the source: written to Redis, or refused because an invalidation came between.",
            &[
                ("result=\"stored\"", stats.fills.get()),
                ("result=\"refused\"", stats.fills_refused.get()),
            ],
        );
        page.counter(
            "refreshes",
            "Loads begun because the stored prompt was gone or about to expire.",
            &[("", stats.refreshes.get())],
        );
        page.counter(
            "store_commands",
            "Commands sent to Redis, and those inside scripts: what its plan counts.",
            &[("", self.store_commands())],
        );
        page.counter(
            "store_faults",
            "Commands that Redis did not answer, or was not asked because its breaker is open.",
            &[("", stats.store_faults.get())],
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
            self.push_connected().into(),
        );
        let generation = self.near().generation;
        page.gauge(
            "generation",
            "The generation of the prompt in memory; 0 without one.",
            generation.map_or(0, |generation| generation.number()),
        );
        page.histogram(
            "store_latency",
            "How long Redis took to answer a read.",
            &stats.store_latency,
        );
        page.histogram(
            "source_latency",
            "How long the source took to answer.",
            &stats.source_latency,
        );
        page.histogram(
            "staleness",
            "For how long the prompt had been served without asking, each time it was asked for again.",
            &stats.staleness,
        );
        page.histogram(
            "propagation",
            "From the commit of an invalidation made here until an instance confirmed it, where a receipt waited for all.",
            &stats.propagation,
        );
        page.text
    }
}
