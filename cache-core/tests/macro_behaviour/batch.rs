//! Functions of many keys.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use cache_core::{Error, ErrorKind, Stack, cached};

/// Of numbers below 100.
#[cached(batch, cache = "square", stack = stack(), ttl = 60)]
async fn squares(numbers: Vec<u64>) -> HashMap<u64, u64> {
    LOADS.fetch_add(1, Ordering::SeqCst);
    numbers.into_iter().filter(|number| *number < 100).map(|number| (number, number * number)).collect()
}

static LOADS: AtomicUsize = AtomicUsize::new(0);

tokio::task_local! {
    static STACK: Stack;
}

/// The test's own.
fn stack() -> Stack {
    STACK.get()
}

async fn on_a_stack<T>(test: impl Future<Output = T>) -> T {
    STACK.scope(super::stack().await, test).await
}

#[tokio::test]
async fn each_key_is_cached_on_its_own_and_the_body_asked_for_the_rest() {
    on_a_stack(async {
        let before = LOADS.load(Ordering::SeqCst);
        assert_eq!(squares(vec![1, 2, 200]).await, HashMap::from([(1, 1), (2, 4)]));
        assert_eq!(squares(vec![2, 3]).await, HashMap::from([(2, 4), (3, 9)]));
        assert_eq!(LOADS.load(Ordering::SeqCst) - before, 2);
        assert_eq!(squares::get(vec![1, 2, 3, 4]).await.len(), 3);
        squares::invalidate(vec![1, 2]).await.unwrap();
        assert_eq!(squares::get(vec![1, 2, 3]).await, HashMap::from([(3, 9)]));
        assert_eq!(squares::cache().unwrap().get(&3).await, Some(9));
        assert_eq!((squares::stats().loads, squares::uncached(vec![7]).await.len()), (4, 1));
    })
    .await;
}

#[cached(batch)]
async fn halves(numbers: Vec<u64>) -> Result<HashMap<u64, u64>, Failed> {
    HALVINGS.fetch_add(1, Ordering::SeqCst);
    match numbers.contains(&13) {
        true => Err(Failed::Unlucky),
        false if numbers.contains(&666) => panic!("beaten"),
        false => Ok(numbers.into_iter().map(|number| (number, number / 2)).collect()),
    }
}

static HALVINGS: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone, Debug, PartialEq)]
enum Failed {
    Unlucky,
    Cache(ErrorKind),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Cache(error.kind())
    }
}

#[tokio::test]
async fn single_calls_share_a_run_of_the_body_and_its_errors() {
    let (one, two, three) = tokio::join!(halves::one(10), halves::one(20), halves::one(10));
    assert_eq!((one, two, three), (Ok(Some(5)), Ok(Some(10)), Ok(Some(5))));
    assert_eq!(HALVINGS.load(Ordering::SeqCst), 1);
    let (unlucky, bystander) = tokio::join!(halves::one(13), halves::one(30));
    assert_eq!((unlucky, bystander), (Err(Failed::Unlucky), Err(Failed::Unlucky)));
    assert_eq!(halves(vec![10, 13]).await, Err(Failed::Unlucky));
    assert_eq!(halves(vec![666]).await, Err(Failed::Cache(ErrorKind::Panicked)));
    assert_eq!(halves::one(10).await, Ok(Some(5)));
}
