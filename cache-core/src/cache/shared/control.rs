//! A cache is controlled while it runs: by another policy, or by hand.

use std::{
    ops::Deref,
    sync::{Arc, atomic::Ordering},
};

use super::Shared;
use crate::{
    bulkhead::Bulkhead,
    cache::{CacheKey, CacheValue},
    error::{Error, ErrorKind, Result},
    policy::{Policies, Policy},
    stack::{Registrant, StackInner},
};

impl<K: CacheKey, V: CacheValue> Shared<K, V> {
    /// The policy of now. What takes several steps keeps the one that it began with.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// [`policy`](Self::policy), for a single step.
    pub(crate) fn policy_now(&self) -> impl Deref<Target = Arc<Policy>> {
        self.policy.load()
    }

    /// Whether calls go past the cache: it is disabled, or the stack was shut down.
    pub(crate) fn is_bypassed(&self) -> bool {
        self.is_bypassed_by(&self.policy_now())
    }

    /// [`is_bypassed`](Self::is_bypassed), if this is its policy now.
    pub(crate) fn is_bypassed_by(&self, policy: &Policy) -> bool {
        self.is_off.load(Ordering::Acquire) || !policy.enabled || self.stack.is_closed()
    }

    /// Switches it on or off, as far as its policy lets it be on.
    pub(crate) fn switch(&self, on: bool) {
        self.is_off.store(!on, Ordering::Release);
        self.leave_if_bypassed();
    }

    /// A hit looks at no switch: what L1 has is revoked instead, and with it what is on its way there. Only after the switch
    /// was set: what begins later sees it when it is to be admitted.
    fn leave_if_bypassed(&self) {
        if self.is_bypassed() {
            self.stack.ledger.renew([&self.scopes[1]]);
        }
    }
}

impl<K: CacheKey, V: CacheValue> Registrant for Shared<K, V> {
    fn resolve(&self, policies: &Policies) -> Result<Policy> {
        let policy = policies.resolve(&self.definition.kind, &self.definition.overrides)?;
        let codec = |policy: &Policy| policy.codec.unwrap_or(self.stack.settings.codec);
        let (now, then) = (codec(&self.policy()), codec(&policy));
        if now != then && !self.definition.has_codec {
            return Err(Error::new(ErrorKind::Config, "reload").context(format!(
                "the cache {:?} was built with the codec `{now}`, and can't change to `{then}` while it runs: leave it as it \
                 is until the next start",
                &*self.label
            )));
        }
        if self.tiers != policy.tiers {
            return Err(Error::new(ErrorKind::Config, "reload").context(format!(
                "the cache {:?} was built with tiers = {}, and can't change to {} while it runs: leave it as it is until the next \
                 start",
                &*self.label, self.tiers, policy.tiers
            )));
        }
        Ok(policy)
    }

    fn adopt(&self, policy: Policy) -> bool {
        let before = self.policy();
        let changes = *before != policy;
        if before.max_loads != policy.max_loads {
            // Those that run keep the room that they have: for a moment there may be more than either policy allows.
            self.loads.store(bulkhead(&policy, &self.stack));
        }
        self.policy.store(Arc::new(policy));
        self.leave_if_bypassed();
        changes
    }
}

pub(super) fn bulkhead(policy: &Policy, stack: &StackInner) -> Option<Arc<Bulkhead>> {
    let most = policy.max_loads? as usize;
    Some(Arc::new(Bulkhead::new(most, stack.settings.max_waiting_loads)))
}
