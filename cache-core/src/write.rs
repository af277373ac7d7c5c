//! The write path: inserts and invalidations.
//!
//! L2 first, then this process, then the answer. Each runs in a task of its own, so that a caller who is dropped half-way
//! leaves no half of it behind; where there is no L2 nothing waits, and nobody can be dropped half-way.

mod here;

use std::{slice, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    backend::{Expire, FillReply, Guard, Put},
    cache::{CacheKey, CacheValue, Call, Shared},
    clock,
    coherence::{
        course::Loaded,
        ledger::{Ledger, Lot, Moment},
        outbox::Target,
        table::OperationId,
    },
    entry::EntryRef,
    error::{Error, ErrorKind, Result},
    events::{Hub, Kind, Subject},
    flight::Cargo,
    key::{
        EntryKey, Mark, Scope,
        encode::{self, KeyText},
    },
    load::panicked,
    lookup::Lookup,
    policy::Policy,
    stack::StackInner,
    stats::{Counters, Event},
    token::{EntryId, LeaseToken},
    trace,
};

impl<K: CacheKey, V: CacheValue> Shared<K, V> {
    pub(crate) async fn insert<L: Lookup<Key = K>>(
        self: &Arc<Self>,
        key: L,
        hash: u64,
        value: V,
        call: Call,
    ) -> Result<()> {
        if self.l2().is_none() {
            return self.insert_here(&key, hash, value, &call);
        }
        self.clone().insert_everywhere(key.to_key(), hash, value, call).await
    }

    async fn insert_everywhere(self: Arc<Self>, key: K, hash: u64, value: V, call: Call) -> Result<()> {
        if self.stack.is_closed() {
            return Err(Error::new(ErrorKind::Closed, "insert"));
        }
        let stack = Arc::clone(&self.stack);
        if self.is_bypassed() {
            // What is there must not be taken for this value when the cache is switched on again.
            let (local, key) = self.revocation_of(key, hash)?;
            return stack
                .invalidate(Revocation { keys: vec![key], locals: vec![local], ..Revocation::default() })
                .await;
        }
        stack.to_the_end(insert(self, key, hash, value, call)).await
    }

    /// What it takes to revoke one entry.
    pub(crate) fn revocation_of(self: Arc<Self>, key: K, hash: u64) -> Result<(Local, EntryKey)> {
        let entry_key = self.entry_key(&self.encode(&key)?);
        self.note(Event::Invalidation, hash, &key);
        let (counters, lot) = (Arc::clone(&self.counters), self.lot(hash, &entry_key));
        let local = Local { counters, lot, drop: Box::new(move || self.drop_local(hash, &key)) };
        Ok((local, entry_key))
    }
}

/// What is to be revoked.
#[derive(Default)]
pub(crate) struct Revocation {
    pub(crate) keys: Vec<EntryKey>,
    /// Of the keys, in this process.
    pub(crate) locals: Vec<Local>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) hold_off: Option<Duration>,
    /// Whether it is only marked as stale. Marks are of tags then, and there is no hold-off.
    pub(crate) soft: bool,
}

/// An entry in this process, without its types.
pub(crate) struct Local {
    counters: Arc<Counters>,
    lot: Lot,
    drop: Box<dyn Fn() + Send + Sync>,
}

impl Revocation {
    /// Drops it in this process, with the flights that it touches.
    fn apply(&self, ledger: &Ledger) {
        if self.soft {
            self.locals.iter().for_each(|local| ledger.expire_lot(local.lot));
            return ledger.expire(&self.marks);
        }
        self.locals.iter().for_each(|local| (local.drop)());
        ledger.renew(&self.marks);
    }

    /// Tells of tags and of the namespace. Entries and caches are told of where they are named.
    fn tell(&self, hub: &Hub) {
        for mark in self.marks.iter().filter(|mark| mark.scope() != Scope::Cache) {
            hub.tell(Kind::Invalidated, Subject { key: &|| Some(mark.name().into()), ..Subject::NONE });
        }
    }

    fn count(&self, event: Event) {
        self.locals.iter().for_each(|local| local.counters.count(event));
    }

    fn targets(&self) -> impl Iterator<Item = Target> {
        let entries = self.keys.iter().cloned().map(Target::Entry);
        entries.chain(self.marks.iter().cloned().map(Target::Mark))
    }
}

