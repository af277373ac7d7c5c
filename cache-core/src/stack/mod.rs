//! A stack: the tiers of a service, and what its caches share.

mod builder;
mod follow;
mod global;
mod invalidation;
mod leases;
mod reload;
mod tend;

use std::{
    any::{Any, TypeId},
    collections::{HashMap, VecDeque},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, timeout},
};

pub(crate) use self::builder::Settings;
use self::leases::Leases;
pub use self::{builder::StackBuilder, invalidation::Invalidation};
use crate::{
    backend::{Guard, Invalidate, Position},
    bulkhead::Bulkhead,
    cache::{CacheBuilder, CacheKey, CacheValue},
    clock,
    coherence::{
        follower::Follower,
        ledger::Ledger,
        outbox::{Batch, Outbox, Target, Trust},
        proof::Proof,
        table::OperationId,
    },
    error::{Error, ErrorKind, Result},
    events::{Events, Hub},
    health::{Health, Problems},
    key::{EntryKey, Log, Mark, Namespace},
    l1::Store,
    l2::L2,
    policy::{Policies, Policy},
    stats::{Coherence, Counters, Stats},
    token::ProcessId,
    trace,
    warm::Warmers,
};

/// The tiers of a service with all that its caches share. A cheap clone of an `Arc`; `Send + Sync`.
///
/// One per service as a rule. It lives until the last handle, cache or `#[cached]` function that uses it is gone;
/// [`shutdown`](Self::shutdown) ends it in good order before.
#[derive(Clone)]
pub struct Stack {
    inner: Arc<StackInner>,
}

pub(crate) struct StackInner {
    pub(crate) namespace: Namespace,
    /// Derived from the namespace: long keys are hashed with it.
    pub(crate) domain: [u8; 32],
    pub(crate) any_tag: Mark,
    pub(crate) log: Log,
    /// Under this name its messages are known in the log.
    pub(crate) process: ProcessId,
    pub(crate) settings: Settings,
    pub(crate) policies: ArcSwap<Policies>,
    pub(crate) store: Store,
    pub(crate) l2: Option<L2>,
    pub(crate) ledger: Ledger,
    pub(crate) proof: Proof,
    follower: Mutex<Follower>,
    /// Told when something was queued that need not wait for the next look.
    pub(crate) hurry: Arc<Notify>,
    /// Told when the store was attached to.
    attached: Notify,
    /// The fleet's largest `max_staleness`, in milliseconds.
    fleet: AtomicU64,
    pub(crate) coherence: Coherence,
    /// Places for loads behind stale answers.
    pub(crate) refreshes: Arc<Semaphore>,
    pub(crate) loads: Option<Bulkhead>,
    /// Our own messages that did not come back yet, and when the store had them.
    echoes: Mutex<VecDeque<(Position, Instant)>>,
    /// Those who are told what happens.
    pub(crate) hub: Arc<Hub>,
    pub(crate) problems: Problems,
    pub(crate) warmers: Warmers,
    outbox: Mutex<Outbox>,
    /// Its length, so that a read whose L2 is well takes no lock.
    queued: AtomicUsize,
    /// Its deliveries, likewise.
    deliveries: AtomicU64,
    leases: Leases,
    caches: Mutex<HashMap<String, Registered>>,
    cache_ids: AtomicU32,
    /// What a shutdown waits for.
    running: AtomicUsize,
    /// Told when nothing is running any more.
    rested: Notify,
    closed: AtomicBool,
    tended: AtomicBool,
}

static OPERATIONS: AtomicU64 = AtomicU64::new(0);

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("namespace", &self.inner.namespace).finish_non_exhaustive()
    }
}

impl Stack {
    /// Begins a stack. `namespace` is the first part of every name in L2: services that share data share it.
    pub fn builder(namespace: impl Into<String>) -> StackBuilder {
        StackBuilder::new(namespace.into())
    }

    /// Begins a typed cache of this stack.
    pub fn cache<K: CacheKey, V: CacheValue>(&self, name: impl Into<String>) -> CacheBuilder<K, V> {
        CacheBuilder::new(Arc::clone(&self.inner), name.into())
    }

    /// Revokes every entry with this tag, in all caches and processes, in O(1), however many there are.
    ///
    /// # Errors
    /// As for [`Cache::invalidate`](crate::Cache::invalidate).
    ///
    /// # Cancellation
    /// Once begun it is finished in the background.
    pub async fn invalidate_tag(&self, tag: impl AsRef<str>) -> Result<()> {
        self.invalidate_tags([tag]).await
    }

    /// Revokes every entry with any of these tags, in one call to L2.
    ///
    /// # Errors
    /// As for [`Cache::invalidate`](crate::Cache::invalidate).
    pub async fn invalidate_tags<T: AsRef<str>>(&self, tags: impl IntoIterator<Item = T>) -> Result<()> {
        let marks = tags.into_iter().map(|tag| self.inner.namespace.tag(tag.as_ref())).collect();
        Arc::clone(&self.inner).invalidate_marks(marks).await
    }

