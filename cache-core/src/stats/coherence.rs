use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::{Key, Label, SharedString, Unit, describe_counter, describe_gauge, describe_histogram, with_recorder};

use super::export::METADATA;
use crate::coherence::follower::Reason;

/// How a stack keeps in step with the fleet: counted here, and handed to recorders.
pub(crate) struct Coherence {
    flushes: [AtomicU64; Reason::ALL.len()],
    keys: [Key; Reason::ALL.len()],
    lag: Key,
    proof_age: Key,
    queued: Key,
}

const FLUSHES: &str = "cache_flushes_total";
const LAG: &str = "cache_invalidation_lag_seconds";
const PROOF_AGE: &str = "cache_proof_age_seconds";
const QUEUED: &str = "cache_queued_invalidations";

impl Coherence {
    pub(crate) fn new(namespace: &str) -> Self {
        describe_counter!(FLUSHES, Unit::Count, "Times that L1 was revoked as a whole");
        describe_histogram!(
            LAG,
            Unit::Seconds,
            "From the answer of the shared store to the arrival of the message here"
        );
        describe_gauge!(
            PROOF_AGE,
            Unit::Seconds,
            "How long ago all invalidations of the fleet were known to be applied"
        );
        describe_gauge!(QUEUED, Unit::Count, "Invalidations that wait for the shared store");
        let namespace = Label::new("namespace", SharedString::from_shared(Arc::from(namespace)));
        let key = |name: &'static str| Key::from_parts(name, vec![namespace.clone()]);
        Self {
            flushes: Default::default(),
            keys: Reason::ALL.map(|reason| {
                Key::from_parts(FLUSHES, vec![namespace.clone(), Label::from_static_parts("reason", name(reason))])
            }),
            lag: key(LAG),
            proof_age: key(PROOF_AGE),
            queued: key(QUEUED),
        }
    }

    pub(crate) fn count_flush(&self, reason: Reason) {
        self.flushes[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn flushes(&self) -> u64 {
        self.flushes.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Records how long after the store had an invalidation of ours its message came back.
    pub(crate) fn record_lag(&self, lag: Duration) {
        with_recorder(|recorder| recorder.register_histogram(&self.lag, &METADATA).record(lag.as_secs_f64()));
    }

    /// Tells the recorder how things stand; a stack that shares nothing has no proof to tell of.
    pub(crate) fn publish(&self, proof_age: Option<Duration>, queued: usize) {
        let Some(age) = proof_age else { return };
        with_recorder(|recorder| {
            for (key, count) in self.keys.iter().zip(&self.flushes) {
                recorder.register_counter(key, &METADATA).absolute(count.load(Ordering::Relaxed));
            }
            recorder.register_gauge(&self.proof_age, &METADATA).set(age.as_secs_f64());
            recorder.register_gauge(&self.queued, &METADATA).set(queued as f64);
        });
    }
}

const fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::Attached => "attached",
        Reason::Gap => "gap",
        Reason::Rewound => "rewound",
        Reason::Behind => "behind",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_metric_of_a_stack_is_in_the_documentation() {
        let documentation = include_str!("mod.rs");
        for name in [super::FLUSHES, super::LAG, super::PROOF_AGE, super::QUEUED] {
            assert!(documentation.contains(&format!("| `{name}")), "{name}");
        }
        for reason in super::Reason::ALL {
            assert!(documentation.contains(super::name(reason)), "{reason:?}");
        }
    }
}
