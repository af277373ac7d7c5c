//! Errors that are cached.

use std::time::Duration;

use cache_core::{Error, Source, Stack, backend::Memory, cached};
use serde::{Deserialize, Serialize};
use tokio::time::{advance, pause};

use super::{Runs, stack};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Fault {
    Unknown(u32),
    Down,
    Cache(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Cache(error.to_string())
    }
}

#[cached(cache_err, ttl = "1m", negative_ttl = 5, jitter = 0, skip(runs, stack), stack = stack)]
async fn strict(id: u32, runs: &Runs, stack: &Stack) -> Result<u32, Fault> {
    let run = runs.add();
    if id == 0 { Err(Fault::Unknown(run)) } else { Ok(run) }
}

#[tokio::test]
async fn a39_an_error_is_cached_if_asked_and_for_the_negative_ttl() {
    pause();
    let (stack, runs) = (stack().await, Runs::default());
    for _ in 0..3 {
        assert_eq!(strict(0, &runs, &stack).await, Err(Fault::Unknown(1)));
        assert_eq!(strict(7, &runs, &stack).await, Ok(2));
    }
    advance(Duration::from_secs(6)).await;
    assert_eq!(strict(0, &runs, &stack).await, Err(Fault::Unknown(3)));
    assert_eq!(strict(7, &runs, &stack).await, Ok(2));
}

#[tokio::test]
async fn a_cached_error_is_a_value_to_the_companions() {
    pause();
    let (stack, runs) = (stack().await, Runs::default());
    let fault = Fault::Unknown(70);
    strict::insert(0, &runs, &stack, Err(fault.clone())).await.unwrap();
    assert_eq!(strict::get(0, &runs, &stack).await, Some(Err(fault.clone())));
    assert_eq!(strict::explain(0, &runs, &stack).await.source, Source::L1);
    assert_eq!(strict::cache(&stack).unwrap().get(&0).await, Some(Err(fault)));
    advance(Duration::from_secs(6)).await;
    assert_eq!(strict::get(0, &runs, &stack).await, None);
    assert_eq!(strict::refresh(0, &runs, &stack).await, Err(Fault::Unknown(1)));
    assert_eq!(strict::warm([(0, runs.clone(), stack.clone())]).await.unwrap().failed, 0);
}

#[cached(cache = "choosy", cache_err = |fault| *fault != Fault::Down, cache_none = false, skip(runs, stack), stack = stack)]
async fn choosy(id: u32, runs: &Runs, stack: &Stack) -> Result<Option<u32>, Fault> {
    match (id, runs.add()) {
        (0, run) => Err(Fault::Unknown(run)),
        (1, _) => Err(Fault::Down),
        (_, run) => Ok((run > 5).then_some(run)),
    }
}

#[tokio::test]
async fn only_some_errors_may_be_cached() {
    let store = Memory::new();
    let stack = Stack::builder("test").l2(store.clone()).build().await.unwrap();
    let runs = Runs::default();
    for _ in 0..2 {
        assert_eq!(choosy(0, &runs, &stack).await, Err(Fault::Unknown(1)));
    }
    for _ in 0..2 {
        assert_eq!(choosy(1, &runs, &stack).await, Err(Fault::Down));
    }
    assert_eq!(choosy::get(1, &runs, &stack).await, None);
    assert_eq!(choosy(2, &runs, &stack).await, Ok(None));
    assert_eq!(choosy(2, &runs, &stack).await, Ok(None));
    assert_eq!(choosy(2, &runs, &stack).await, Ok(Some(6)));
    assert_eq!(choosy(2, &runs, &stack).await, Ok(Some(6)));
    let other = Stack::builder("test").l2(store).build().await.unwrap();
    assert_eq!(choosy::explain(0, &runs, &other).await.source, Source::L2);
}

type Outcome = Result<u32, String>;

#[cached(cache_err, skip(runs))]
async fn aliased(runs: &Runs) -> Outcome {
    Err(format!("{} rows", runs.add()))
}

#[tokio::test]
async fn a39_results_by_other_names_are_told_by_their_type() {
    let runs = Runs::default();
    assert_eq!(aliased(&runs).await, Err("1 rows".into()));
    assert_eq!(aliased(&runs).await, Err("1 rows".into()));
    assert_eq!(aliased::get(&runs).await, Some(Err("1 rows".into())));
    let cache = aliased::cache().unwrap();
    assert_eq!(cache.get(&()).await, Some(Err("1 rows".into())));
}

#[cached(cache_err)]
async fn recursive(id: u32) -> Result<u32, Fault> {
    recursive(id).await
}

#[tokio::test]
async fn a_failure_of_the_cache_is_no_value() {
    assert!(matches!(recursive(1).await, Err(Fault::Cache(_))));
}