    /// Marks every entry with this tag as stale, in all caches and processes, in O(1): see
    /// [`Cache::expire`](crate::Cache::expire).
    ///
    /// An entry that was stored before the fourth but last time this was done to its tag is revoked.
    ///
    /// # Errors
    /// As for [`Cache::expire`](crate::Cache::expire).
    ///
    /// # Cancellation
    /// Once begun it is finished in the background.
    pub async fn expire_tag(&self, tag: impl AsRef<str>) -> Result<()> {
        self.invalidation().tag(tag).soft().send().await
    }

    /// Revokes every entry of the namespace, in O(1).
    ///
    /// # Errors
    /// As for [`Cache::invalidate`](crate::Cache::invalidate).
    pub async fn invalidate_all(&self) -> Result<()> {
        let everything = self.inner.namespace.mark();
        Arc::clone(&self.inner).invalidate_marks(vec![everything]).await
    }

    /// What happened so far in this process, per cache, in the order of their names.
    #[must_use]
    pub fn stats(&self) -> Vec<(String, Stats)> {
        let caches = self.inner.registry();
        let mut stats: Vec<_> = caches.iter().map(|(name, cache)| (name.clone(), cache.counters.snapshot())).collect();
        stats.sort_by(|a, b| a.0.cmp(&b.0));
        stats
    }

    /// Hands all statistics to the recorder of the `metrics` crate now. It is done twice a second anyway; call it before a
    /// scrape that must be exact.
    pub fn publish_metrics(&self) {
        self.inner.publish();
    }

    /// How the stack is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            l2: self.inner.l2.as_ref().map(L2::health),
            queued_invalidations: self.inner.queued.load(Ordering::Acquire),
            problems: self.inner.problems.list(),
            proof_age: self.inner.l2.as_ref().map(|_| self.inner.proof.age(clock::now())),
            flushes: self.inner.coherence.flushes(),
        }
    }

    /// Subscribes to what happens in all caches of this stack, in this process: at most `capacity` events wait to be received,
    /// and further ones are dropped. See [`events`](crate::events).
    #[must_use]
    pub fn events(&self, capacity: usize) -> Events {
        self.inner.hub.subscribe(None, capacity)
    }

    /// How many entries L1 holds, and their weight in bytes if it is bound by weight (otherwise their number again).
    #[must_use]
    pub fn l1_size(&self) -> (u64, u64) {
        self.inner.store.tend();
        self.inner.store.size()
    }

    /// Ends the stack in good order: new calls go past the cache, flights and writes that are under way get their time,
    /// queued invalidations are tried once more, and connections are given up. Calling it again is harmless.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if flights were still under way after 10 seconds (they go on, but store nothing in L2), and
    /// the store's error if invalidations never reached it.
    pub async fn shutdown(&self) -> Result<()> {
        self.inner.shutdown().await
    }

    pub(crate) fn from_inner(inner: Arc<StackInner>) -> Self {
        Self { inner }
    }

    pub(crate) fn inner(&self) -> &Arc<StackInner> {
        &self.inner
    }
}

/// How long a shutdown waits for flights.
const SHUTDOWN: Duration = Duration::from_secs(10);

