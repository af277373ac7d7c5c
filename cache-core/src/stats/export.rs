use std::{sync::Arc, time::Duration};

use metrics::{Key, Label, Level, Metadata, SharedString, Unit, describe_counter, describe_histogram, with_recorder};

use super::{Event, Stats};

/// One cache as the recorder of the `metrics` crate knows it.
///
/// The keys are made once. Handles are not kept: they would for ever belong to the recorder of the moment in which they
/// were made, which is none for a stack that is built before the recorder is installed.
pub(crate) struct Exported {
    counters: Vec<(Event, Key)>,
    load_time: Key,
}

impl Exported {
    pub(crate) fn new(namespace: &str, cache: &str) -> Self {
        describe();
        let labels = [("namespace", Arc::from(namespace)), ("cache", Arc::from(cache))]
            .map(|(name, value): (_, Arc<str>)| Label::new(name, SharedString::from_shared(value)));
        let key = |series: Series| {
            let own = series.label.map(|(name, value)| Label::from_static_parts(name, value));
            Key::from_parts(series.name, labels.iter().cloned().chain(own).collect::<Vec<_>>())
        };
        Self {
            counters: Event::ALL.iter().filter_map(|event| Some((*event, key(series(*event)?)))).collect(),
            load_time: key(plain(LOAD_TIME)),
        }
    }

    /// Records how long one load took.
    pub(crate) fn load(&self, took: Duration) {
        with_recorder(|recorder| recorder.register_histogram(&self.load_time, &METADATA).record(took));
    }

    /// Sets all counters to what `stats` say. A recorder that has seen more keeps it.
    pub(crate) fn publish(&self, stats: &Stats) {
        with_recorder(|recorder| {
            for (event, key) in &self.counters {
                recorder.register_counter(key, &METADATA).absolute(stats.of(*event));
            }
        });
    }
}

pub(super) static METADATA: Metadata<'static> =
    Metadata::new(env!("CARGO_PKG_NAME"), Level::INFO, Some(module_path!()));

const LOAD_TIME: &str = "cache_load_seconds";

/// A metric, or one of those that share its name.
struct Series {
    name: &'static str,
    label: Option<(&'static str, &'static str)>,
}

/// How an event is exported. The time of loads is a histogram instead.
fn series(event: Event) -> Option<Series> {
    Some(match event {
        Event::L1Hit => labelled("cache_hits_total", "tier", "l1"),
        Event::L2Hit => labelled("cache_hits_total", "tier", "l2"),
        Event::StaleHit => plain("cache_stale_hits_total"),
        Event::Miss => plain("cache_misses_total"),
        Event::Joined => plain("cache_joined_total"),
        Event::Refresh => plain("cache_refreshes_total"),
        Event::Load => plain("cache_loads_total"),
        Event::LoadError => plain("cache_load_errors_total"),
        Event::StaleOnError => plain("cache_stale_on_error_total"),
        Event::Default => plain("cache_defaults_total"),
        Event::LoadNanos => return None,
        Event::Eviction => plain("cache_evictions_total"),
        Event::Expiration => plain("cache_expirations_total"),
        Event::Fill => labelled("cache_fills_total", "outcome", "stored"),
        Event::FillRefused => labelled("cache_fills_total", "outcome", "refused"),
        Event::TooLarge => labelled("cache_unstorable_total", "reason", "size"),
        Event::CodecRefused => labelled("cache_unstorable_total", "reason", "codec"),
        Event::Compressed => plain("cache_compressed_total"),
        Event::CompressionSaved => plain("cache_compression_saved_bytes_total"),
        Event::Unsealed => plain("cache_unsealed_total"),
        Event::Damaged => plain("cache_damaged_total"),
        Event::BackendError => plain("cache_backend_errors_total"),
        Event::Unchanged => labelled("cache_reloads_total", "content", "unchanged"),
        Event::Changed => labelled("cache_reloads_total", "content", "changed"),
        Event::LoadWait => plain("cache_load_waits_total"),
        Event::LoadRejected => labelled("cache_loads_refused_total", "reason", "full"),
        Event::BackedOff => labelled("cache_loads_refused_total", "reason", "backoff"),
        Event::LeaseWait => plain("cache_lease_waits_total"),
        Event::Validated => plain("cache_validated_total"),
        Event::JoinRefused => plain("cache_joins_refused_total"),
        Event::Unleased => plain("cache_unleased_loads_total"),
        Event::Invalidation => plain("cache_invalidations_total"),
        Event::InvalidationQueued => plain("cache_invalidations_queued_total"),
    })
}

