use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::{Key, Label, SharedString, Unit, describe_counter, describe_gauge, with_recorder};

use super::export::METADATA;
use crate::coherence::follower::Reason;

/// How a stack keeps in step with the fleet: counted here, and handed to recorders.
pub(crate) struct Flushes {
    by_reason: [AtomicU64; Reason::ALL.len()],
    keys: [Key; Reason::ALL.len()],
    proof_age: Key,
    queued: Key,
}

const FLUSHES: &str = "cache_flushes_total";
const PROOF_AGE: &str = "cache_proof_age_seconds";
const QUEUED: &str = "cache_queued_invalidations";

impl Flushes {
    pub(crate) fn new(namespace: &str) -> Self {
        describe_counter!(FLUSHES, Unit::Count, "Times that L1 was revoked as a whole");
        describe_gauge!(
            PROOF_AGE,
            Unit::Seconds,
            "How long ago all invalidations of the fleet were known to be applied"
        );
        describe_gauge!(QUEUED, Unit::Count, "Invalidations that wait for the shared store");
        let namespace = Label::new("namespace", SharedString::from_shared(Arc::from(namespace)));
        let key = |name: &'static str| Key::from_parts(name, vec![namespace.clone()]);
        Self {
            by_reason: Default::default(),
            keys: Reason::ALL.map(|reason| {
                Key::from_parts(FLUSHES, vec![namespace.clone(), Label::from_static_parts("reason", name(reason))])
            }),
            proof_age: key(PROOF_AGE),
            queued: key(QUEUED),
        }
    }

    pub(crate) fn count(&self, reason: Reason) {
        self.by_reason[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.by_reason.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Tells the recorder how things stand; a stack that shares nothing has no proof to tell of.
    pub(crate) fn publish(&self, proof_age: Option<Duration>, queued: usize) {
        let Some(age) = proof_age else { return };
        with_recorder(|recorder| {
            for (key, count) in self.keys.iter().zip(&self.by_reason) {
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
