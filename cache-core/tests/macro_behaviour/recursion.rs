//! Functions that call themselves.

use std::time::Duration;

use cache_core::{Error, ErrorKind, cached};
use tokio::time::timeout;

#[cached]
async fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1).await + fibonacci(n - 2).await }
}

#[tokio::test]
async fn a_function_may_call_itself_with_other_arguments() {
    assert_eq!(fibonacci(80).await, 23_416_728_348_467_685);
}

#[cached]
async fn endless(id: u32) -> Result<u32, Error> {
    endless(id).await
}

#[tokio::test]
async fn a_function_that_waits_for_itself_is_told_so() {
    let answer = timeout(Duration::from_secs(20), endless(1)).await.expect("no deadlock");
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Reentrant);
}

#[cached]
async fn endless_value(id: u32) -> u32 {
    endless_value(id).await
}

#[tokio::test]
async fn a_value_that_waits_for_itself_is_a_panic() {
    let call = timeout(Duration::from_secs(20), tokio::spawn(endless_value(1))).await.expect("no deadlock");
    assert!(call.unwrap_err().is_panic());
}
