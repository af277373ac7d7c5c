//! How a stack is doing: for a readiness endpoint, and for finding what a cache could not say to its callers.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{breaker::BreakerState, error::Error, trace};

/// A snapshot of [`Stack::health`](crate::Stack::health).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// The shared store; `None` for a stack without one.
    pub l2: Option<L2Health>,
    /// Invalidations that L2 has not heard of yet. Until it has, this process trusts no copy there that they cover.
    pub queued_invalidations: usize,
    /// How long ago all invalidations of the fleet were known to be applied here. Beyond
    /// [`max_staleness`](crate::StackBuilder::max_staleness), L1 serves only what is validated one by one. `None` for a stack
    /// without a shared store.
    pub proof_age: Option<Duration>,
    /// How often L1 was revoked as a whole.
    pub flushes: u64,
    /// What is wrong with single caches, each said once.
    pub problems: Vec<Problem>,
}

impl Health {
    /// Whether L2 answers (or there is none), nothing is queued, and no cache has a problem.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let l2_answers = self.l2.as_ref().is_none_or(|l2| l2.breaker == BreakerState::Closed);
        l2_answers && self.queued_invalidations == 0 && self.problems.is_empty()
    }
}

/// The state of the shared store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct L2Health {
    /// Which backend it is.
    pub backend: &'static str,
    /// Whether calls get through.
    pub breaker: BreakerState,
    /// How often the breaker opened.
    pub openings: u64,
    /// The last error, if there ever was one.
    pub last_error: Option<Error>,
}

/// Something that keeps a cache from doing its work, which its callers don't notice: they get the loader's value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// The cache.
    pub cache: String,
    /// What is wrong and the way out.
    pub message: String,
}

/// The problems of a stack. Each kind is kept once per cache, so that a busy cache can't fill it.
#[derive(Default)]
pub(crate) struct Problems(Mutex<BTreeMap<(String, &'static str), String>>);

impl Problems {
    pub(crate) fn report(&self, cache: &str, kind: &'static str, message: impl FnOnce() -> String) {
        let mut problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        problems.entry((cache.to_owned(), kind)).or_insert_with(|| {
            let problem = Problem { cache: cache.to_owned(), message: message() };
            trace::problem(&problem);
            problem.message
        });
    }

    pub(crate) fn list(&self) -> Vec<Problem> {
        let problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let problem =
            |((cache, _), message): (&(String, _), &String)| Problem { cache: cache.clone(), message: message.clone() };
        problems.iter().map(problem).collect()
    }
}
