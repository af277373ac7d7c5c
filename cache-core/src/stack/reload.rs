//! Another TTL map while the stack runs.

use std::sync::Arc;

use super::Stack;
use crate::{error::Result, policy::Policies};

impl Stack {
    /// Takes another TTL map in place of the one that it was built with, for every cache that there is and all that are built
    /// later. Gives the names of the caches whose policy changed.
    ///
    /// The map is checked as a whole, against every cache and what its definition says, before anything changes.
    ///
    /// Loads and inserts that begin from now on have the new policy. What is cached keeps the life that it was given; only its
    /// stale windows are those of the new policy, if they are shorter. Loads under way count for no new
    /// [`max_loads`](crate::Policy::max_loads). A cache that is disabled stops serving at once; enabled again, it finds in L2
    /// what was not invalidated meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), and nothing has changed: which field of which kind can't be, or that a
    /// cache can't take another codec while it runs.
    pub fn reload_policies(&self, policies: Policies) -> Result<Vec<String>> {
        policies.check()?;
        policies.check_codecs()?;
        let registry = self.inner.registry();
        let live = registry.iter().filter_map(|(name, registered)| Some((name, registered.live()?)));
        let planned = live
            .map(|(name, cache)| cache.resolve(&policies).map(|policy| (name, cache, policy)))
            .collect::<Result<Vec<_>>>()?;
        self.inner.policies.store(Arc::new(policies));
        let changed = planned.into_iter().filter_map(|(name, cache, policy)| cache.adopt(policy).then(|| name.clone()));
        let mut names: Vec<_> = changed.collect();
        names.sort();
        Ok(names)
    }
}
