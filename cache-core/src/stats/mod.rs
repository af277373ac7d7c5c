//! What happened to a cache: counted on the way, read as [`Stats`], and handed to the recorder of the `metrics` crate.
//!
//! Every call that finds a value or learns that there is none counts as exactly one of a hit (in L1, in L2 or stale), a
//! miss, and a join of another call's flight. Counting costs a few nanoseconds and no cache line that cores share;
//! recorders are told at least once a second, so no call waits for one.
//!
//! # Metrics
//!
//! All carry the labels `namespace` and `cache`. Counters count since the cache was first built in this process.
//!
//! | metric | type | of [`Stats`] |
//! |---|---|---|
//! | `cache_hits_total{tier="l1"}` | counter | [`l1_hits`](Stats::l1_hits) |
//! | `cache_hits_total{tier="l2"}` | counter | [`l2_hits`](Stats::l2_hits) |
//! | `cache_stale_hits_total` | counter | [`stale_hits`](Stats::stale_hits) |
//! | `cache_misses_total` | counter | [`misses`](Stats::misses) |
//! | `cache_joined_total` | counter | [`joined`](Stats::joined) |
//! | `cache_loads_total` | counter | [`loads`](Stats::loads) |
//! | `cache_load_errors_total` | counter | [`load_errors`](Stats::load_errors) |
//! | `cache_load_waits_total` | counter | [`load_waits`](Stats::load_waits) |
//! | `cache_loads_refused_total{reason="full"}` | counter | [`loads_rejected`](Stats::loads_rejected) |
//! | `cache_loads_refused_total{reason="backoff"}` | counter | [`backed_off`](Stats::backed_off) |
//! | `cache_stale_on_error_total` | counter | [`stale_on_error`](Stats::stale_on_error) |
//! | `cache_defaults_total` | counter | [`defaults`](Stats::defaults) |
//! | `cache_load_seconds` | histogram | each load's share of [`load_nanos`](Stats::load_nanos), recorded when it ends |
//! | `cache_evictions_total` | counter | [`evictions`](Stats::evictions) |
//! | `cache_expirations_total` | counter | [`expirations`](Stats::expirations) |
//! | `cache_fills_total{outcome="stored"}` | counter | [`fills`](Stats::fills) |
//! | `cache_fills_total{outcome="refused"}` | counter | [`fills_refused`](Stats::fills_refused) |
//! | `cache_unstorable_total{reason="size"}` | counter | [`too_large`](Stats::too_large) |
//! | `cache_unstorable_total{reason="codec"}` | counter | [`codec_refused`](Stats::codec_refused) |
//! | `cache_compressed_total` | counter | [`compressed`](Stats::compressed) |
//! | `cache_compression_saved_bytes_total` | counter | [`compression_saved`](Stats::compression_saved) |
//! | `cache_damaged_total` | counter | [`damaged`](Stats::damaged) |
//! | `cache_unsealed_total` | counter | [`unsealed`](Stats::unsealed) |
//! | `cache_backend_errors_total` | counter | [`backend_errors`](Stats::backend_errors) |
//! | `cache_refreshes_total` | counter | [`refreshes`](Stats::refreshes) |
//! | `cache_reloads_total{content="unchanged"}` | counter | [`unchanged`](Stats::unchanged) |
//! | `cache_reloads_total{content="changed"}` | counter | [`changed`](Stats::changed) |
//! | `cache_lease_waits_total` | counter | [`lease_waits`](Stats::lease_waits) |
//! | `cache_validated_total` | counter | [`validated`](Stats::validated) |
//! | `cache_joins_refused_total` | counter | [`joins_refused`](Stats::joins_refused) |
//! | `cache_unleased_loads_total` | counter | [`unleased`](Stats::unleased) |
//! | `cache_invalidations_total` | counter | [`invalidations`](Stats::invalidations) |
//! | `cache_invalidations_queued_total` | counter | [`invalidations_queued`](Stats::invalidations_queued) |
//!
//! Four belong to the stack, and have the label `namespace` alone:
//!
//! | metric | type | what |
//! |---|---|---|
//! | `cache_flushes_total{reason="…"}` | counter | L1 was revoked as a whole: `attached` to the store anew, a `gap` in its log, a log that was `rewound`, or too far `behind` |
//! | `cache_proof_age_seconds` | gauge | how long ago all invalidations of the fleet were known to be applied here |
//! | `cache_invalidation_lag_seconds` | histogram | from the shared store's answer to an invalidation of this process until its message came back here by the log, which is how late others hear of it |
//! | `cache_queued_invalidations` | gauge | invalidations that wait for the shared store |
//!
//! A recorder that is installed after the stack was built is told too; only the descriptions of the metrics reach none
//! but the one that was there when a cache was built.

