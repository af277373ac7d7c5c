//! A fleet: processes on one shared store, and the origin that they load from.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cache_core::{
    Cache, L1, LoadError, Overrides, Result, Stack, StackBuilder,
    backend::{
        Attach, Attached, Backend, Fill, FillReply, Follow, Found, Invalidate, Lease, LeaseReply, Memory, Message,
        Position, Pulse, Put, Read,
    },
    key::{EntryKey, Log, Mark, Namespace},
    testing::{Faults, Faulty},
    token::{LeaseToken, ProcessId},
};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{advance, interval, timeout},
};

pub(crate) const NAMESPACE: &str = "shop";

/// The key that most tests are about.
pub(crate) const KEY: &str = "k";

/// Longer than any lifetime, lease or deadline of a default stack.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// Nothing here takes so long, even on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Items = Cache<String, u64>;

/// A process of the fleet: a stack of its own on the store of all.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) stack: Stack,
    /// Commands its way to the store.
    pub(crate) faults: Faults,
}

impl Process {
    pub(crate) async fn on(store: &Memory) -> Self {
        Self::with(store, |stack| stack).await
    }

    pub(crate) async fn with(store: &Memory, settings: impl FnOnce(StackBuilder) -> StackBuilder) -> Self {
        let backend = Faulty::new(store.clone());
        let faults = backend.faults();
        let stack = settings(Stack::builder(NAMESPACE).l2(backend)).build().await.unwrap();
        Self { stack, faults }
    }

    /// One that keeps nothing for itself, so that it shows what the store has.
    pub(crate) async fn without_l1(store: &Memory) -> Self {
        Self::with(store, |stack| stack.l1(L1::entries(0))).await
    }

    pub(crate) async fn without_l2() -> Self {
        let stack = Stack::builder(NAMESPACE).build().await.unwrap();
        Self { stack, faults: Faulty::new(Memory::new()).faults() }
    }

    pub(crate) fn items(&self) -> Items {
        self.stack.cache("item").overrides(Overrides::new().jitter(0.0)).build().unwrap()
    }
}

/// What the store has for [`KEY`], as a process would see it that has just started.
pub(crate) async fn stored(store: &Memory) -> Option<u64> {
    Process::without_l1(store).await.items().get(KEY).await
}

pub(crate) fn namespace() -> Namespace {
    Namespace::new(NAMESPACE).unwrap()
}

/// Removes marks, as an eviction would.
pub(crate) async fn evict(store: &Memory, marks: &[Mark]) {
    let elsewhere = Namespace::new("elsewhere").unwrap();
    let (any_tag, log, from) = (&elsewhere.any_tag(), &elsewhere.log(), ProcessId::random());
    store.invalidate(Invalidate { keys: &[], marks, any_tag, guard: None, log, from }).await.unwrap();
}

/// The source of truth: a number that every commit raises by one.
#[derive(Default)]
pub(crate) struct Origin {
    commits: AtomicU64,
    loads: AtomicUsize,
}

impl Origin {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn commit(&self) -> u64 {
        self.commits.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn value(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// How many loads have begun.
    pub(crate) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    /// A load.
    pub(crate) fn load(self: &Arc<Self>) -> impl Future<Output = u64> + Send + use<> {
        let origin = Arc::clone(self);
        async move {
            origin.loads.fetch_add(1, Ordering::SeqCst);
            origin.value()
        }
    }

    /// A load that stands still once it has read the origin.
    pub(crate) fn held(self: &Arc<Self>) -> (Held, impl Future<Output = u64> + Send + use<>) {
        let (held, stand) = hold();
        let load = self.load();
        (held, async move {
            let value = load.await;
            stand.await;
            value
        })
    }
}

/// Where something of the test stands still. Dropping it lets it go.
pub(crate) struct Held {
    arrived: oneshot::Receiver<()>,
    _open: oneshot::Sender<()>,
}

impl Held {
    pub(crate) async fn reached(&mut self) {
        timeout(PATIENCE, &mut self.arrived).await.expect("it comes here in time").expect("it comes here");
    }

    pub(crate) fn release(self) {}
}

/// A place to stand still, and the future that stands there.
pub(crate) fn hold() -> (Held, impl Future<Output = ()> + Send) {
    let (arrive, arrived) = oneshot::channel();
    let (open, opened) = oneshot::channel::<()>();
    let stand = async move {
        // Nobody may be waiting for it; and it opens by being dropped.
        let _ = arrive.send(());
        let _ = opened.await;
    };
    (Held { arrived, _open: open }, stand)
}

/// A caller in a task of its own.
pub(crate) fn call(items: &Items, load: impl Future<Output = u64> + Send + 'static) -> JoinHandle<Result<u64>> {
    let items = items.clone();
    tokio::spawn(async move { items.get_with(KEY, |_| load).await })
}

/// Waits for a condition of the test, however long that takes on a busy machine.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(2));
    let wait = async {
        while !condition() {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

/// Lets every task that can go on do so, without time going by.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Lets time go by in steps that a background task can keep up with.
pub(crate) async fn pass(time: Duration) {
    const STEPS: u32 = 100;
    for _ in 0..STEPS {
        advance(time / STEPS).await;
        settle().await;
    }
}

pub(crate) fn cache_error<E>(error: LoadError<E>) -> cache_core::Error {
    match error {
        LoadError::Cache(error) => error,
        LoadError::Loader(_) => panic!("the loader's own error"),
    }
}

/// A backend that tells which entries were asked for, so that a test can write to them past every tier.
pub(crate) struct Tap {
    store: Memory,
    keys: Arc<Mutex<Vec<EntryKey>>>,
}

impl Tap {
    pub(crate) fn new(store: &Memory) -> (Self, Arc<Mutex<Vec<EntryKey>>>) {
        let keys = Arc::<Mutex<Vec<EntryKey>>>::default();
        (Self { store: store.clone(), keys: Arc::clone(&keys) }, keys)
    }
}

#[async_trait::async_trait]
impl Backend for Tap {
    async fn read(&self, ask: Read<'_>) -> Result<Found> {
        self.keys.lock().unwrap().push(ask.key.clone());
        self.store.read(ask).await
    }

    async fn lease(&self, ask: Lease<'_>) -> Result<LeaseReply> {
        self.store.lease(ask).await
    }

    async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration) -> Result<bool> {
        self.store.extend(key, token, ttl).await
    }

    async fn fill(&self, fill: Fill<'_>) -> Result<FillReply> {
        self.store.fill(fill).await
    }

    async fn release(&self, key: &EntryKey, token: LeaseToken) -> Result<()> {
        self.store.release(key, token).await
    }

    async fn put(&self, put: Put<'_>) -> Result<FillReply> {
        self.store.put(put).await
    }

    async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        self.store.invalidate(what).await
    }

    async fn probe(&self) -> Result<()> {
        self.store.probe().await
    }

    async fn attach(&self, ask: Attach<'_>) -> Result<Attached> {
        self.store.attach(ask).await
    }

    async fn beat(&self, log: &Log) -> Result<Pulse> {
        self.store.beat(log).await
    }

    async fn follow(&self, ask: Follow<'_>) -> Result<Vec<Message>> {
        self.store.follow(ask).await
    }

    async fn close(&self) {
        self.store.close().await;
    }

    fn name(&self) -> &'static str {
        "tap"
    }
}
