//! What a scope round calls makes of them.

use cache_core::{cached, scope};

use super::Runs;

#[cached(skip(runs))]
async fn run(id: u32, runs: Runs) -> u32 {
    let _ = id;
    runs.add()
}

#[tokio::test]
async fn a_function_heeds_the_scope_that_it_is_called_in() {
    let runs = Runs::default();
    assert_eq!(run(7, runs.clone()).await, 1);
    assert_eq!(scope::bypass(run(7, runs.clone())).await, 2);
    assert_eq!(run(7, runs.clone()).await, 1);
    assert_eq!(scope::refresh(run(7, runs.clone())).await, 3);
    assert_eq!(run(7, runs.clone()).await, 3);
    assert_eq!(scope::bypass(run::get(7, runs.clone())).await, None);
    assert_eq!(scope::bypass(run::refresh(7, runs.clone())).await, 4);
    assert_eq!(run(7, runs.clone()).await, 3);
}

#[tokio::test]
async fn a_function_is_switched_off_by_its_cache() {
    let runs = Runs::default();
    assert_eq!(off(7, runs.clone()).await, 1);
    off::cache().unwrap().set_enabled(false);
    assert_eq!(off(7, runs.clone()).await, 2);
    assert_eq!(off(7, runs.clone()).await, 3);
    off::cache().unwrap().set_enabled(true);
    assert_eq!(off(7, runs.clone()).await, 4);
    assert_eq!(off(7, runs.clone()).await, 4);
}

#[cached(skip(runs))]
async fn off(id: u32, runs: Runs) -> u32 {
    let _ = id;
    runs.add()
}