const fn plain(name: &'static str) -> Series {
    Series { name, label: None }
}

const fn labelled(name: &'static str, label: &'static str, value: &'static str) -> Series {
    Series { name, label: Some((label, value)) }
}

/// Describing twice is harmless, and a recorder may have been installed since the last cache was built.
fn describe() {
    for (name, text) in DESCRIPTIONS {
        describe_counter!(name, Unit::Count, text);
    }
    describe_histogram!(LOAD_TIME, Unit::Seconds, "How long loaders took, whatever came of it");
}

const DESCRIPTIONS: [(&str, &str); 27] = [
    ("cache_hits_total", "Calls that a tier answered"),
    ("cache_stale_hits_total", "Calls answered by an entry inside a stale window"),
    ("cache_misses_total", "Calls that found a value nowhere"),
    ("cache_joined_total", "Calls answered by a flight under way for another call"),
    ("cache_refreshes_total", "Loads begun behind a call that was answered with a value stale or soon so"),
    ("cache_reloads_total", "Reloads that were compared with what was there"),
    ("cache_loads_total", "Loaders that ran to an end"),
    ("cache_load_errors_total", "Loaders that gave no value"),
    ("cache_load_waits_total", "Loads that waited for room"),
    ("cache_loads_refused_total", "Loads that were not begun, for want of room or after a failure"),
    ("cache_stale_on_error_total", "Loads that failed and were answered with a stale value"),
    ("cache_defaults_total", "Loads that failed and were answered with the call's own default value"),
    ("cache_evictions_total", "Entries that L1 dropped for want of room"),
    ("cache_expirations_total", "Entries that L1 dropped because their time was up"),
    ("cache_fills_total", "Loaded values that were to be stored in L2"),
    ("cache_unstorable_total", "Values that were not stored for their size or by their codec"),
    ("cache_compressed_total", "Values that were compressed for L2"),
    ("cache_compression_saved_bytes_total", "Bytes of L2 that compression saved"),
    ("cache_unsealed_total", "Entries of L2 without the seal of the stack for their key"),
    ("cache_damaged_total", "Entries of L2 that could not be used"),
    ("cache_backend_errors_total", "Calls to L2 that failed"),
    ("cache_lease_waits_total", "Waits for another process that was loading the same key"),
    ("cache_validated_total", "Entries of L1 that were compared with L2 and found to be current"),
    ("cache_joins_refused_total", "Flights that were not joined because they were not proven current enough"),
    ("cache_unleased_loads_total", "Loads without a lease"),
    ("cache_invalidations_total", "Invalidations of the cache or of one of its keys"),
    ("cache_invalidations_queued_total", "Invalidations that could not reach L2 and are retried"),
];

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        sync::{
            Mutex,
            atomic::{AtomicU64, Ordering},
        },
    };

    use metrics::{Counter, Gauge, Histogram, HistogramFn, KeyName, Recorder, with_local_recorder};

    use super::*;
    use crate::stats::Counters;

    /// Keeps what it is told, by the metric's name with its labels.
    #[derive(Default)]
    struct Ledger {
        counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
        histograms: Mutex<BTreeMap<String, Arc<Records>>>,
        described: Mutex<BTreeSet<String>>,
    }

    #[derive(Default)]
    struct Records(Mutex<Vec<f64>>);

    impl HistogramFn for Records {
        fn record(&self, value: f64) {
            self.0.lock().unwrap().push(value);
        }
    }

    impl Recorder for Ledger {
        fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
            self.described.lock().unwrap().insert(name.as_str().to_owned());
        }

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
            self.described.lock().unwrap().insert(name.as_str().to_owned());
        }

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(Arc::clone(self.counters.lock().unwrap().entry(shown(key)).or_default()))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(Arc::clone(self.histograms.lock().unwrap().entry(shown(key)).or_default()))
        }
    }

    impl Ledger {
        fn counter(&self, name: &str) -> u64 {
            self.counters.lock().unwrap()[name].load(Ordering::Relaxed)
        }

        fn names(&self) -> BTreeSet<String> {
            let counters = self.counters.lock().unwrap();
            counters.keys().map(|name| name.split('{').next().unwrap().to_owned()).collect()
        }
    }

    fn shown(key: &Key) -> String {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        format!("{}{{{}}}", key.name(), labels.join(","))
    }

    #[test]
    fn a_recorder_learns_how_things_stand_when_it_is_told() {
        let ledger = Ledger::default();
        with_local_recorder(&ledger, || {
            let counters = Counters::new("shop", "plan", &Arc::default());
            counters.add(Event::L1Hit, 3);
            counters.publish();
            counters.count(Event::L1Hit);
            counters.count(Event::L2Hit);
            assert_eq!(ledger.counter("cache_hits_total{namespace=shop,cache=plan,tier=l1}"), 3);
            counters.publish();
            counters.publish();
        });
        assert_eq!(ledger.counter("cache_hits_total{namespace=shop,cache=plan,tier=l1}"), 4);
        assert_eq!(ledger.counter("cache_hits_total{namespace=shop,cache=plan,tier=l2}"), 1);
        assert_eq!(ledger.counter("cache_misses_total{namespace=shop,cache=plan}"), 0);
    }

    #[test]
    fn each_load_is_recorded_in_seconds() {
        let ledger = Ledger::default();
        with_local_recorder(&ledger, || {
            let counters = Counters::new("shop", "plan", &Arc::default());
            counters.load(Duration::from_millis(250));
            counters.load(Duration::from_secs(2));
        });
        let histograms = ledger.histograms.into_inner().unwrap();
        let records = &histograms["cache_load_seconds{namespace=shop,cache=plan}"];
        assert_eq!(*records.0.lock().unwrap(), [0.25, 2.0]);
    }

    #[test]
    fn a_recorder_that_comes_late_is_told_too() {
        let counters = Counters::new("shop", "plan", &Arc::default());
        counters.count(Event::Miss);
        counters.publish();
        let ledger = Ledger::default();
        with_local_recorder(&ledger, || counters.publish());
        assert_eq!(ledger.counter("cache_misses_total{namespace=shop,cache=plan}"), 1);
    }

    #[test]
    fn hits_tell_a_recorder_nothing() {
        let ledger = Ledger::default();
        with_local_recorder(&ledger, || Counters::new("shop", "plan", &Arc::default()).count(Event::L1Hit));
        assert!(ledger.names().is_empty());
    }

    #[test]
    fn every_metric_is_described_to_the_recorder_and_in_the_documentation() {
        let ledger = Ledger::default();
        with_local_recorder(&ledger, || Counters::new("shop", "plan", &Arc::default()).publish());
        let mut exported = ledger.names();
        exported.insert(LOAD_TIME.to_owned());
        assert_eq!(exported, ledger.described.into_inner().unwrap());

        let documentation = include_str!("mod.rs");
        for series in Event::ALL.into_iter().filter_map(series).chain([plain(LOAD_TIME)]) {
            let label = series.label.map(|(name, value)| format!("{{{name}=\"{value}\"}}")).unwrap_or_default();
            let row = format!("| `{}{label}` |", series.name);
            assert!(documentation.contains(&row), "{row}");
        }
    }
}
