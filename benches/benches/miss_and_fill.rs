//! What a miss costs whose loader returns at once, beside the steps that it can't do without.

use std::{
    cell::LazyCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use benches::{Counted, Server, User, in_tasks, runtime};
use cache_core::{
    Bytes, Cache, Source, Stack, StackBuilder,
    backend::{Backend, Claim, Fill, FillReply, Lease, LeaseReply, Memory, Part, Read},
    testing::Names,
    token::{EntryId, LeaseToken},
};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use redis::aio::MultiplexedConnection;
use tokio::{runtime::Runtime, sync::OnceCell};

/// Short, so that a long measurement does not fill the store's memory.
const TTL: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(3);
/// What L1 has room for by default.
const CAPACITY: u64 = 10_000;

fn miss_and_fill(criterion: &mut Criterion) {
    let runtime = runtime();
    l1_only(&mut criterion.benchmark_group("miss_and_fill/L1 only"), &runtime);
    memory(&mut criterion.benchmark_group("miss_and_fill/Memory"), &runtime);
    redis(&mut criterion.benchmark_group("miss_and_fill/Redis"), &runtime);
}

fn l1_only(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime) {
    measure(group, runtime, "moka, loaded in a task", async || {
        let moka = moka::sync::Cache::builder().max_capacity(CAPACITY).time_to_live(TTL).build();
        move |key| moka_miss(moka.clone(), key)
    });
    measure(group, runtime, "cache", async || {
        let cache = cache_of(Stack::builder("bench")).await;
        move |key| miss(cache.clone(), key)
    });
}

fn memory(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime) {
    measure(group, runtime, "read, lease, fill", async || {
        let steps = Arc::new(Steps::new(Memory::new()));
        move |key| Arc::clone(&steps).run(key)
    });
    measure(group, runtime, "cache", async || {
        check_calls(Memory::new()).await;
        let cache = cache_of(Stack::builder("bench").l2(Memory::new())).await;
        move |key| miss(cache.clone(), key)
    });
}

fn redis(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime) {
    let server = OnceCell::new();
    let server = async || server.get_or_init(Server::start).await;
    measure(group, runtime, "raw PTTL and MGET, SET NX, SET", async || {
        let server = server().await;
        check_round_trips(server, raw_steps(server.connection(), fresh())).await;
        let connection = server.connection();
        move |key| raw_steps(connection.clone(), key)
    });
    measure(group, runtime, "read, lease, fill", async || {
        let server = server().await;
        let steps = Arc::new(Steps::new(server.backend().await));
        Arc::clone(&steps).run(fresh()).await;
        check_round_trips(server, Arc::clone(&steps).run(fresh())).await;
        move |key| Arc::clone(&steps).run(key)
    });
    measure(group, runtime, "cache", async || {
        let server = server().await;
        let backend = server.backend().await;
        let cache = cache_of(Stack::builder("bench").l2(backend).l2_deadline(Server::patience())).await;
        check_round_trips(server, miss(cache.clone(), fresh())).await;
        move |key| miss(cache.clone(), key)
    });
}

/// Measures the step that `prepare` makes, in one task, on a new key each time.
fn measure<F, S>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    name: &str,
    prepare: impl AsyncFnOnce() -> S,
) where
    S: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let step = LazyCell::new(|| runtime.block_on(prepare()));
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| {
        let step = (*step).clone();
        bencher.to_async(runtime).iter_custom(|turns| {
            let step = step.clone();
            in_tasks(1, turns, move |_| step(fresh()))
        });
    });
}

/// A key that nothing is stored under.
fn fresh() -> u64 {
    static USED: AtomicU64 = AtomicU64::new(0);
    USED.fetch_add(1, Ordering::Relaxed)
}

async fn miss(cache: Cache<u64, Arc<User>>, key: u64) {
    let answer = cache.at(&key).get_with(|_| async move { User::sample(key) }).await.expect("the loader does not fail");
    assert_eq!(answer.source, Source::Loaded);
}

