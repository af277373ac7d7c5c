//! A hit in L1 allocates nothing, encodes and decodes nothing, asks nothing of L2, and never waits.
//!
//! moka is told of a sample of the hits, which may make it work off its log of reads, and that allocates. While nothing is
//! stored it is told of nothing.

use std::{
    cell::Cell,
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use allocation_counter::measure;
use benches::{Calls, Counted, single_threaded};
use cache_core::{Cache, CacheKey, Lookup, Source, Stack, backend::Memory, cached};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const TTL: Duration = Duration::from_secs(24 * 60 * 60);
const KEYS: u64 = 256;

const HITS: u64 = 100 * KEYS;

#[test]
fn a_hit_by_a_number_costs_nothing() {
    let numbers: Vec<_> = (0..KEYS).collect();
    let lookups: Vec<_> = numbers.iter().collect();
    assert_hits_cost_nothing(&lookups);
}

#[test]
fn a_hit_by_a_str_costs_nothing() {
    let names: Vec<_> = (0..KEYS).map(|number| format!("ada.{number}@analytical.example")).collect();
    let lookups: Vec<_> = names.iter().map(String::as_str).collect();
    assert_hits_cost_nothing(&lookups);
}

#[test]
fn a_hit_by_a_tuple_costs_nothing() {
    let pairs: Vec<_> = (0..KEYS).map(|number| (number % 10, format!("ada.{number}@analytical.example"))).collect();
    let lookups: Vec<_> = pairs.iter().map(|(org, name)| (org, name.as_str())).collect();
    assert_hits_cost_nothing(&lookups);
}

#[test]
fn a_hit_of_a_cached_function_costs_nothing() {
    let name = |number: u64| format!("ada.{number}@analytical.example");
    let names: Vec<_> = (0..KEYS).map(name).collect();
    single_threaded().block_on(async {
        let (stack, calls) = stack().await;
        stack.install().unwrap();
        for (number, name) in names.iter().enumerate() {
            load(number as u64).await;
            load_by_name(7, name).await.unwrap();
            load_if(number as u64).await;
        }
        for (number, name) in names.iter().enumerate() {
            assert_eq!(load::explain(number as u64).await.source, Source::L1);
            assert_eq!(load_by_name::explain(7, name).await.source, Source::L1);
        }
        assert_nothing_is_spent(&calls, |number| drop(at_once(load(number))));
        assert_nothing_is_spent(&calls, |number| drop(at_once(load_by_name(7, &names[number as usize]))));
        assert_nothing_is_spent(&calls, |number| drop(at_once(load_if(number))));
        assert_nothing_is_spent(&calls, |number| {
            assert!(at_once(load_by_name::get(7, &names[number as usize])).is_some());
        });
    });
}

#[cached(ttl = "24h")]
async fn load(number: u64) -> Arc<Value> {
    Arc::new(Value(number))
}

#[cached(ttl = "24h", tags = ["org:{org}", "name:{name}"])]
async fn load_by_name(org: u64, name: &str) -> Result<Arc<Value>, cache_core::Error> {
    assert_eq!(org, 7);
    Ok(Arc::new(Value(name.len() as u64)))
}

#[cached(ttl = "24h", stale_if_error = "1h", unless = number > KEYS, cache_none = false, cache_if = |value| value.0 < KEYS)]
async fn load_if(number: u64) -> Arc<Value> {
    Arc::new(Value(number))
}

/// `get`, `get_with` and `at`, of entries with tags.
fn assert_hits_cost_nothing<K: CacheKey, L: Lookup<Key = K> + Copy>(lookups: &[L]) {
    single_threaded().block_on(async {
        let (stack, calls) = stack().await;
        let cache = stack.cache("value").ttl(TTL).build().expect("valid settings");
        fill(&cache, lookups, &calls).await;

        let lookup = |number: u64| lookups[number as usize];
        assert_nothing_is_spent(&calls, |number| {
            assert!(at_once(cache.get(lookup(number))).is_some());
        });
        assert_nothing_is_spent(&calls, |number| {
            let load = |_| async { unreachable!("a hit loads nothing") };
            assert!(at_once(cache.get_with(lookup(number), load)).is_ok());
        });
        assert_nothing_is_spent(&calls, |number| {
            let answer = at_once(cache.at(lookup(number)).get());
            assert!(answer.is_some_and(|answer| answer.source == Source::L1));
        });
    });
}

/// A stack of two tiers, and how often the lower one was called.
async fn stack() -> (Stack, Calls) {
    let backend = Counted::new(Memory::new());
    let calls = backend.calls();
    let stack = Stack::builder("shop").l2(backend).l1_ttl(TTL).build().await.expect("valid settings");
    (stack, calls)
}

/// Loads every entry. L2 and the codec come in here: their counts are seen to count.
async fn fill<K: CacheKey, L: Lookup<Key = K> + Copy>(cache: &Cache<K, Arc<Value>>, lookups: &[L], calls: &Calls) {
    let (called, coded) = (calls.total(), CODED.get());
    for (number, key) in (0..).zip(lookups) {
        let loading = cache.at(*key).tags(["org:7", "vip"]).get_with(move |_| async move { Arc::new(Value(number)) });
        assert!(loading.await.is_ok_and(|answer| answer.source == Source::Loaded));
    }
    assert!(calls.total() >= called + 3 * KEYS);
    assert!(CODED.get() >= coded + KEYS);
}

/// `hit` is given numbers of keys.
fn assert_nothing_is_spent(calls: &Calls, hit: impl Fn(u64)) {
    // The thread sets some things up when they are first used, and moka is told of each entry once.
    (0..KEYS).for_each(&hit);

    assert_eq!(measure(|| drop(black_box(Box::new(7)))).count_total, 1);

    let (called, coded) = (calls.total(), CODED.get());
    let allocated = measure(|| (0..HITS).for_each(|number| hit(number % KEYS)));
    assert_eq!(allocated.count_total, 0, "allocations in {HITS} hits");
    assert_eq!(calls.total() - called, 0, "calls of L2");
    assert_eq!(CODED.get() - coded, 0, "values encoded or decoded");
}

/// The output of a future that does not have to wait.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a hit waits for nothing"),
    }
}

thread_local! {
    /// How often this thread has encoded or decoded a value; a runtime of one thread does all of it there.
    static CODED: Cell<u64> = const { Cell::new(0) };
}

/// Counts what a codec does with it.
struct Value(u64);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        CODED.set(CODED.get() + 1);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        CODED.set(CODED.get() + 1);
        u64::deserialize(deserializer).map(Self)
    }
}
