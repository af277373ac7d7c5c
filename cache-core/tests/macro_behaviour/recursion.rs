//! Functions that call themselves.

use cache_core::cached;

#[cached]
async fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1).await + fibonacci(n - 2).await }
}

#[tokio::test]
async fn a_function_may_call_itself_with_other_arguments() {
    assert_eq!(fibonacci(80).await, 23_416_728_348_467_685);
}