/// Guarded writes.
impl<K: CacheKey, V: CacheValue> Shared<K, V> {
    pub(crate) async fn write<T: Send + 'static>(
        self: Arc<Self>,
        key: K,
        hash: u64,
        commit: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let text = self.encode(&key)?;
        let entry_key = self.entry_key(&text);
        let stack = Arc::clone(&self.stack);
        stack
            .to_the_end(async move {
                let (token, ttl) = (LeaseToken::random(), self.stack.settings.guard_ttl);
                self.drop_local(hash, &key);
                let opened = self.stack.tell(slice::from_ref(&entry_key), &[], Some(Guard::Open { token, ttl })).await;
                self.drop_local(hash, &key);
                opened.map_err(|error| error.context("no guard could be opened, so nothing was committed"))?;
                self.counters.tell(Kind::Invalidated, hash, || encode::text(&key));
                let keeper = self.keep_guard(&entry_key, token);
                let written = commit.await;
                drop(keeper);
                // What can't be told is queued; the guard denies until it ends.
                let _ = self.stack.revoke(slice::from_ref(&entry_key), &[], Some(Guard::Close { token })).await;
                self.drop_local(hash, &key);
                Ok(written)
            })
            .await
    }

    /// Prolongs a guard until it is dropped.
    fn keep_guard(self: &Arc<Self>, key: &EntryKey, token: LeaseToken) -> JoinSet<()> {
        let (cache, key) = (Arc::clone(self), key.clone());
        let ttl = cache.stack.settings.guard_ttl;
        let mut keeper = JoinSet::new();
        keeper.spawn(async move {
            loop {
                sleep(ttl / 3).await;
                // One that fails leaves two more tries before the guard ends.
                let _ = cache.stack.tell(slice::from_ref(&key), &[], Some(Guard::Open { token, ttl })).await;
            }
        });
        keeper
    }
}

impl StackInner {
    pub(crate) async fn invalidate_marks(self: Arc<Self>, marks: Vec<Mark>) -> Result<()> {
        self.invalidate(Revocation { marks, ..Revocation::default() }).await
    }

    pub(crate) async fn invalidate(self: Arc<Self>, what: Revocation) -> Result<()> {
        if what.keys.is_empty() && what.marks.is_empty() {
            return Ok(());
        }
        if self.l2.is_none() {
            self.invalidate_here(&what);
            return Ok(());
        }
        let stack = Arc::clone(&self);
        stack
            .to_the_end(async move {
                what.tell(&self.hub);
                // Once before, so that a reader meets the old entry here no longer than it must; the one that counts is after.
                what.apply(&self.ledger);
                let told = match what.soft {
                    true => self.expire(&what.keys, &what.marks).await,
                    false => {
                        let guard = what.hold_off.map(|ttl| Guard::Hold { ttl });
                        self.revoke(&what.keys, &what.marks, guard).await
                    }
                };
                what.apply(&self.ledger);
                if told.is_err() {
                    what.count(Event::InvalidationQueued);
                }
                told
            })
            .await
    }

    /// Drops it here, and leaves it to the background to tell L2: as if it could not be told now.
    pub(crate) fn invalidate_soon(self: Arc<Self>, what: Revocation) {
        if self.l2.is_some() {
            self.queue(what.targets());
        }
        what.tell(&self.hub);
        what.apply(&self.ledger);
        self.ensure_tended();
        self.hurry.notify_one();
    }

