//! Writes to L1 alone. Nothing waits, so they are made in the caller's place, and an insert is one critical section: no load and
//! no other insert can come in between.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{Revocation, unstorable};
use tokio::time::Instant;

use crate::{
    cache::{CacheKey, CacheValue, Call, Shared},
    clock,
    coherence::course::Loaded,
    entry::EntryRef,
    error::{Error, ErrorKind, Result},
    flight::Cargo,
    load::panicked,
    lookup::Lookup,
    policy::Policy,
    stack::StackInner,
    stats::Event,
};

impl<K: CacheKey, V: CacheValue> Shared<K, V> {
    /// Inserts into a cache of L1 alone.
    pub(crate) fn insert_here<L: Lookup<Key = K>>(&self, key: &L, hash: u64, value: V, call: &Call) -> Result<()> {
        if self.stack.is_closed() {
            return Err(Error::new(ErrorKind::Closed, "insert"));
        }
        self.stack.ensure_tended();
        let policy = self.policy_now();
        if self.is_bypassed_by(&policy) {
            let key = key.to_key();
            self.note(Event::Invalidation, hash, &key);
            self.drop_local(hash, &key);
            return Ok(());
        }
        let now = clock::now();
        // What serializes a key or a value, and weighs it, is the user's code.
        let made = catch_unwind(AssertUnwindSafe(|| self.made_here(&policy, key.to_key(), hash, value, call, now)));
        let made = made.unwrap_or_else(|panic| Err(panicked("write", &*panic)));
        let mut table = self.table(hash);
        match &made {
            Ok(entry) => {
                table.supersede(&entry.key);
                self.admit(hash, entry, now);
            }
            Err(_) => {
                let key = key.to_key();
                table.supersede(&key);
                self.remove(hash, &key);
            }
        }
        drop(table);
        made.map(drop)
    }

    /// Born before it is made: what is invalidated meanwhile is invalid.
    fn made_here(
        &self,
        policy: &Policy,
        key: K,
        hash: u64,
        value: V,
        call: &Call,
        now: Instant,
    ) -> Result<EntryRef<K, V>> {
        let born = self.stack.ledger.moment();
        let lot = match self.stack.l2 {
            Some(_) => self.lot(hash, &self.entry_key(&self.encode(&key)?)),
            None => self.stack.ledger.lot_by_hash(hash),
        };
        let mut cargo = Cargo::brought(self, policy, value, call, now);
        let standing = self.standing(lot, born, &cargo.tags);
        match self.pack(policy, &mut cargo) {
            Loaded::Keep => Ok(self.landed(policy, key, standing, cargo, now)),
            _ => Err(unstorable()),
        }
    }
}

impl StackInner {
    /// Revokes what is here alone.
    pub(super) fn invalidate_here(self: &Arc<Self>, what: &Revocation) {
        self.ensure_tended();
        what.tell(&self.hub);
        what.apply(&self.ledger);
    }
}
