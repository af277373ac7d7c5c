//! Which calls go to the cache, and which values stay there.

use std::sync::Arc;

use cache_core::{Source, Stack, backend::Memory, cached};

use super::{Runs, stack};

#[cached(cache_none = false, skip(runs))]
async fn found(id: u32, runs: Runs) -> Option<u32> {
    (runs.add() > 2).then_some(id)
}

#[tokio::test]
async fn none_may_be_left_uncached() {
    let runs = Runs::default();
    assert_eq!(found(7, runs.clone()).await, None);
    assert_eq!(found(7, runs.clone()).await, None);
    assert_eq!(found(7, runs.clone()).await, Some(7));
    assert_eq!(found(7, runs.clone()).await, Some(7));
    assert_eq!(runs.count(), 3);
}

type Shared = Result<Arc<Option<u32>>, &'static str>;

#[cached(cache_none = false, skip(runs))]
async fn wrapped(runs: Runs) -> Shared {
    match runs.add() {
        1 => Err("no rows"),
        2 => Ok(Arc::new(None)),
        run => Ok(Arc::new(Some(run))),
    }
}

#[tokio::test]
async fn none_is_seen_through_aliases_results_and_pointers() {
    let runs = Runs::default();
    for expected in [Err("no rows"), Ok(None), Ok(Some(3)), Ok(Some(3))] {
        assert_eq!(wrapped(runs.clone()).await.map(|value| *value), expected);
    }
}

#[cached(cache_if = |rows| !rows.is_empty(), skip(runs))]
async fn rows(id: u32, runs: Runs) -> Result<Vec<u32>, &'static str> {
    Ok((1..runs.add()).map(|run| run + id).collect())
}

#[tokio::test]
async fn a_value_is_judged_before_it_is_cached() {
    let runs = Runs::default();
    assert!(rows(7, runs.clone()).await.unwrap().is_empty());
    assert_eq!(rows(7, runs.clone()).await.unwrap(), [8]);
    assert_eq!(rows(7, runs.clone()).await.unwrap(), [8]);
    rows::insert(8, runs.clone(), vec![]).await.unwrap();
    assert_eq!(rows::get(8, runs.clone()).await, None);
}

fn is_even(number: &u32) -> bool {
    number.is_multiple_of(2)
}

/// The parameter of a closure may have the name of an argument.
#[cached(cache_if = is_even)]
async fn even(id: u32) -> u32 {
    id
}

#[cached(cache_if = |id| *id < 3, cache_none = true)]
async fn small(id: u32) -> u32 {
    id
}

#[tokio::test]
async fn a_function_may_judge() {
    for (id, source) in [(2, Source::L1), (3, Source::Loaded)] {
        assert_eq!((even(id).await, small(id).await), (id, id));
        assert_eq!((even::explain(id).await.source, small::explain(id).await.source), (source, source));
    }
}

#[tokio::test]
async fn a_refresh_to_what_is_not_cached_leaves_nothing_old() {
    let runs = Runs::default();
    found::insert(9, runs.clone(), Some(90)).await.unwrap();
    assert_eq!(found(9, runs.clone()).await, Some(90));
    assert_eq!(found::refresh(9, runs.clone()).await, None);
    assert_eq!(found::get(9, runs.clone()).await, None);
}

#[cached(when = limit <= 100, key = (query.to_owned(), limit), tags = ["limit:{limit}"])]
async fn search(query: &str, limit: u32, runs: Runs) -> u32 {
    runs.add()
}

#[cached(unless = id == 0 || trace.is_some(), skip(trace, runs))]
async fn traced(id: u32, trace: Option<String>, runs: &Runs) -> Result<u32, &'static str> {
    Ok(runs.add() + trace.map_or(0, |_| 100))
}

#[tokio::test]
async fn calls_may_go_past_the_cache() {
    let runs = Runs::default();
    for expected in [1, 1] {
        assert_eq!(search("nut", 100, runs.clone()).await, expected);
    }
    for expected in [2, 3] {
        assert_eq!(search("nut", 101, runs.clone()).await, expected);
    }
    assert_eq!(search::get("nut", 101, runs.clone()).await, None);
    assert_eq!(search::explain("nut", 101, runs.clone()).await.source, Source::Loaded);
    assert_eq!(search::refresh("nut", 101, runs.clone()).await, 5);
    search::insert("nut", 101, runs.clone(), 50).await.unwrap();
    assert_eq!(search("nut", 101, runs.clone()).await, 6);
    let report = search::warm([("nut", 101, runs.clone()), ("bolt", 1, runs.clone())]).await.unwrap();
    assert_eq!((report.warmed, report.skipped), (1, 1));
}

#[tokio::test]
async fn a_condition_may_ask_what_is_moved_into_the_body() {
    let runs = Runs::default();
    assert_eq!(traced(1, None, &runs).await, Ok(1));
    assert_eq!(traced(1, Some("a".into()), &runs).await, Ok(102));
    assert_eq!(traced(1, None, &runs).await, Ok(1));
    assert_eq!(traced(0, None, &runs).await, Ok(3));
    assert_eq!(traced(0, None, &runs).await, Ok(4));
}

/// The body of a call that goes past the cache may call the function again.
#[cached(when = n > 1)]
async fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1).await + fibonacci(n - 2).await }
}

#[tokio::test]
async fn a_function_with_a_condition_may_call_itself() {
    assert_eq!(fibonacci(80).await, 23_416_728_348_467_685);
}

#[cached(cache = "balance", validated, stack = stack, skip(stack, runs))]
async fn balance(account: u32, stack: &Stack, runs: &Runs) -> u32 {
    account + runs.add() - 1
}

#[tokio::test]
async fn a_validated_call_asks_the_shared_store() {
    let store = Memory::new();
    let here = Stack::builder("test").l2(store.clone()).build().await.unwrap();
    let there = Stack::builder("test").l2(store).build().await.unwrap();
    let runs = Runs::default();
    assert_eq!(balance(1, &here, &runs).await, 1);
    assert_eq!(balance(1, &here, &runs).await, 1);
    assert_eq!(balance::stats(&here).validated, 1);
    balance::invalidate(1, &there, &runs).await.unwrap();
    assert_eq!(balance(1, &here, &runs).await, 2);
}

#[tokio::test]
async fn with_l1_alone_every_hit_is_valid() {
    let (stack, runs) = (stack().await, Runs::default());
    assert_eq!(balance(1, &stack, &runs).await, 1);
    assert_eq!(balance::explain(1, &stack, &runs).await.source, Source::L1);
}
