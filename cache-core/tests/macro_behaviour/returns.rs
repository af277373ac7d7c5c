//! What return types mean.

use std::sync::Arc;

use cache_core::cached;

use super::Runs;

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