impl StackInner {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn follower(&self) -> MutexGuard<'_, Follower> {
        lock(&self.follower)
    }

    fn echoes(&self) -> MutexGuard<'_, VecDeque<(Position, Instant)>> {
        lock(&self.echoes)
    }

    fn note_fleet(&self, max_staleness: Duration) {
        self.fleet.store(u64::try_from(max_staleness.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// After so long no process serves from L1 what was revoked before.
    pub(crate) fn fleet_staleness(&self) -> Duration {
        Duration::from_millis(self.fleet.load(Ordering::Acquire)).max(self.settings.max_staleness)
    }

    pub(crate) fn next_operation(&self) -> OperationId {
        OperationId(OPERATIONS.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, HashMap<String, Registered>> {
        lock(&self.caches)
    }

    /// Whether L2 must not be believed about an entry at present.
    pub(crate) fn distrusts<'a>(&self, key: &EntryKey, marks: impl IntoIterator<Item = &'a Mark>) -> bool {
        self.queued.load(Ordering::Acquire) > 0 && lock(&self.outbox).distrusts(key, marks)
    }

    /// Dates what L2 is about to answer.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries.load(Ordering::Acquire)
    }

    /// Whether to believe what L2 answered, asked after so many deliveries, about an entry that rests on `marks`.
    pub(crate) fn trust<'a>(&self, deliveries: u64, marks: impl IntoIterator<Item = &'a Mark>) -> Trust {
        // In this order: a delivery is counted before it leaves the queue.
        if self.queued.load(Ordering::Acquire) == 0 && self.deliveries() == deliveries {
            return Trust::Full;
        }
        lock(&self.outbox).trust(deliveries, marks)
    }

    pub(crate) fn queue(&self, targets: impl IntoIterator<Item = Target>) {
        let mut outbox = lock(&self.outbox);
        outbox.queue(targets);
        self.queued.store(outbox.len(), Ordering::Release);
    }

    /// Tries once to bring to L2 what is queued, a batch at a time, by `send`.
    async fn deliver(&self, send: impl AsyncFn(&L2, Invalidate<'_>) -> Result<Option<Position>>) -> Result<()> {
        let Some(l2) = &self.l2 else { return Ok(()) };
        while let Some(batch) = self.next_batch() {
            let (keys, marks) = batch.split();
            send(l2, self.invalidation(&keys, &marks, None)).await?;
            trace::delivered(keys.len() + marks.len());
            self.confirm(batch);
        }
        Ok(())
    }

    pub(crate) fn invalidation<'a>(
        &'a self,
        keys: &'a [EntryKey],
        marks: &'a [Mark],
        guard: Option<Guard>,
    ) -> Invalidate<'a> {
        Invalidate { keys, marks, any_tag: &self.any_tag, guard, log: &self.log, from: self.process }
    }

    fn next_batch(&self) -> Option<Batch> {
        lock(&self.outbox).batch()
    }

    fn confirm(&self, batch: Batch) {
        let mut outbox = lock(&self.outbox);
        outbox.confirm(batch);
        self.deliveries.store(outbox.deliveries(), Ordering::Release);
        self.queued.store(outbox.len(), Ordering::Release);
    }

    /// Counts something that a shutdown must wait for.
    pub(crate) fn running(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::AcqRel);
        Running(Arc::clone(self))
    }

    async fn shutdown(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        // A hit looks at no flag: what L1 has is revoked instead.
        self.ledger.renew([&self.namespace.mark()]);
        let landed = timeout(SHUTDOWN, self.rest()).await.is_ok();
        let delivered = self.deliver(L2::insist).await;
        if let Some(l2) = &self.l2 {
            l2.close().await;
        }
        self.publish();
        self.hub.close();
        if !landed {
            let context = format!("flights were still under way after {SHUTDOWN:?}");
            return Err(Error::new(ErrorKind::Timeout, "shutdown").context(context));
        }
        delivered.map_err(|error| error.context("queued invalidations never reached the shared store"))
    }

    /// Resolves when nothing is running.
    async fn rest(&self) {
        loop {
            let mut rested = pin!(self.rested.notified());
            // Before the look, so that an end in between is not missed.
            rested.as_mut().enable();
            if self.running.load(Ordering::Acquire) == 0 {
                return;
            }
            rested.await;
        }
    }

    fn publish(&self) {
        for cache in self.registry().values() {
            cache.counters.publish();
        }
        let proof_age = self.l2.as_ref().map(|_| self.proof.age(clock::now()));
        self.coherence.publish(proof_age, self.queued.load(Ordering::Acquire));
    }
}

/// Something under way.
pub(crate) struct Running(Arc<StackInner>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.rested.notify_waiters();
        }
    }
}

/// What a stack remembers of a cache by its name.
pub(crate) struct Registered {
    /// The id of the last one, and what it was: built again as the same, a cache finds its entries.
    id: Option<(u32, TypeId, u32)>,
    pub(crate) counters: Arc<Counters>,
    /// Weak: the cache holds the stack.
    cache: Option<Weak<dyn Registrant>>,
}

impl Registered {
    pub(crate) fn new(stack: &StackInner, name: &str) -> Self {
        Self { id: None, counters: Arc::new(Counters::new(stack.namespace.name(), name, &stack.hub)), cache: None }
    }

    /// Whether a cache of this type and version had the name last.
    pub(crate) fn is_known<T: Registrant>(&self, version: u32) -> bool {
        self.id.is_some_and(|(_, of, of_version)| of == TypeId::of::<T>() && of_version == version)
    }

    /// The id of a cache of this type and version.
    pub(crate) fn id<T: Registrant>(&mut self, stack: &StackInner, version: u32) -> u32 {
        match self.id {
            Some((id, ..)) if self.is_known::<T>(version) => id,
            _ => {
                let id = stack.cache_ids.fetch_add(1, Ordering::Relaxed);
                self.id = Some((id, TypeId::of::<T>(), version));
                id
            }
        }
    }

    pub(crate) fn live(&self) -> Option<Arc<dyn Registrant>> {
        self.cache.as_ref()?.upgrade()
    }

    pub(crate) fn hold<T: Registrant>(&mut self, cache: &Arc<T>) {
        let cache: Arc<dyn Registrant> = Arc::<T>::clone(cache);
        self.cache = Some(Arc::downgrade(&cache));
    }
}

/// A cache as its stack sees it, without its types.
pub(crate) trait Registrant: Any + Send + Sync {
    /// The policy that it would have by this TTL map.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: it contradicts itself, or can't be taken while the cache runs.
    fn resolve(&self, policies: &Policies) -> Result<Policy>;

    /// Has this policy from now on. Says whether it is another one.
    fn adopt(&self, policy: Policy) -> bool;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