mod coherence;
mod counters;
mod export;

use std::{
    iter::Sum,
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

pub(crate) use self::{coherence::Coherence, counters::Counters};

/// Says once what is counted: the event as it happens, and the field of [`Stats`] it is read from.
macro_rules! events {
    ($($(#[$doc:meta])+ $event:ident => $field:ident,)+) => {
        /// Something that is counted.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Event {
            $($(#[$doc])+ $event,)+
        }

        impl Event {
            pub(crate) const ALL: [Self; EVENTS] = [$(Self::$event),+];
        }

        const EVENTS: usize = [$(stringify!($event)),+].len();

        /// What happened to a cache, in this process, up to now.
        ///
        /// Taken while calls are under way, it may hold one's first event without its second.
        /// `a + b` joins those of two caches; `later - earlier` is what happened in between.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])+ pub $field: u64,)+
        }

        impl Stats {
            fn new(count: impl Fn(Event) -> u64) -> Self {
                Self { $($field: count(Event::$event),)+ }
            }

            fn of(&self, event: Event) -> u64 {
                match event { $(Event::$event => self.$field,)+ }
            }
        }
    };
}

events! {
    /// Calls that were answered by this process.
    L1Hit => l1_hits,
    /// Calls that were answered by the shared store.
    L2Hit => l2_hits,
    /// Calls that found a value nowhere: they loaded it, or asked for no load.
    Miss => misses,
    /// Calls that were answered by a flight under way for another call.
    Joined => joined,
    /// Calls that were answered by an entry past its time to live, inside a stale window.
    StaleHit => stale_hits,
    /// Loads begun in the background, behind a call that was answered with a value that is stale or soon will be.
    Refresh => refreshes,
    /// Loaders that ran to an end, whatever came of it.
    Load => loads,
    /// Those of them that gave no value: an error, a panic, a deadline.
    LoadError => load_errors,
    /// Reloads that brought the content that was there. Counted where the time to live is
    /// [adaptive](crate::policy::Policy::adaptive).
    Unchanged => unchanged,
    /// Reloads that brought another content, likewise.
    Changed => changed,
    /// Loads that waited for room ([`max_loads`](crate::policy::Policy::max_loads)).
    LoadWait => load_waits,
    /// Loads that were not begun for want of it: too many waited, or this one for too long.
    LoadRejected => loads_rejected,
    /// Loads that were not begun because the last one of the key had just failed
    /// ([`error_backoff`](crate::policy::Policy::error_backoff)).
    BackedOff => backed_off,
    /// Loads that failed and were answered with a stale value.
    StaleOnError => stale_on_error,
    /// Calls whose load failed and that were answered with the default value that they gave.
    Default => defaults,
    /// The time that all loaders took, in nanoseconds.
    LoadNanos => load_nanos,
    /// Entries that L1 dropped for want of room.
    Eviction => evictions,
    /// Entries that L1 dropped because their time was up.
    Expiration => expirations,
    /// Loaded values that were stored in L2.
    Fill => fills,
    /// Loaded values that L2 did not store: the lease had ended, by an invalidation or by itself, or L2 was away.
    FillRefused => fills_refused,
    /// Values that were not stored because they are larger than
    /// [`max_value_size`](crate::policy::Policy::max_value_size).
    TooLarge => too_large,
    /// Values that were not stored in L2 because their codec can't write them, or not read them back.
    CodecRefused => codec_refused,
    /// Values that were compressed for L2.
    Compressed => compressed,
    /// The bytes that this saved there, all in all.
    CompressionSaved => compression_saved,
    /// Entries of L2 that could not be used: damaged bytes, another key, another schema. Each is a miss.
    Damaged => damaged,
    /// Those of them that did not carry the stack's seal for their key: forged, moved, or written by a process without it.
    Unsealed => unsealed,
    /// Calls to L2 that failed, ran out of time, or were refused by the circuit breaker.
    BackendError => backend_errors,
    /// Waits for another process that was loading the same key.
    LeaseWait => lease_waits,
    /// Entries of L1 that were compared with L2 and found to be current still.
    Validated => validated,
    /// Calls that did not join a flight under way, because it was not proven to be current enough.
    JoinRefused => joins_refused,
    /// Loads without a lease: L2 was away, or the wait for its holder was over.
    Unleased => unleased,
    /// Invalidations of this cache or of one of its keys. Those of tags and of the namespace count for no cache.
    Invalidation => invalidations,
    /// Those of them that could not reach L2 and are retried.
    InvalidationQueued => invalidations_queued,
}

impl Stats {
    /// Calls that found a value in a tier: fresh or stale.
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.l1_hits.saturating_add(self.l2_hits).saturating_add(self.stale_hits)
    }

    /// All calls that were answered: hits, misses and joins.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.hits().saturating_add(self.misses).saturating_add(self.joined)
    }

    /// [`hits`](Self::hits) for each of the [`requests`](Self::requests), from 0 to 1; 0 if there were none.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        match self.requests() {
            0 => 0.0,
            requests => self.hits() as f64 / requests as f64,
        }
    }

    /// How long a load took on average; zero if there was none.
    #[must_use]
    pub const fn mean_load_time(&self) -> Duration {
        match self.load_nanos.checked_div(self.loads) {
            Some(nanos) => Duration::from_nanos(nanos),
            None => Duration::ZERO,
        }
    }
}