async fn moka_miss(moka: moka::sync::Cache<u64, Arc<User>>, key: u64) {
    assert!(moka.get(&key).is_none());
    let user = tokio::spawn(async move { User::sample(key) }).await.expect("the loader does not fail");
    moka.insert(key, user);
}

/// A cache in which a miss is a miss, and a hit afterwards.
async fn cache_of(builder: StackBuilder) -> Cache<u64, Arc<User>> {
    let stack = builder.build().await.expect("valid settings");
    let cache = stack.cache("user").ttl(TTL).build().expect("valid settings");
    // The first values are read back before they are stored, and scripts are sent when they are first called.
    for _ in 0..100 {
        let key = fresh();
        miss(cache.clone(), key).await;
        assert!(cache.at(&key).get().await.is_some_and(|answer| answer.source == Source::L1));
    }
    cache
}

/// A miss calls the backend as often as [`Steps`] does.
async fn check_calls(backend: impl Backend) {
    let counted = Counted::new(backend);
    let calls = counted.calls();
    let cache = cache_of(Stack::builder("bench").l2(counted)).await;
    let before = calls.total();
    miss(cache, fresh()).await;
    assert_eq!(calls.total() - before, 3);
}

/// All contenders wait for the server three times.
async fn check_round_trips(server: &Server, step: impl Future<Output = ()>) {
    let (_, spent) = server.spent(step).await;
    assert_eq!(spent.round_trips(), 3, "{spent:?}");
}

/// What a miss asks of a backend, with nothing around it.
struct Steps<B> {
    backend: B,
    names: Names,
    frame: Bytes,
}

impl<B: Backend> Steps<B> {
    fn new(backend: B) -> Self {
        let frame = serde_json::to_vec(&User::sample(7)).expect("a user is JSON").into();
        Self { backend, names: Names::random(), frame }
    }

    async fn run(self: Arc<Self>, key: u64) {
        let key = &self.names.key(&key.to_string());
        let mut marks = self.names.marks();
        let found =
            self.backend.read(Read { key, marks: &marks, part: Part::Whole }).await.expect("a backend that answers");
        assert!(found.entry.is_none());

        marks.push(self.names.any_tag());
        let token = LeaseToken::random();
        let claim = Claim::Join { seen: None };
        let ask = Lease { key, token, ttl: LEASE, claim, marks: &marks, retain: TTL };
        let Ok(LeaseReply::Granted { epochs }) = self.backend.lease(ask).await else {
            panic!("nobody else asks for the lease");
        };

        let (id, frame) = (EntryId::random(), &self.frame);
        let fill = Fill { key, token, id, epochs: &epochs[..2], late: None, frame, ttl: TTL };
        let filled = self.backend.fill(fill).await.expect("a backend that answers");
        assert_eq!(filled, FillReply::Stored);
    }
}

/// The same by hand, without what makes it safe.
async fn raw_steps(mut connection: MultiplexedConnection, key: u64) {
    const ANSWERS: &str = "a server that answers";
    let entry = format!("raw:{{{key}}}");
    let lease = format!("raw:{{{key}}}:lease");
    let mut both = redis::pipe();
    both.pttl(&entry).mget(&[&entry, "raw:namespace", "raw:cache"]);
    let (_, found): (i64, Vec<Option<Vec<u8>>>) = both.query_async(&mut connection).await.expect(ANSWERS);
    assert!(found[0].is_none());

    let mut claim = redis::cmd("SET");
    claim.arg(&lease).arg(LeaseToken::random().as_bytes()).arg("NX").arg("PX").arg(LEASE.as_millis() as u64);
    let claimed: bool = claim.query_async(&mut connection).await.expect(ANSWERS);
    assert!(claimed);

    let json = serde_json::to_vec(&User::sample(key)).expect("a user is JSON");
    let mut fill = redis::cmd("SET");
    fill.arg(&entry).arg(json).arg("PX").arg(TTL.as_millis() as u64);
    let () = fill.query_async(&mut connection).await.expect(ANSWERS);
}

criterion_group! {
    name = group;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = miss_and_fill
}
criterion_main!(group);
