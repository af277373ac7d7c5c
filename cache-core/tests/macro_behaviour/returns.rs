//! What return types mean, and what waiters are given.

use std::sync::Arc;

use cache_core::{Error, ErrorKind, cached};
use tokio::{sync::Semaphore, task::JoinSet};

use super::Runs;

type Fallible<T> = Result<T, DbError>;
type Maybe = Option<u32>;

#[derive(Clone, Debug, PartialEq)]
enum DbError {
    Down,
}

/// An error that has a place for the cache's.
#[derive(Clone, Debug)]
enum AppError {
    Db,
    Cache(Error),
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

#[cached(skip(runs))]
async fn aliased(id: u32, runs: Runs) -> Fallible<Maybe> {
    match runs.add() {
        1 => Err(DbError::Down),
        run => Ok((id > 0).then_some(run)),
    }
}

#[tokio::test]
async fn an_error_behind_an_alias_is_not_cached() {
    let runs = Runs::default();
    assert_eq!(aliased(1, runs.clone()).await, Err(DbError::Down));
    assert_eq!(aliased(1, runs.clone()).await, Ok(Some(2)));
    assert_eq!(aliased(1, runs.clone()).await, Ok(Some(2)));
}

#[tokio::test]
async fn nothing_is_a_value() {
    let runs = Runs::default();
    runs.add();
    assert_eq!(aliased(0, runs.clone()).await, Ok(None));
    assert_eq!(aliased(0, runs.clone()).await, Ok(None));
    assert_eq!(runs.count(), 2);
}

#[cached(skip(runs))]
async fn unit(id: u32, runs: Runs) {
    let _ = id;
    runs.add();
}

#[tokio::test]
async fn a_function_that_returns_nothing_runs_once() {
    let runs = Runs::default();
    unit(1, runs.clone()).await;
    unit(1, runs.clone()).await;
    assert_eq!(runs.count(), 1);
}

#[cached(skip(runs, gate))]
async fn failing(id: u32, runs: Runs, gate: Arc<Semaphore>) -> Result<u32, DbError> {
    let _ = id;
    runs.add();
    let _open = gate.acquire().await;
    Err(DbError::Down)
}

#[tokio::test]
async fn everyone_who_waited_is_given_the_typed_error() {
    let (runs, gate) = (Runs::default(), Arc::new(Semaphore::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        callers.spawn(failing(1, runs.clone(), Arc::clone(&gate)));
    }
    while runs.count() == 0 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(1);
    let results = callers.join_all().await;
    assert_eq!(results, vec![Err(DbError::Down); 8]);
    assert_eq!(runs.count(), 1);
}

#[cached(skip(runs))]
async fn unclonable(id: u32, runs: Runs) -> Result<u32, Arc<std::io::Error>> {
    runs.add();
    let text = if id == 0 { "not a number" } else { "7" };
    text.parse().map_err(|error| Arc::new(std::io::Error::other(format!("{error}"))))
}

#[tokio::test]
async fn an_error_in_an_arc_need_not_be_clone() {
    let runs = Runs::default();
    assert_eq!(unclonable(0, runs.clone()).await.unwrap_err().kind(), std::io::ErrorKind::Other);
    assert_eq!(unclonable(1, runs.clone()).await.unwrap(), 7);
}

#[cached]
async fn panicking(id: u32) -> Result<u32, AppError> {
    match id {
        0 => Err(AppError::Db),
        1 => panic!("row {id} is torn"),
        id => Ok(id),
    }
}

#[tokio::test]
async fn a_panic_is_an_error_where_there_is_a_place_for_it() {
    let Err(AppError::Cache(error)) = panicking(1).await else { panic!("the panic got lost") };
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(error.to_string().contains("row 1 is torn"));
    assert!(matches!(panicking(0).await, Err(AppError::Db)));
    assert_eq!(panicking(2).await.unwrap(), 2);
}

#[cached(skip(runs))]
async fn panics_once(id: u32, runs: Runs) -> u32 {
    assert!(runs.add() > 1, "row {id} is torn");
    id
}

#[tokio::test]
async fn a_panic_without_such_a_place_goes_to_the_caller_and_the_next_call_loads() {
    let runs = Runs::default();
    let panic = tokio::spawn(panics_once(1, runs.clone())).await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().expect("a formatted message");
    assert!(message.contains("row 1 is torn"), "{message}");
    assert_eq!(panics_once(1, runs.clone()).await, 1);
}
