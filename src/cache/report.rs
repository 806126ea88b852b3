//! What a cache tells of itself, without asking anybody: its metrics, and its counts and state as JSON.

use crate::cache::entry::Definition;
use crate::cache::{CachedEntry, SharedCache};
use crate::observe::metrics::{Page, Row};
use crate::observe::{Count, LastFault, Stats};
use crate::store::Phase;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What one resource counts, by the names of `ResourceCounters`.
const COUNTERS: [(&str, Count); 16] = [
    ("reads", Stats::reads),
    ("memoryHits", |stats| stats.memory_hits.get()),
    ("joined", |stats| stats.joined.get()),
    ("hits", |stats| stats.hits.get()),
    ("loaded", |stats| stats.loaded.get()),
    ("misses", |stats| stats.misses.get()),
    ("foreign", |stats| stats.foreign.get()),
    ("signaturesRefused", |stats| stats.signatures_refused.get()),
    ("storeFaults", |stats| stats.store_faults.get()),
    ("sourceReads", |stats| stats.source_reads.get()),
    ("sourceFaults", |stats| stats.source_faults.get()),
    ("stale", |stats| stats.stale.get()),
    ("fallbacks", |stats| stats.fallbacks.get()),
    ("fills", |stats| stats.fills.get()),
    ("fillsRefused", |stats| stats.fills_refused.get()),
    ("refreshes", |stats| stats.refreshes.get()),
];

/// With fractions of a millisecond, to three places.
pub fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl SharedCache {
    fn definitions(&self) -> Vec<Arc<Definition>> {
        let singles = self.context.refilled();
        let singles = singles.iter().map(|entry| entry.definition.clone());
        let keyed = self.resources();
        let keyed = keyed.iter().map(|resource| resource.definition.clone());
        singles.chain(keyed).collect()
    }

    /// Counts and state, as `CacheStats` has them. `prompt`: the entry whose age and lease are shown.
    pub fn report(&self, prompt: Option<&CachedEntry>) -> Map<String, Value> {
        let definitions = self.definitions();
        let all: Vec<&Stats> = definitions.iter().map(|it| &*it.stats).collect();
        let sum = |count: Count| all.iter().map(|stats| count(stats)).sum::<u64>();
        let mut report = Map::new();
        for (name, count) in COUNTERS {
            report.insert(name.into(), sum(count).into());
        }
        let (context, shared) = (&self.context, &self.context.stats);
        let (phase, opened) = context.breaker().unzip();
        let counted = [
            ("breakerOpened", opened.unwrap_or(0)),
            ("invalidations", shared.invalidations.get()),
            ("invalidationsFailed", shared.invalidations_failed.get()),
            ("publishesFailed", shared.publishes_failed.get()),
            ("pushes", shared.pushes.get()),
            ("pushConnects", shared.push_connects.get()),
            ("storeCommands", context.store_commands()),
        ];
        report.extend(counted.map(|(name, count)| (name.into(), count.into())));
        let reads = sum(Stats::reads);
        let rate = sum(|stats| stats.memory_hits.get()) as f64 / reads as f64;
        let (enabled, connected, last) = context.push();
        let state = [
            ("instance", self.id().into()),
            ("closed", context.is_closed().into()),
            ("hitRate", json!((reads > 0).then_some(rate))),
            ("near", self.near()),
            ("systemPrompt", self.state_of(prompt)),
            (
                "push",
                json!({
                    "enabled": enabled,
                    "connected": connected,
                    "reconnects": shared.push_connects.get().saturating_sub(1),
                    "lastEventAgoMs": last.map(ms),
                }),
            ),
            ("breaker", json!(phase.map(Phase::as_str))),
            ("invalidationPending", context.invalidation_pending().into()),
            ("lastErrors", last_errors(shared, &all)),
            ("resources", resources(&definitions)),
        ];
        report.extend(state.map(|(name, value)| (name.into(), value)));
        report
    }

    fn near(&self) -> Value {
        json!({
            "entries": self.entries.count(),
            "bytes": self.entries.bytes(),
            "maxEntries": self.capacity.max_entries,
            "maxBytes": self.capacity.max_bytes,
            "evictions": self.entries.evictions(),
        })
    }

    fn state_of(&self, entry: Option<&CachedEntry>) -> Value {
        let now = self.context.clock.monotonic();
        let near = entry.map(|entry| &entry.near);
        let left = near.and_then(|near| near.left(now, &self.context.watermark));
        let generation = near.and_then(|near| near.held()?.generation?.number());
        json!({
            "ageMs": near.and_then(|near| near.age(now)).map(ms),
            "leaseLeftMs": left.map(ms),
            "generation": generation,
        })
    }

    /// For Prometheus: text format 0.0.4.
    pub fn metrics(&self) -> String {
        let definitions = self.definitions();
        let rows: Vec<_> = definitions
            .iter()
            .map(|definition| Row {
                resource: &definition.name,
                stats: &definition.stats,
            })
            .collect();
        let mut page = Page::new(&self.context.keys.prefix, &rows);
        resources_page(&mut page);
        self.cache_page(&mut page);
        page.into_text()
    }

    fn cache_page(&self, page: &mut Page) {
        let (context, stats) = (&self.context, &self.context.stats);
        let (phase, opened) = context.breaker().unwrap_or((Phase::Closed, 0));
        let state = match phase {
            Phase::Closed => 0,
            Phase::HalfOpen => 1,
            Phase::Open => 2,
        };
        page.counter(
            "store_commands",
            "Commands sent to Redis, and those inside scripts: what its plan counts.",
            &[("", context.store_commands())],
        );
        page.counter(
            "breaker_opened",
            "How often the breaker opened.",
            &[("", opened)],
        );
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
            context.invalidation_pending().into(),
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
        let (_, connected, _) = context.push();
        page.gauge(
            "push_connected",
            "1 while the push stream is open.",
            connected.into(),
        );
        let applied = context.watermark.applied();
        page.gauge(
            "sequence",
            "The last invalidation that was applied here; 0 without one.",
            applied.map_or(0, |sequence| sequence.number()),
        );
        page.gauge(
            "near_entries",
            "Entries in memory.",
            self.entries.count() as u64,
        );
        page.gauge("near_bytes", "Bytes that they take.", self.entries.bytes());
        page.counter(
            "near_evictions",
            "Entries that had to go for others.",
            &[("", self.entries.evictions())],
        );
        page.histogram(
            "store_latency",
            "How long Redis took to answer a read.",
            &stats.store_latency,
        );
        page.histogram(
            "staleness",
            "For how long values had been served without asking, each time that Redis was asked again.",
            &stats.staleness,
        );
        page.histogram(
            "propagation",
            "From the commit of an invalidation made here until an instance confirmed it, where a receipt waited for all.",
            &stats.propagation,
        );
    }
}

