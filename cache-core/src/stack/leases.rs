//! Leases are prolonged while their loads run.
//!
//! One task does so for all of a stack, a few times in the life of a lease: most loads end before it looks, so they cost no task
//! and no timer. It is not that of the loads, for a loader may block its thread.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::time::sleep;

use super::StackInner;
use crate::{key::EntryKey, stats::Counters, token::LeaseToken};

/// The leases of a stack whose loads run.
#[derive(Default)]
pub(crate) struct Leases(Mutex<Held>);

#[derive(Default)]
struct Held {
    leases: BTreeMap<u64, Lease>,
    /// Of the next one.
    number: u64,
    /// The lease for which the task was begun that looks after all.
    tended_since: Option<u64>,
}

#[derive(Clone)]
struct Lease {
    key: EntryKey,
    token: LeaseToken,
    counters: Arc<Counters>,
    /// It was here when the task last looked, and was not prolonged then.
    is_due: bool,
}

/// A lease is prolonged until this is dropped.
pub(crate) struct Kept<'a> {
    leases: &'a Leases,
    number: u64,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.leases.end(self.number);
    }
}

impl StackInner {
    /// Prolongs a lease that was just taken.
    pub(crate) fn keep_lease(
        self: &Arc<Self>,
        key: &EntryKey,
        token: LeaseToken,
        counters: &Arc<Counters>,
    ) -> Kept<'_> {
        let lease = Lease { key: key.clone(), token, counters: Arc::clone(counters), is_due: false };
        let (number, is_tended) = self.leases.add(lease);
        let kept = Kept { leases: &self.leases, number };
        if !is_tended {
            // A runtime that shuts down drops it at once.
            tokio::spawn(tend(Tending { stack: Arc::downgrade(self), since: number }));
        }
        kept
    }

    async fn prolong(self: Arc<Self>, number: u64, lease: Lease) {
        let Some(l2) = &self.l2 else { return };
        if !l2.extend(&lease.key, lease.token, self.settings.lease_ttl, &lease.counters).await {
            self.leases.end(number);
        }
    }
}

impl Leases {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its number, and whether there is a task: if there is none, it is to be begun for this lease.
    fn add(&self, lease: Lease) -> (u64, bool) {
        let mut held = self.lock();
        let number = held.number;
        held.number += 1;
        held.leases.insert(number, lease);
        (number, *held.tended_since.get_or_insert(number) != number)
    }

    fn end(&self, number: u64) {
        self.lock().leases.remove(&number);
    }

    /// Those to be prolonged now. If there are none at all, nobody need look until there is one.
    fn due(&self) -> Option<Vec<(u64, Lease)>> {
        let mut held = self.lock();
        if held.leases.is_empty() {
            held.tended_since = None;
            return None;
        }
        let due = held.leases.iter_mut().filter_map(|(number, lease)| {
            lease.is_due = !lease.is_due;
            (!lease.is_due).then(|| (*number, lease.clone()))
        });
        Some(due.collect())
    }
}

/// Looks in rounds of a sixth of a lease's life: each is prolonged before a third of it has passed, and whenever another has.
async fn tend(tending: Tending) {
    let Some(round) = tending.stack.upgrade().map(|stack| stack.settings.lease_ttl / 6) else { return };
    loop {
        sleep(round).await;
        let Some(stack) = tending.stack.upgrade() else { return };
        let Some(due) = stack.leases.due() else { return };
        for (number, lease) in due {
            // Apart from each other: the store may take its time over one.
            tokio::spawn(Arc::clone(&stack).prolong(number, lease));
        }
    }
}

/// Ends with the task, or with the runtime that it was on: who comes next begins another one.
struct Tending {
    stack: Weak<StackInner>,
    since: u64,
}

impl Drop for Tending {
    fn drop(&mut self) {
        if let Some(stack) = self.stack.upgrade() {
            stack.leases.lock().tended_since.take_if(|since| *since == self.since);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::{
        Stack,
        backend::{Backend, Claim, Lease as Ask, LeaseReply, Memory},
        key::{CacheName, Namespace},
    };

    const TTL: Duration = Duration::from_secs(3);

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
    }

    async fn stack(store: &Memory) -> Stack {
        Stack::builder("test").l2(store.clone()).lease_ttl(TTL).build().await.unwrap()
    }

    fn key(text: &str) -> EntryKey {
        EntryKey::new(&CacheName::new(&Namespace::new("test").unwrap(), "test").unwrap(), 1, text)
    }

    async fn take(store: &Memory, key: &EntryKey) -> LeaseToken {
        let token = LeaseToken::random();
        let ask = Ask { key, token, ttl: TTL, claim: Claim::Take, marks: &[], retain: TTL };
        assert!(matches!(store.lease(ask).await, Ok(LeaseReply::Granted { .. })));
        token
    }

    fn keep<'a>(stack: &'a Stack, key: &EntryKey, token: LeaseToken) -> Kept<'a> {
        stack.inner.keep_lease(key, token, &Arc::new(Counters::new("test", "test", &Arc::default())))
    }

    async fn is_held(store: &Memory, key: &EntryKey, token: LeaseToken) -> bool {
        store.extend(key, token, TTL / 3).await.unwrap()
    }

    #[test]
    fn each_is_prolonged_until_its_load_ends_and_then_the_task_ends_too() {
        runtime().block_on(async {
            let (store, keys) = (Memory::new(), [key("a"), key("b")]);
            let stack = stack(&store).await;
            let tokens = [take(&store, &keys[0]).await, take(&store, &keys[1]).await];
            let [first, second] = [0, 1].map(|at| keep(&stack, &keys[at], tokens[at]));
            sleep(10 * TTL).await;
            assert!(is_held(&store, &keys[0], tokens[0]).await && is_held(&store, &keys[1], tokens[1]).await);
            drop(first);
            sleep(2 * TTL).await;
            assert!(!is_held(&store, &keys[0], tokens[0]).await && is_held(&store, &keys[1], tokens[1]).await);
            drop(second);
            sleep(TTL).await;
            assert!(stack.inner.leases.lock().tended_since.is_none());
        });
    }

    #[test]
    fn one_that_was_lost_is_not_asked_for_again() {
        runtime().block_on(async {
            let (store, key) = (Memory::new(), key("a"));
            let stack = stack(&store).await;
            let _kept = keep(&stack, &key, LeaseToken::random());
            sleep(TTL).await;
            assert!(stack.inner.leases.lock().leases.is_empty());
        });
    }

    #[test]
    fn a_runtime_that_has_ended_keeps_nothing_and_holds_up_nobody() {
        let (store, key) = (Memory::new(), key("a"));
        let ended = runtime();
        let stack = ended.block_on(stack(&store));
        let handle = ended.handle().clone();
        drop(ended);
        let _entered = handle.enter();
        let _kept = keep(&stack, &key, LeaseToken::random());
        assert!(stack.inner.leases.lock().tended_since.is_none());
    }

    #[test]
    fn the_task_is_begun_again_where_its_runtime_has_ended() {
        let (store, key, other) = (Memory::new(), key("a"), key("b"));
        let first = runtime();
        let stack = first.block_on(stack(&store));
        let token = first.block_on(take(&store, &key));
        let _kept = first.block_on(async { keep(&stack, &key, token) });
        drop(first);
        runtime().block_on(async {
            let token = take(&store, &other).await;
            let _other = keep(&stack, &other, token);
            sleep(10 * TTL).await;
            assert!(is_held(&store, &other, token).await);
        });
    }
}
