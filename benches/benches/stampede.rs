//! How long 1,000 callers wait who all ask for one cold key at once. Only one of them may load.

use std::{
    cell::LazyCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use benches::{Server, User, in_tasks, runtime};
use cache_core::{Cache, Stack, StackBuilder};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use tokio::{
    runtime::Runtime,
    sync::{OnceCell, watch},
};

const CALLERS: u64 = 1_000;
/// Short, so that a long measurement does not fill the store's memory.
const TTL: Duration = Duration::from_secs(60);

fn stampede(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("stampede");
    group.throughput(Throughput::Elements(CALLERS));

    measure(&mut group, &runtime, "tokio OnceCell", async || {
        |key, origin| async move {
            let cell = Arc::new(OnceCell::new());
            crowd(move |_| wait_at_cell(Arc::clone(&cell), key, Arc::clone(&origin))).await
        }
    });
    measure(&mut group, &runtime, "L1 only", async || {
        let caches = [cache_of(Stack::builder("bench")).await];
        move |key, origin| ask_all(caches.clone(), key, origin)
    });
    let server = OnceCell::new();
    let on_server = async || {
        let backend = server.get_or_init(Server::start).await.backend().await;
        cache_of(Stack::builder("bench").l2(backend).l2_deadline(Server::patience())).await
    };
    measure(&mut group, &runtime, "one stack on Redis", async || {
        let caches = [on_server().await];
        move |key, origin| ask_all(caches.clone(), key, origin)
    });
    measure(&mut group, &runtime, "two stacks on one Redis", async || {
        let caches = [on_server().await, on_server().await];
        move |key, origin| ask_all(caches.clone(), key, origin)
    });
    group.finish();
}

/// Measures stampedes that `prepare` makes the way for, each on a new key with an origin of its own.
fn measure<F, S>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    name: &str,
    prepare: impl AsyncFnOnce() -> S,
) where
    S: Fn(u64, Arc<Origin>) -> F,
    F: Future<Output = Duration>,
{
    let run = LazyCell::new(|| runtime.block_on(prepare()));
    group.bench_function(name, |bencher| {
        let run = &*run;
        bencher.to_async(runtime).iter_custom(async |turns| {
            let mut total = Duration::ZERO;
            for _ in 0..turns {
                let origin = Arc::new(Origin::new());
                total += run(fresh(), Arc::clone(&origin)).await;
                assert_eq!((origin.callers(), origin.loads()), (CALLERS, 1));
            }
            total
        });
    });
}

/// A key that nothing is stored under.
fn fresh() -> u64 {
    static USED: AtomicU64 = AtomicU64::new(0);
    USED.fetch_add(1, Ordering::Relaxed)
}

async fn cache_of(builder: StackBuilder) -> Cache<u64, Arc<User>> {
    let stack = builder.build().await.expect("valid settings");
    stack.cache("user").ttl(TTL).build().expect("valid settings")
}

/// Spreads the callers over the caches.
async fn ask_all<const N: usize>(caches: [Cache<u64, Arc<User>>; N], key: u64, origin: Arc<Origin>) -> Duration {
    crowd(move |caller| ask(caches[caller as usize % N].clone(), key, Arc::clone(&origin))).await
}

async fn crowd<F>(ask: impl Fn(u64) -> F + Clone + Send + 'static) -> Duration
where
    F: Future<Output = ()> + Send,
{
    in_tasks(CALLERS, 1, ask).await
}

async fn ask(cache: Cache<u64, Arc<User>>, key: u64, origin: Arc<Origin>) {
    origin.arrive();
    let user = cache.get_with(&key, |_| origin.load(key)).await.expect("the loader does not fail");
    assert_eq!(user.id, key);
}

async fn wait_at_cell(cell: Arc<OnceCell<Arc<User>>>, key: u64, origin: Arc<Origin>) {
    origin.arrive();
    let user = cell.get_or_init(|| origin.load(key)).await;
    assert_eq!(user.id, key);
}

/// What is loaded from. It answers when everyone has asked, so that nobody is late for the stampede, and counts its loads.
struct Origin {
    callers: watch::Sender<u64>,
    loads: AtomicU64,
}

impl Origin {
    fn new() -> Self {
        Self { callers: watch::Sender::new(0), loads: AtomicU64::new(0) }
    }

    fn arrive(&self) {
        self.callers.send_modify(|callers| *callers += 1);
    }

    async fn load(self: Arc<Self>, key: u64) -> Arc<User> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        let mut callers = self.callers.subscribe();
        callers.wait_for(|callers| *callers == CALLERS).await.expect("the origin is still there");
        User::sample(key)
    }

    fn callers(&self) -> u64 {
        *self.callers.borrow()
    }

    fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }
}

criterion_group! {
    name = group;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5));
    targets = stampede
}
criterion_main!(group);
