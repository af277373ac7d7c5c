//! Many keys at once: one load for those that are missing, and each key on its own in everything else.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use cache_core::{
    Batched, Cache, ErrorKind, LoadError, Many, Overrides, Source, Stack, backend::Memory, testing::Operation,
};
use tokio::time::advance;

use crate::fleet::{Held, NAMESPACE, Process, cache_error, hold, settle, until};

const SECOND: Duration = Duration::from_secs(1);

type Squares = Cache<u64, u64>;
type Loading = Pin<Box<dyn Future<Output = HashMap<u64, u64>> + Send>>;
type Failed = LoadError<&'static str>;

fn squares(process: &Process) -> Squares {
    process.stack.cache("square").overrides(Overrides::new().jitter(0.0)).build().unwrap()
}

/// An origin that knows the squares of all numbers below 100, and remembers what it was asked for.
#[derive(Clone, Default)]
struct Origin(Arc<Mutex<Vec<BTreeSet<u64>>>>);

impl Origin {
    async fn load(self, keys: Vec<u64>) -> HashMap<u64, u64> {
        self.0.lock().unwrap().push(keys.iter().copied().collect());
        keys.into_iter().filter(|key| *key < 100).map(|key| (key, key * key)).collect()
    }

    fn loader(&self) -> impl Fn(Vec<u64>) -> Loading + use<> {
        let origin = self.clone();
        move |keys| Box::pin(origin.clone().load(keys))
    }

    /// What it was asked for since this was last called.
    fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut *self.0.lock().unwrap()).into_iter().map(|keys| keys.into_iter().collect()).collect()
    }
}

async fn get(items: &Squares, keys: impl IntoIterator<Item = u64>, origin: &Origin) -> BTreeMap<u64, u64> {
    let keys: Vec<u64> = keys.into_iter().collect();
    items.many(&keys).get_with(origin.loader()).await.into_result().unwrap().into_iter().collect()
}

fn squared(keys: impl IntoIterator<Item = u64>) -> BTreeMap<u64, u64> {
    keys.into_iter().map(|key| (key, key * key)).collect()
}

async fn both() -> [Process; 2] {
    [Process::on(&Memory::new()).await, Process::without_l2().await]
}

