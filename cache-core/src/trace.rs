//! Spans and events, when the feature `tracing` is on; nothing otherwise.
//!
//! Names of caches and backends appear, digests of keys at most, values never.

#[cfg(feature = "tracing")]
mod on {
    use tracing::{Instrument, debug, debug_span, error, info, warn};

    use crate::{coherence::follower::Reason, error::Error, health::Problem};

    pub(crate) fn load<F: Future>(cache: &str, load: F) -> impl Future<Output = F::Output> + use<F> {
        load.instrument(debug_span!("cache.load", cache))
    }

    pub(crate) fn l2_failed(backend: &str, error: &Error) {
        debug!(backend, kind = ?error.kind(), operation = error.operation(), "the shared store failed");
    }

    pub(crate) fn breaker_opened(backend: &str, error: &Error) {
        warn!(backend, %error, "the circuit breaker opened: serving from L1 and the loaders");
    }

    pub(crate) fn breaker_closed(backend: &str) {
        info!(backend, "the circuit breaker closed");
    }

    pub(crate) fn damaged(cache: &str, why: &str) {
        debug!(cache, why, "an entry in the shared store can't be used");
    }

    pub(crate) fn problem(problem: &Problem) {
        error!(cache = problem.cache, "{}", problem.message);
    }

    pub(crate) fn flushed(reason: Reason) {
        warn!(?reason, "L1 was revoked as a whole");
    }

    pub(crate) fn queued(invalidations: usize, error: &Error) {
        warn!(invalidations, %error, "invalidations could not reach the shared store and are retried");
    }

    pub(crate) fn delivered(invalidations: usize) {
        info!(invalidations, "queued invalidations reached the shared store");
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use crate::{coherence::follower::Reason, error::Error, health::Problem};

    pub(crate) fn load<F: Future>(_: &str, load: F) -> F {
        load
    }

    pub(crate) fn l2_failed(_: &str, _: &Error) {}

    pub(crate) fn breaker_opened(_: &str, _: &Error) {}

    pub(crate) fn breaker_closed(_: &str) {}

    pub(crate) fn damaged(_: &str, _: &str) {}

    pub(crate) fn problem(_: &Problem) {}

    pub(crate) fn flushed(_: Reason) {}

    pub(crate) fn queued(_: usize, _: &Error) {}

    pub(crate) fn delivered(_: usize) {}
}

#[cfg(not(feature = "tracing"))]
pub(crate) use self::off::*;
#[cfg(feature = "tracing")]
pub(crate) use self::on::*;
