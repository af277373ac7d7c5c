//! What happens to calls is counted as what it is, with the shared store in any state.
#![cfg(feature = "test-util")]

use std::time::Duration;

use cache_core::{
    BreakerSettings, BreakerState, Cache, ErrorKind, Overrides, Policies, Stack, Stats,
    backend::Memory,
    testing::{Faults, Faulty, Operation},
};

type Plans = Cache<u64, String>;

async fn shop(store: Memory) -> (Stack, Plans, Faults) {
    let l2 = Faulty::new(store);
    let faults = l2.faults();
    let stack = Stack::builder("shop")
        .l2(l2)
        .breaker(BreakerSettings::new().failures(3).pause(Duration::from_secs(1)))
        .policies(Policies::new().kind("plan", Overrides::new().max_value_size(100)))
        .build()
        .await
        .expect("a valid stack");
    let plans = stack.cache("plan").build().expect("a valid cache");
    (stack, plans, faults)
}

async fn load(plans: &Plans, key: u64) -> String {
    plans.get_with(&key, |_| async { "basic".to_owned() }).await.expect("a loader's value")
}

/// What `calls` did to the statistics.
async fn counted(plans: &Plans, calls: impl Future) -> Stats {
    let before = plans.stats();
    calls.await;
    plans.stats() - before
}

#[tokio::test(start_paused = true)]
async fn each_call_counts_once_by_where_its_value_came_from() {
    let store = Memory::new();
    let (_stack, plans, _) = shop(store.clone()).await;
    let miss = counted(&plans, load(&plans, 1)).await;
    assert_eq!((miss.misses, miss.loads, miss.fills, miss.requests()), (1, 1, 1, 1), "{miss:?}");
    let hit = counted(&plans, load(&plans, 1)).await;
    assert_eq!((hit.l1_hits, hit.loads, hit.requests()), (1, 0, 1), "{hit:?}");

    let (_neighbour, plans, _) = shop(store).await;
    let shared = counted(&plans, load(&plans, 1)).await;
    assert_eq!((shared.l2_hits, shared.loads, shared.requests()), (1, 0, 1), "{shared:?}");
}

#[tokio::test(start_paused = true)]
async fn those_who_share_a_load_are_one_miss_and_joins() {
    let (_stack, plans, _) = shop(Memory::new()).await;
    let together = async { tokio::join!(load(&plans, 1), load(&plans, 1), load(&plans, 1)) };
    let stats = counted(&plans, together).await;
    assert_eq!((stats.misses, stats.joined, stats.loads, stats.requests()), (1, 2, 1, 3), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_value_beyond_the_limit_is_counted_and_returned_but_not_stored() {
    let (_stack, plans, _) = shop(Memory::new()).await;
    let loading = async { plans.get_with(&1, |_| async { "x".repeat(1000) }).await.unwrap() };
    let stats = counted(&plans, async { assert_eq!(loading.await.len(), 1000) }).await;
    assert_eq!((stats.too_large, stats.fills), (1, 0), "{stats:?}");
    assert_eq!(plans.get(&1).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_does_not_get_through_is_counted_as_queued() {
    let (_stack, plans, faults) = shop(Memory::new()).await;
    let told = counted(&plans, async { plans.invalidate(&1).await.unwrap() }).await;
    assert_eq!((told.invalidations, told.invalidations_queued), (1, 0));
    faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
    let both = async { (plans.invalidate(&1).await.is_err(), plans.invalidate_all().await.is_err()) };
    let queued = counted(&plans, async { assert_eq!(both.await, (true, true)) }).await;
    assert_eq!((queued.invalidations, queued.invalidations_queued), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_left_alone_until_a_probe_finds_it_back() {
    let (stack, plans, faults) = shop(Memory::new()).await;
    let breaker = || stack.health().l2.map(|l2| (l2.breaker, l2.openings));
    faults.fail_all(ErrorKind::Unavailable);
    let calls = async {
        for key in 0..5 {
            assert_eq!(load(&plans, key).await, "basic");
        }
    };
    let down = counted(&plans, calls).await;
    assert_eq!((down.loads, down.unleased), (5, 5), "{down:?}");
    assert!(down.backend_errors >= 5, "{down:?}");
    assert_eq!(breaker(), Some((BreakerState::Open, 1)));

    let tried = faults.calls(Operation::Read);
    load(&plans, 10).await;
    assert_eq!(faults.calls(Operation::Read), tried, "an open breaker lets nothing through");

    faults.heal();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(breaker(), Some((BreakerState::HalfOpen, 1)));
    load(&plans, 11).await;
    assert_eq!(breaker(), Some((BreakerState::Closed, 1)));
}