impl Add for Stats {
    type Output = Self;

    /// What happened to both.
    fn add(self, other: Self) -> Self {
        Self::new(|event| self.of(event).saturating_add(other.of(event)))
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Stats {
    type Output = Self;

    /// What happened since `earlier`; never less than nothing.
    fn sub(self, earlier: Self) -> Self {
        Self::new(|event| self.of(event).saturating_sub(earlier.of(event)))
    }
}

impl Sum for Stats {
    fn sum<I: Iterator<Item = Self>>(stats: I) -> Self {
        stats.fold(Self::default(), Add::add)
    }
}

impl<'a> Sum<&'a Self> for Stats {
    fn sum<I: Iterator<Item = &'a Self>>(stats: I) -> Self {
        stats.copied().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> Stats {
        Stats {
            l1_hits: 70,
            l2_hits: 8,
            stale_hits: 2,
            misses: 10,
            joined: 10,
            loads: 4,
            load_nanos: 10,
            ..Stats::default()
        }
    }

    #[test]
    fn every_answered_call_is_a_request_and_those_from_a_tier_are_hits() {
        assert_eq!((stats().hits(), stats().requests(), stats().hit_rate()), (80, 100, 0.8));
    }

    #[test]
    fn nothing_happened_has_no_rate_and_no_mean() {
        let nothing = Stats::default();
        assert_eq!((nothing.hit_rate(), nothing.mean_load_time()), (0.0, Duration::ZERO));
    }

    #[test]
    fn a_mean_load_is_their_time_shared_out() {
        assert_eq!(stats().mean_load_time(), Duration::from_nanos(2));
    }

    #[test]
    fn each_event_has_a_field_of_its_own() {
        let numbered = Stats::new(|event| event as u64);
        for event in Event::ALL {
            assert_eq!(numbered.of(event), event as u64);
        }
    }

    #[test]
    fn stats_add_up_and_differences_never_wrap() {
        let twice = stats() + stats();
        assert_eq!((twice.l1_hits, twice.requests()), (140, 200));
        assert_eq!(twice - stats(), stats());
        assert_eq!(stats() - twice, Stats::default());
        assert_eq!([stats(), stats()].iter().sum::<Stats>(), twice);
        let endless = Stats { l1_hits: u64::MAX, ..stats() };
        assert_eq!((endless + stats()).requests(), u64::MAX);
        let mut total = Stats::default();
        total += stats();
        assert_eq!(total, stats());
    }
}