/// What is counted for each resource.
fn resources_page(page: &mut Page) {
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
        "Values loaded from the source: written to Redis, or refused because an invalidation came between.",
        &[
            ("result=\"stored\"", |stats| stats.fills.get()),
            ("result=\"refused\"", |stats| stats.fills_refused.get()),
        ],
    );
    page.counters(
        "refreshes",
        "Loads begun because the stored value was gone or about to expire.",
        &[("", |stats| stats.refreshes.get())],
    );
    page.counters(
        "store_faults",
        "Commands that Redis did not answer, or was not asked because its breaker is open.",
        &[("", |stats| stats.store_faults.get())],
    );
    page.histograms(
        "source_latency",
        "How long the source took to answer.",
        |stats| &stats.source_latency,
    );
}

fn last_errors(shared: &Stats, all: &[&Stats]) -> Value {
    let first = |fault: fn(&Stats) -> &LastFault| all.iter().find_map(|stats| fault(stats).get());
    json!({
        "redis": shared.last_store_fault.get().or_else(|| first(|it| &it.last_store_fault)),
        "source": first(|stats| &stats.last_source_fault),
        "push": shared.last_push_fault.get(),
    })
}

fn resources(definitions: &[Arc<Definition>]) -> Value {
    let each = definitions.iter().map(|definition| {
        let counts = COUNTERS.map(|(name, count)| (name.into(), count(&definition.stats).into()));
        (
            definition.name.clone(),
            Value::Object(Map::from_iter(counts)),
        )
    });
    Value::Object(each.collect())
}