#[tokio::test(start_paused = true)]
async fn one_load_answers_for_all_that_are_missing_and_each_is_cached_on_its_own() {
    for process in both().await {
        let (items, origin) = (squares(&process), Origin::default());
        items.insert(&3, 9).await.unwrap();
        assert_eq!(get(&items, [1, 2, 3, 3, 2], &origin).await, squared(1..4));
        assert_eq!(origin.asked(), [vec![1, 2]]);
        assert_eq!(items.get_with(&2, |_| async { panic!("it is cached") }).await.unwrap(), 4);
        items.invalidate(&1).await.unwrap();
        assert_eq!(get(&items, 1..5, &origin).await, squared(1..5));
        assert_eq!(origin.asked(), [vec![1, 4]]);
        assert_eq!(items.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn very_many_keys_are_asked_for_in_parts() {
    for process in both().await {
        let (items, origin) = (squares(&process), Origin::default());
        let values = items.many(&(0..1200).collect::<Vec<_>>()).get_with(origin.loader()).await.into_values();
        assert_eq!((values.len(), values[&99]), (100, 9801));
        assert_eq!(origin.asked().iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 200]);
        assert_eq!(items.get_many(&(0..1200).collect::<Vec<_>>()).await.len(), 100);
        items.insert_many((0..1200).map(|key| (key, 0))).await.unwrap();
        assert_eq!(items.get_many(&(0..1200).collect::<Vec<_>>()).await.len(), 1200);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_where_nothing_is_missing() {
    for process in both().await {
        let (items, origin) = (squares(&process), Origin::default());
        assert!(get(&items, [], &origin).await.is_empty());
        get(&items, 0..10, &origin).await;
        origin.asked();
        assert_eq!(get(&items, 0..10, &origin).await, squared(0..10));
        assert!(origin.asked().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_loader_does_not_name_has_no_value_and_none_is_cached() {
    for process in both().await {
        let (items, origin) = (squares(&process), Origin::default());
        assert_eq!(get(&items, [7, 200], &origin).await, squared([7]));
        assert_eq!(get(&items, [7, 200], &origin).await, squared([7]));
        assert_eq!(origin.asked(), [vec![7, 200], vec![200]]);
        assert_eq!(items.get(&200).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_is_cached_where_the_loader_says_so() {
    let process = Process::on(&Memory::new()).await;
    let items: Cache<u64, Option<u64>> = process.stack.cache("maybe").build().unwrap();
    let load = |keys: Vec<u64>| async move { keys.into_iter().map(|key| (key, None)).collect::<Vec<_>>() };
    items.many([&1]).get_with(load).await.into_result().unwrap();
    assert_eq!(items.get(&1).await, Some(None));
}

#[tokio::test(start_paused = true)]
async fn a_peer_finds_all_of_it_in_l2() {
    let store = Memory::new();
    let (here, peer, origin) = (Process::on(&store).await, Process::on(&store).await, Origin::default());
    get(&squares(&here), 0..50, &origin).await;
    assert_eq!(get(&squares(&peer), 0..50, &origin).await, squared(0..50));
    assert_eq!(origin.asked().len(), 1);
    let third = Process::on(&store).await;
    assert_eq!(squares(&third).get_many(&[1, 2, 99]).await, HashMap::from([(1, 1), (2, 4)]));
    let stats = squares(&third).stats();
    assert_eq!((stats.l2_hits, stats.misses), (2, 1));
}

async fn fail_some(items: &Squares) -> Many<u64, u64, &'static str> {
    let load = |keys: Vec<u64>| async move {
        let each = keys.into_iter().map(|key| (key, if key % 2 == 0 { Ok(key * key) } else { Err("odd") }));
        Ok(each.collect::<Vec<_>>())
    };
    items.many([&1, &2, &3, &4]).try_get_with(load).await
}

#[tokio::test(start_paused = true)]
async fn single_keys_may_fail_and_only_they_do() {
    for process in both().await {
        let items = squares(&process);
        let many = fail_some(&items).await;
        assert_eq!(many.errors.len(), 2);
        assert!(many.errors.values().all(|error| matches!(error, LoadError::Loader(error) if **error == "odd")));
        assert_eq!(many.into_values(), HashMap::from([(2, 4), (4, 16)]));
        assert_eq!((items.get(&2).await, items.get(&1).await), (Some(4), None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_as_a_whole_fails_all_and_the_cached_are_there_still() {
    for process in both().await {
        let items = squares(&process);
        items.insert(&1, 1).await.unwrap();
        let load = |_| async { Err::<Vec<(u64, Result<u64, &str>)>, _>("no rows") };
        let many = items.many([&1, &2, &3]).try_get_with(load).await;
        assert_eq!((many.answers.len(), many.answers[&1].source, many.errors.len()), (1, Source::L1, 2));
        let panicking = |_| async { panic!("no luck") };
        let many: Many<u64, u64> = items.many([&1, &2, &3]).get_with::<_, _, Vec<_>>(panicking).await;
        assert_eq!(many.errors.len(), 2);
        let panicked = |error| cache_error(error).kind() == ErrorKind::Panicked;
        assert!(many.errors.into_values().all(panicked));
        assert_eq!(items.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_cancelled_and_told_for_each_key() {
    let stack = Stack::builder(NAMESPACE).build().await.unwrap();
    let items: Squares = stack.cache("slow").overrides(Overrides::new().hard_timeout(SECOND)).build().unwrap();
    let (cancelled, is_cancelled) = tokio::sync::oneshot::channel::<()>();
    let cancelled = Mutex::new(Some(cancelled));
    let load = move |_| {
        let cancelled = cancelled.lock().unwrap().take();
        async move {
            let _cancelled = cancelled;
            std::future::pending::<Vec<(u64, u64)>>().await
        }
    };
    let many = items.many([&1, &2]).get_with(load).await;
    assert!(many.errors.into_values().all(|error| cache_error(error).kind() == ErrorKind::LoadTimeout));
    assert!(is_cancelled.await.is_err(), "its future was dropped");
}

/// A load of many keys that stops half-way.
fn held(origin: &Origin) -> (Held, impl Fn(Vec<u64>) -> Loading + use<>) {
    let (held, gate) = hold();
    let (gate, origin) = (Mutex::new(Some(gate)), origin.clone());
    let load = move |keys| {
        let (gate, origin) = (gate.lock().unwrap().take(), origin.clone());
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.await;
            }
            origin.load(keys).await
        }) as Loading
    };
    (held, load)
}

#[tokio::test(start_paused = true)]
async fn keys_in_flight_are_awaited_and_not_loaded_again() {
    for process in both().await {
        let (items, origin) = (squares(&process), Origin::default());
        let (mut first, load) = held(&origin);
        let loading = tokio::spawn({
            let items = items.clone();
            async move { items.many([&1, &2]).get_with(load).await.into_result().unwrap() }
        });
        first.reached().await;
        let second = tokio::spawn({
            let (items, origin) = (items.clone(), origin.clone());
            async move { get(&items, [2, 3], &origin).await }
        });
        let single = tokio::spawn({
            let items = items.clone();
            async move { items.get_with(&1, |_| async { panic!("it is in flight") }).await.unwrap() }
        });
        until("the third key is loaded meanwhile", || !origin.0.lock().unwrap().is_empty()).await;
        settle().await;
        first.release();
        assert_eq!(loading.await.unwrap().len(), 2);
        assert_eq!((second.await.unwrap(), single.await.unwrap()), (squared([2, 3]), 1));
        assert_eq!(origin.asked(), [vec![3], vec![1, 2]]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_joined_a_batch_which_knew_nothing_of_its_key_loads_by_itself() {
    let (items, origin) = (squares(&Process::on(&Memory::new()).await), Origin::default());
    let (mut first, load) = held(&origin);
    let loading = tokio::spawn({
        let items = items.clone();
        async move { items.many([&200]).get_with(load).await.into_result().unwrap() }
    });
    first.reached().await;
    let single = tokio::spawn({
        let items = items.clone();
        async move { items.get_with(&200, |_| async { 40_000 }).await.unwrap() }
    });
    settle().await;
    first.release();
    assert!(loading.await.unwrap().is_empty());
    assert_eq!(single.await.unwrap(), 40_000);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_loads_keeps_nobody_waiting() {
    let store = Memory::new();
    let (here, peer, origin) = (Process::on(&store).await, Process::on(&store).await, Origin::default());
    let (items, theirs) = (squares(&here), squares(&peer));
    let (mut peers, load) = held(&origin);
    let loading = tokio::spawn(async move { theirs.many([&1]).get_with(load).await.into_result().unwrap() });
    peers.reached().await;
    let mine = tokio::spawn({
        let (items, origin) = (items.clone(), origin.clone());
        async move { get(&items, [1, 2], &origin).await }
    });
    until("the other key is loaded meanwhile", || !origin.0.lock().unwrap().is_empty()).await;
    assert_eq!(items.stats().lease_waits.min(1), 1);
    peers.release();
    assert_eq!(loading.await.unwrap().len(), 1);
    assert_eq!(mine.await.unwrap(), squared([1, 2]));
    assert_eq!(origin.asked(), [vec![2], vec![1]], "each was loaded once in the fleet");
}

#[tokio::test(start_paused = true)]
async fn a_load_that_another_process_did_not_bring_is_made_up_for() {
    let store = Memory::new();
    let (here, peer, origin) = (Process::on(&store).await, Process::on(&store).await, Origin::default());
    let (items, theirs) = (squares(&here), squares(&peer));
    let (mut peers, load) = held(&origin);
    let loading = tokio::spawn(async move { theirs.many([&1]).get_with(load).await.into_result().unwrap() });
    peers.reached().await;
    let mine = tokio::spawn({
        let (items, origin) = (items.clone(), origin.clone());
        async move { get(&items, [1, 2], &origin).await }
    });
    until("it waits for the peer", || items.stats().lease_waits > 0).await;
    loading.abort();
    assert_eq!(mine.await.unwrap(), squared([1, 2]));
    assert_eq!(origin.asked(), [vec![2], vec![1]]);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_during_a_batch_keeps_its_own_key_out_and_no_other() {
    for process in both().await {
        let (items, origin) = (squares(&process), Origin::default());
        let (mut batch, load) = held(&origin);
        let loading = tokio::spawn({
            let items = items.clone();
            async move {
                let tagged = items.many([&1, &2, &3]).tags(|key| [format!("tag-{key}")]);
                tagged.get_with(load).await.into_result().unwrap()
            }
        });
        batch.reached().await;
        items.invalidate(&1).await.unwrap();
        process.stack.invalidate_tag("tag-2").await.unwrap();
        batch.release();
        assert_eq!(loading.await.unwrap().len(), 3, "who asked before may have them");
        assert_eq!(items.get_many(&[1, 2, 3]).await, HashMap::from([(3, 9)]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_dropped_leaves_nothing_behind() {
    for process in both().await {
        let (items, origin) = (squares(&process), Origin::default());
        let (mut batch, load) = held(&origin);
        let loading = tokio::spawn({
            let items = items.clone();
            async move { items.many([&1, &2]).get_with(load).await }
        });
        batch.reached().await;
        loading.abort();
        until("all flights are gone", || items.in_flight() == 0).await;
        assert!(origin.asked().is_empty(), "the load was cancelled");
        assert_eq!(get(&items, [1, 2], &origin).await, squared([1, 2]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_one_room_for_all_of_its_keys() {
    let stack = Stack::builder(NAMESPACE).max_loads(1).build().await.unwrap();
    let items: Squares = stack.cache("square").overrides(Overrides::new().max_loads(1)).build().unwrap();
    let origin = Origin::default();
    assert_eq!(get(&items, 0..50, &origin).await, squared(0..50));
    assert_eq!((origin.asked().len(), items.stats().load_waits), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_asks_for_its_own_key_is_told_so() {
    let items = squares(&Process::without_l2().await);
    let asks = items.clone();
    let load = move |keys: Vec<u64>| {
        let asks = asks.clone();
        async move {
            let error = asks.get_with(&keys[0], |_| async { 1 }).await.unwrap_err();
            keys.into_iter().map(move |key| (key, u64::from(error.kind() == ErrorKind::Reentrant)))
        }
    };
    let values = items.many([&1, &2]).get_with(load).await.into_result().unwrap();
    assert_eq!(values, HashMap::from([(1, 1), (2, 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_disabled_cache_loads_all_of_it_each_time() {
    let process = Process::without_l2().await;
    let items: Squares = process.stack.cache("off").overrides(Overrides::new().enabled(false)).build().unwrap();
    let origin = Origin::default();
    for _ in 0..2 {
        assert_eq!(get(&items, [1, 200], &origin).await, squared([1]));
    }
    assert_eq!(origin.asked(), [vec![1, 200], vec![1, 200]]);
    let batched = batched(&items, &origin);
    assert_eq!((batched.get(&3).await.unwrap(), batched.get(&200).await.unwrap()), (Some(9), None));
}

#[tokio::test(start_paused = true)]
async fn without_l2_loads_go_on_and_lookups_find_what_is_here() {
    let process = Process::on(&Memory::new()).await;
    let (items, origin) = (squares(&process), Origin::default());
    process.faults.fail_all(ErrorKind::Unavailable);
    assert_eq!(get(&items, 0..5, &origin).await, squared(0..5));
    assert_eq!(origin.asked(), [vec![0, 1, 2, 3, 4]]);
    assert_eq!(items.get_many(&[4, 99]).await, HashMap::from([(4, 16)]));
}

fn batched(items: &Squares, origin: &Origin) -> Batched<u64, u64, &'static str> {
    let origin = origin.clone();
    items.batched(move |keys| {
        let origin = origin.clone();
        async move {
            match keys.contains(&13) {
                true => Err("no luck"),
                false => Ok(origin.load(keys).await.into_iter().map(|(key, value)| (key, Ok(value)))),
            }
        }
    })
}

fn call(items: &Batched<u64, u64, &'static str>, key: u64) -> tokio::task::JoinHandle<Result<Option<u64>, Failed>> {
    let items = items.clone();
    tokio::spawn(async move { items.get(&key).await })
}

#[tokio::test(start_paused = true)]
async fn single_calls_within_a_window_share_one_load() {
    for process in both().await {
        let (items, origin) = (squares(&process), Origin::default());
        let batched = batched(&items, &origin);
        let calls: Vec<_> = [1, 2, 3, 2, 200].map(|key| call(&batched, key)).into();
        let mut values = Vec::new();
        for call in calls {
            values.push(call.await.unwrap().unwrap());
        }
        assert_eq!(values, [Some(1), Some(4), Some(9), Some(4), None]);
        assert_eq!(origin.asked(), [vec![1, 2, 3, 200]]);
        assert_eq!(batched.get(&2).await.unwrap(), Some(4));
        assert_eq!(batched.get(&4).await.unwrap(), Some(16));
        assert_eq!(origin.asked(), [vec![4]]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_of_as_many_as_there_may_be_does_not_wait_for_more() {
    let (items, origin) = (squares(&Process::without_l2().await), Origin::default());
    let batched = batched(&items, &origin).max_size(2).window(3600 * SECOND);
    let calls = [1, 2, 3, 4, 5].map(|key| call(&batched, key));
    until("two loads are over", || origin.0.lock().unwrap().len() == 2).await;
    settle().await;
    assert_eq!(calls.iter().filter(|call| call.is_finished()).count(), 4);
    assert_eq!(origin.asked(), [vec![1, 2], vec![3, 4]]);
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    until("all have left", || items.in_flight() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn the_window_begins_with_the_first_call_of_each_load() {
    let (items, origin) = (squares(&Process::without_l2().await), Origin::default());
    let batched = batched(&items, &origin).max_size(2).window(10 * SECOND);
    let full = [call(&batched, 1), call(&batched, 2)];
    for call in full {
        call.await.unwrap().unwrap();
    }
    advance(9 * SECOND).await;
    let late = call(&batched, 3);
    until("it is in flight", || items.in_flight() == 1).await;
    settle().await;
    advance(5 * SECOND).await;
    settle().await;
    assert!(!late.is_finished(), "the window of the load before is not its own");
    assert_eq!(late.await.unwrap().unwrap(), Some(9));
}

#[tokio::test(start_paused = true)]
async fn a_load_of_single_calls_that_fails_tells_each_of_them() {
    let (items, origin) = (squares(&Process::on(&Memory::new()).await), Origin::default());
    let batched = batched(&items, &origin);
    for failed in [call(&batched, 12), call(&batched, 13)] {
        assert!(matches!(failed.await.unwrap(), Err(LoadError::Loader(error)) if *error == "no luck"));
    }
    assert_eq!(batched.get(&12).await.unwrap(), Some(144));
}

#[tokio::test(start_paused = true)]
async fn many_inserts_and_many_invalidations() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    squares(&here).insert_many((0..20).map(|key| (key, key * key))).await.unwrap();
    assert_eq!(squares(&peer).get_many(&[0, 19]).await, HashMap::from([(0, 0), (19, 361)]));
    squares(&here).invalidate_many(&[0, 19]).await.unwrap();
    settle().await;
    assert!(squares(&peer).get_many(&[0, 19]).await.is_empty());
    assert_eq!(squares(&peer).get(&1).await, Some(1));
    here.faults.fail(Operation::Put, ErrorKind::Unavailable);
    let failed = squares(&here).insert_many([(1, 0), (2, 0), (3, 0)]).await.unwrap_err();
    assert_eq!((failed.len(), failed[0].1.kind()), (3, ErrorKind::Unavailable));
}
