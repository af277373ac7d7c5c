//! Origins that are slow or fail: how many loads run at once, and how soon one is tried again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cache_core::{Cache, ErrorKind, LoadError, Overrides, Source, Stack, backend::Memory};
use tokio::time::advance;

use crate::fleet::{Items, KEY, NAMESPACE, Process, cache_error, hold, settle, until};

const SECOND: Duration = Duration::from_secs(1);

type Numbers = Cache<u32, u32>;

/// An origin that counts its loads: all of them, and those that run.
#[derive(Default)]
struct Busy {
    running: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

impl Busy {
    async fn load(self: Arc<Self>) -> u32 {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        self.all.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(SECOND).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        7
    }

    fn counts(&self) -> (usize, usize) {
        (self.all.load(Ordering::SeqCst), self.most.load(Ordering::SeqCst))
    }
}

fn cache(stack: &Stack, name: &str, policy: Overrides) -> Numbers {
    stack.cache(name).overrides(policy).build().unwrap()
}

/// So many calls at once, each of another key; how they ended.
async fn flood(caches: &[&Numbers], calls: u32, origin: &Arc<Busy>) -> Vec<cache_core::Result<u32>> {
    let mut tasks = Vec::new();
    for (key, items) in (0..calls).zip(caches.iter().cycle()) {
        let (items, origin) = (Numbers::clone(items), Arc::clone(origin));
        tasks.push(tokio::spawn(async move { items.get_with(&key, |_| origin.load()).await }));
    }
    let mut ends = Vec::new();
    for task in tasks {
        ends.push(task.await.unwrap());
    }
    ends
}

#[tokio::test(start_paused = true)]
async fn loads_beyond_those_that_may_run_wait_for_room() {
    let stack = Stack::builder(NAMESPACE).max_loads(5).build().await.unwrap();
    let own = cache(&stack, "own", Overrides::new().max_loads(2));
    let (other, origin) = (cache(&stack, "other", Overrides::new()), Arc::new(Busy::default()));
    let ends = flood(&[&own], 20, &origin).await;
    assert!(ends.iter().all(Result::is_ok));
    assert_eq!(origin.counts(), (20, 2), "those of one cache");
    let origin = Arc::new(Busy::default());
    flood(&[&other], 20, &origin).await;
    assert_eq!(origin.counts(), (20, 5), "those of the stack");
    assert_eq!((own.stats().load_waits, other.stats().load_waits), (18, 15));
}

#[tokio::test(start_paused = true)]
async fn those_beyond_the_queue_fail_at_once_and_those_that_wait_too_long_at_their_deadline() {
    let builder = Stack::builder(NAMESPACE).max_loads(1).max_waiting_loads(3);
    let stack = builder.build().await.unwrap();
    let items = cache(&stack, "item", Overrides::new().hard_timeout(SECOND + SECOND / 2));
    let origin = Arc::new(Busy::default());
    let mut ends = flood(&[&items], 10, &origin).await;
    let failed: Vec<_> = ends.iter_mut().filter_map(|end| end.as_ref().err()).map(cache_core::Error::kind).collect();
    let late = failed.iter().filter(|kind| **kind == ErrorKind::LoadTimeout).count();
    let refused = failed.iter().filter(|kind| **kind == ErrorKind::Overloaded).count();
    assert_eq!(
        (failed.len(), late, refused),
        (9, 1, 8),
        "one in time, one begun too late, two waited, six were too many"
    );
    assert_eq!(items.stats().loads_rejected, 8);
    assert_eq!(items.get_with(&99, |_| origin.load()).await.unwrap(), 7, "the room is free again");
}

#[tokio::test(start_paused = true)]
async fn a_load_within_a_load_uses_its_room() {
    let stack = Stack::builder(NAMESPACE).max_loads(1).build().await.unwrap();
    let (outer, inner) =
        (cache(&stack, "outer", Overrides::new()), cache(&stack, "inner", Overrides::new().max_loads(1)));
    let asks = inner.clone();
    let value = outer.get_with(&1, |_| async move { asks.get_with(&2, |_| async { 20 }).await.unwrap() + 1 }).await;
    assert_eq!(value.unwrap(), 21);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_for_room_leaves_it_to_others() {
    let stack = Stack::builder(NAMESPACE).max_loads(1).build().await.unwrap();
    let items = cache(&stack, "item", Overrides::new());
    let (mut held, gate) = hold();
    let first = tokio::spawn({
        let items = items.clone();
        async move {
            let load = async move {
                gate.await;
                1
            };
            items.get_with(&1, |_| load).await
        }
    });
    held.reached().await;
    let second = tokio::spawn({
        let items = items.clone();
        async move { items.get_with(&2, |_| async { 2 }).await }
    });
    until("it waits", || items.stats().load_waits == 1).await;
    second.abort();
    until("it has left", || items.in_flight() == 1).await;
    held.release();
    assert_eq!(first.await.unwrap().unwrap(), 1);
    assert_eq!(items.get_with(&3, |_| async { 3 }).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_stands_in_for_a_load_that_finds_no_room() {
    let stack = Stack::builder(NAMESPACE).max_loads(1).max_waiting_loads(0).build().await.unwrap();
    let policy = Overrides::new().jitter(0.0).ttl(SECOND).stale_if_error(60 * SECOND);
    let items = cache(&stack, "item", policy);
    items.get_with(&1, |_| async { 1 }).await.unwrap();
    advance(SECOND).await;
    let (mut held, gate) = hold();
    let blocking = tokio::spawn({
        let items = items.clone();
        async move {
            items
                .get_with(&2, |_| async move {
                    gate.await;
                    2
                })
                .await
        }
    });
    held.reached().await;
    let answer = items.at(&1).get_with(|_| async { 3 }).await.unwrap();
    assert_eq!((answer.value, answer.source), (1, Source::Stale));
    held.release();
    blocking.await.unwrap().unwrap();
}

#[tokio::test]
async fn no_room_at_all_is_refused_when_the_stack_is_built() {
    let error = Stack::builder(NAMESPACE).max_loads(0).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("max_loads is 0"), "{error}");
}

fn cautious(process: &Process) -> Items {
    process.stack.cache("cautious").overrides(Overrides::new().jitter(0.0).error_backoff(SECOND)).build().unwrap()
}

/// A failing load: what the caller was told, and whether the origin was asked.
async fn fail(items: &Items, error: &'static str) -> (&'static str, bool) {
    let loads = items.stats().loads;
    match items.at(KEY).try_get_with(|_| async move { Err::<u64, _>(error) }).await {
        Err(LoadError::Loader(told)) => (*told, items.stats().loads > loads),
        other => panic!("{other:?}"),
    }
}

async fn succeed(items: &Items) -> u64 {
    items.at(KEY).try_get_with(|_| async { Ok::<_, &'static str>(7) }).await.unwrap().value
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_load_fails_is_left_alone_for_a_while_that_doubles() {
    for process in [Process::on(&Memory::new()).await, Process::without_l2().await] {
        let items = cautious(&process);
        assert_eq!(fail(&items, "first").await, ("first", true));
        for pause in [1_u32, 2, 4, 8, 16, 30, 30] {
            assert!(!fail(&items, "again").await.1, "at once");
            advance(pause * SECOND - Duration::from_millis(1)).await;
            assert!(!fail(&items, "again").await.1, "after almost {pause} s");
            advance(Duration::from_millis(1)).await;
            assert_eq!(fail(&items, "again").await, ("again", true), "after {pause} s");
        }
        advance(30 * SECOND).await;
        assert_eq!(succeed(&items).await, 7);
        items.invalidate(KEY).await.unwrap();
        assert_eq!(fail(&items, "anew").await, ("anew", true));
        advance(SECOND).await;
        assert_eq!(fail(&items, "anew").await, ("anew", true), "the pauses began anew");
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_the_entry_ends_the_pause() {
    let process = Process::on(&Memory::new()).await;
    let items = cautious(&process);
    let failing = || async { Err::<u64, _>("no rows") };
    items.at(KEY).tag("t").try_get_with(|_| failing()).await.unwrap_err();
    process.stack.invalidate_tag("t").await.unwrap();
    assert_eq!(fail(&items, "tag").await, ("tag", true));
    items.invalidate(KEY).await.unwrap();
    assert_eq!(fail(&items, "key").await, ("key", true));
    items.insert(KEY, 1).await.unwrap();
    items.invalidate(KEY).await.unwrap();
    assert_eq!(fail(&items, "insert").await, ("insert", true));
    let refreshed = items.at(KEY).try_refresh_with(|_| async { Ok::<_, &'static str>(9) }).await;
    assert_eq!(refreshed.unwrap().value, 9, "a forced refresh asks the origin");
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_by_a_peer_ends_the_pause_and_so_does_its_value() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (items, theirs) = (cautious(&here), cautious(&peer));
    fail(&items, "first").await;
    assert_eq!(succeed(&theirs).await, 7);
    assert_eq!(succeed(&items).await, 7);
    assert_eq!(items.stats().loads, 1, "it came by L2");
    items.invalidate(KEY).await.unwrap();
    fail(&items, "second").await;
    theirs.invalidate(KEY).await.unwrap();
    settle().await;
    assert_eq!(fail(&items, "third").await, ("third", true));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_another_type_is_no_answer_and_a_panic_is_one() {
    let items = cautious(&Process::without_l2().await);
    fail(&items, "text").await;
    let other = items.at(KEY).try_get_with(|_| async { Err::<u64, u32>(404) }).await;
    assert!(matches!(other, Err(LoadError::Loader(error)) if *error == 404));
    let items = cautious(&Process::without_l2().await);
    let panicking = || items.at(KEY).get_with(|_| async { panic!("no luck") });
    for _ in 0..3 {
        assert_eq!(panicking().await.unwrap_err().kind(), ErrorKind::Panicked);
    }
    assert_eq!((items.stats().loads, items.stats().backed_off), (1, 2));
    let told = cache_error(items.at(KEY).try_get_with(|_| async { Err::<u64, _>("no rows") }).await.unwrap_err());
    assert_eq!(told.kind(), ErrorKind::Panicked);
}
