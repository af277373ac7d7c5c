//! What becomes of a load that fails, and of one that nobody waits for any more.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cache_core::{Error, ErrorKind, Source, Stack, cached};
use tokio::sync::Semaphore;

use super::{Runs, stack};

#[cached(default_on_error = vec![id, 0], stack = stack, skip(stack, runs))]
async fn rows(id: u32, stack: &Stack, runs: &Runs) -> Result<Vec<u32>, &'static str> {
    if runs.add().is_multiple_of(2) { Ok(vec![id]) } else { Err("no rows") }
}

#[tokio::test]
async fn a_default_answers_where_a_load_fails_and_is_not_kept() {
    let (stack, runs) = (stack().await, Runs::default());
    let answer = rows::explain(7, &stack, &runs).await;
    assert_eq!((answer.value, answer.source), (Ok(vec![7, 0]), Source::Default));
    assert_eq!(rows::get(7, &stack, &runs).await, None);
    assert_eq!(rows(7, &stack, &runs).await, Ok(vec![7]));
    assert_eq!(rows::refresh(7, &stack, &runs).await, Ok(vec![7, 0]));
    assert_eq!(rows(7, &stack, &runs).await, Ok(vec![7]));
    assert_eq!((runs.count(), rows::uncached(8, &stack, &Runs::default()).await), (3, Err("no rows")));
    let report = rows::warm([(9, stack.clone(), Runs::default())]).await.unwrap();
    assert_eq!((report.warmed, report.failed), (0, 1));
}

/// The load fails by itself, and the return type has no place for that.
#[cached(default_on_error = u32::MAX, hard_timeout = "1s", stack = stack, skip(stack))]
async fn torn(row: u32, stack: &Stack) -> u32 {
    match row {
        0 => std::future::pending().await,
        row => panic!("row {row} is torn"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_default_stands_in_for_a_panic_and_a_deadline_too() {
    let stack = stack().await;
    assert_eq!((torn(1, &stack).await, torn(0, &stack).await), (u32::MAX, u32::MAX));
}

/// Told what the inner call is given.
#[cached(default_on_error = 0, skip(told))]
async fn waits_for_itself(id: u32, told: &Arc<Mutex<Option<ErrorKind>>>) -> Result<u32, Refused> {
    let answer = waits_for_itself(id, told).await;
    *told.lock().expect("nobody panicked") = answer.as_ref().err().map(|Refused(kind)| *kind);
    answer
}

/// What the function says of it.
#[derive(Clone, Debug)]
struct Refused(ErrorKind);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error.kind())
    }
}

#[tokio::test]
async fn a_default_hides_no_mistake() {
    let told = Arc::default();
    // The load of this call fails by what the inner one was told.
    let answer = waits_for_itself::explain(1, &told).await;
    assert_eq!((answer.source, answer.value.unwrap()), (Source::Default, 0));
    assert_eq!(*told.lock().unwrap(), Some(ErrorKind::Reentrant));
}

#[cached(default_on_error = 0, when = id > 0, skip(runs))]
fn here(id: u32, runs: &Runs) -> Result<u32, &'static str> {
    if runs.add() > 1 { Ok(id) } else { Err("no rows") }
}

#[test]
fn a_default_answers_for_a_synchronous_function_too() {
    let runs = Runs::default();
    assert_eq!(here(0, &Runs::default()), Err("no rows"));
    assert_eq!((here(7, &runs), here::get(7, &runs), here(7, &runs)), (Ok(0), None, Ok(7)));
}

#[cached(to_the_end, stack = stack, skip(stack, runs, gate))]
async fn finished(id: u32, stack: &Stack, runs: &Runs, gate: &Arc<Semaphore>) -> u32 {
    runs.add();
    let _open = gate.acquire().await;
    runs.add();
    id
}

#[cached(stack = stack, skip(stack, runs, gate))]
async fn abandoned(id: u32, stack: &Stack, runs: &Runs, gate: &Arc<Semaphore>) -> u32 {
    runs.add();
    let _open = gate.acquire().await;
    runs.add();
    id
}

#[tokio::test]
async fn a_load_goes_on_without_its_callers_if_it_is_told_to() {
    let stack = stack().await;
    let begun = |call: std::pin::Pin<Box<dyn Future<Output = u32>>>, runs: Runs| async move {
        tokio::select! {
            biased;
            _ = call => unreachable!("the gate is closed"),
            () = async { while runs.count() == 0 { tokio::task::yield_now().await } } => {}
        }
    };
    let (kept, left, gate) = (Runs::default(), Runs::default(), Arc::new(Semaphore::new(0)));
    {
        let (stack, runs, gate) = (stack.clone(), kept.clone(), Arc::clone(&gate));
        begun(Box::pin(async move { finished(7, &stack, &runs, &gate).await }), kept.clone()).await;
    }
    {
        let (stack, runs, gate) = (stack.clone(), left.clone(), Arc::clone(&gate));
        begun(Box::pin(async move { abandoned(7, &stack, &runs, &gate).await }), left.clone()).await;
    }
    gate.add_permits(2);
    while finished::get(7, &stack, &kept, &gate).await.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!((kept.count(), left.count()), (2, 1));
    assert_eq!(abandoned::get(7, &stack, &left, &gate).await, None);
    assert_eq!(abandoned::cache(&stack).unwrap().in_flight(), 0);
    tokio::time::timeout(Duration::from_secs(20), abandoned(7, &stack, &left, &gate)).await.expect("it loads anew");
}