    /// Tells L2, or queues it; L2 is distrusted from before this returns an error.
    async fn revoke(&self, keys: &[EntryKey], marks: &[Mark], guard: Option<Guard>) -> Result<()> {
        match self.tell(keys, marks, guard).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.queue_after(error, keys, marks)),
        }
    }

    /// Marks as stale in L2. What can't be told is queued as an invalidation.
    async fn expire(&self, keys: &[EntryKey], tags: &[Mark]) -> Result<()> {
        let Some(l2) = &self.l2 else { return Ok(()) };
        let what = Expire { keys, tags, any_tag: &self.any_tag, log: &self.log, from: self.process };
        match l2.expire(what).await {
            Ok(position) => {
                position.into_iter().for_each(|position| self.expect_echo(position));
                Ok(())
            }
            Err(error) => Err(self.queue_after(error, keys, tags)),
        }
    }

    fn queue_after(&self, error: Error, keys: &[EntryKey], marks: &[Mark]) -> Error {
        let entries = keys.iter().cloned().map(Target::Entry);
        self.queue(entries.chain(marks.iter().cloned().map(Target::Mark)));
        if self.is_closed() {
            return error.context("dropped here; a stack that ends tries L2 once more at most");
        }
        trace::queued(keys.len() + marks.len(), &error);
        error.context("dropped here, queued for L2, and retried until it gets through")
    }

    /// Tells L2, if there is one.
    async fn tell(&self, keys: &[EntryKey], marks: &[Mark], guard: Option<Guard>) -> Result<()> {
        match &self.l2 {
            Some(l2) => {
                let position = l2.invalidate(self.invalidation(keys, marks, guard)).await?;
                position.into_iter().for_each(|position| self.expect_echo(position));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Runs `write` to its end, whether or not the caller waits for it. A shutdown does.
    async fn to_the_end<T: Send + 'static>(
        self: &Arc<Self>,
        write: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        // What fails is queued, and somebody must be there to retry it.
        self.ensure_tended();
        let running = self.running();
        let written = tokio::spawn(async move {
            let _running = running;
            write.await
        });
        match written.await {
            Ok(result) => result,
            Err(end) => Err(match end.try_into_panic() {
                Ok(panic) => panicked("write", &*panic),
                Err(_) => Error::new(ErrorKind::Closed, "write").context("the runtime shut down"),
            }),
        }
    }
}

async fn insert<K: CacheKey, V: CacheValue>(
    cache: Arc<Shared<K, V>>,
    key: K,
    hash: u64,
    value: V,
    call: Call,
) -> Result<()> {
    let text = cache.encode(&key)?;
    let policy = cache.policy();
    let mut cargo = Cargo::brought(&cache, &policy, value, &call, clock::now());
    let write = Write::begin(&cache, key, hash);
    let stored = match cache.pack(&policy, &mut cargo) {
        Loaded::Keep => put(&cache, &policy, &text, &mut cargo).await,
        _ => Err(unstorable()),
    };
    if stored.is_ok() {
        write.succeeded(&cache.entry_key(&text), cargo);
    }
    stored
}

impl<V: CacheValue> Cargo<V> {
    /// A value that a caller brought, who is as good as a loader that has just begun.
    fn brought<K: CacheKey>(cache: &Shared<K, V>, policy: &Policy, value: V, call: &Call, now: Instant) -> Self {
        Self {
            started: now,
            ttl: cache.lifetime(policy, &value, call.ttl),
            grace: policy.grace(),
            leased: true,
            tags: cache.stack.ledger.tags(&call.tags),
            validator: None,
            payload: None,
            size: None,
            id: None,
            value,
        }
    }
}

async fn put<K: CacheKey, V: CacheValue>(
    cache: &Shared<K, V>,
    policy: &Policy,
    text: &KeyText,
    cargo: &mut Cargo<V>,
) -> Result<()> {
    let Some(l2) = cache.l2() else { return Ok(()) };
    let payload = cargo.payload.take().expect("what is kept in L2 was encoded");
    let names = cargo.tags.names().collect();
    let life = cargo.ttl + cargo.grace;
    let entry_key = cache.entry_key(text);
    let took = clock::now() - cargo.started;
    let frame = cache.frame(policy, (text, &entry_key), cargo, payload, names, took, life).ok_or_else(unstorable)?;
    let marks: Vec<Mark> = cache.scopes.iter().chain(cargo.tags.marks()).cloned().collect();
    let id = EntryId::random();
    let put = Put {
        key: &entry_key,
        id,
        marks: &marks,
        frame: &frame,
        ttl: life,
        retain: policy.retain(Some(cargo.ttl)),
        log: &cache.stack.log,
        from: cache.stack.process,
    };
    match l2.put(put, &cache.counters).await? {
        FillReply::Stored => {
            cargo.id = Some(id);
            Ok(())
        }
        FillReply::Refused => Err(Error::new(ErrorKind::Refused, "insert")
            .context("a guarded write or a hold-off is under way for the key: try again when it has ended")),
    }
}

fn unstorable() -> Error {
    Error::new(ErrorKind::Codec, "insert").context(
        "the value is too large, has too many tags or no lifetime, or its codec can't store it; see the stack's health",
    )
}

/// A write that is registered in the table of its key, so that loads which overlap it are not stored.
struct Write<K: CacheKey, V: CacheValue> {
    cache: Arc<Shared<K, V>>,
    key: K,
    hash: u64,
    id: OperationId,
    born: Moment,
    stored: Option<EntryRef<K, V>>,
}

impl<K: CacheKey, V: CacheValue> Write<K, V> {
    fn begin(cache: &Arc<Shared<K, V>>, key: K, hash: u64) -> Self {
        let id = cache.stack.next_operation();
        let mut table = cache.table(hash);
        table.write(&key, id);
        let born = cache.stack.ledger.moment();
        drop(table);
        Self { cache: Arc::clone(cache), key, hash, id, born, stored: None }
    }

    fn succeeded(mut self, entry_key: &EntryKey, cargo: Cargo<V>) {
        let standing = self.cache.standing(self.cache.lot(self.hash, entry_key), self.born, &cargo.tags);
        self.stored =
            Some(self.cache.landed(&self.cache.policy_now(), self.key.clone(), standing, cargo, clock::now()));
    }
}

/// Puts what was stored into L1. After a failure, or next to another write, nobody here knows what L2 has: then nothing
/// stays in L1.
impl<K: CacheKey, V: CacheValue> Drop for Write<K, V> {
    fn drop(&mut self) {
        let mut table = self.cache.table(self.hash);
        let is_current = table.finish(&self.key, self.id);
        match self.stored.take() {
            Some(entry) if is_current => self.cache.admit(self.hash, &entry, clock::now()),
            _ => self.cache.remove(self.hash, &self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{ErrorKind, Stack, backend::Memory};

    #[tokio::test]
    async fn an_invalidation_after_the_end_promises_no_retry() {
        let stack = Stack::builder("shop").l2(Memory::new()).build().await.unwrap();
        stack.shutdown().await.unwrap();
        let error = stack.invalidate_tag("org:7").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(!error.to_string().contains("retried"), "{error}");
    }
}
