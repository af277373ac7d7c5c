//! Runtimes, and work spread over tasks.

use std::time::Duration;

use cache_core::clock;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

/// A runtime as a service has it.
///
/// # Panics
/// If the system gives no threads.
#[must_use]
pub fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A runtime of this one thread, for what never waits.
///
/// # Panics
/// If the system gives it no file descriptors.
#[must_use]
pub fn single_threaded() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// How long it takes `tasks` tasks, all at once, to make `turns` calls each, one after the other.
///
/// Every call is given a number of its own: `turn * tasks + task`.
///
/// # Panics
/// If a call does.
pub async fn in_tasks<F>(tasks: u64, turns: u64, call: impl Fn(u64) -> F + Clone + Send + 'static) -> Duration
where
    F: Future<Output = ()> + Send,
{
    // Begun and awaited by a task too: a thread outside of the runtime would be woken whenever one ends.
    let all = tokio::spawn(async move {
        let started = clock::now();
        let mut running = JoinSet::new();
        for task in 0..tasks {
            let call = call.clone();
            running.spawn(async move {
                for turn in 0..turns {
                    call(turn * tasks + task).await;
                }
            });
        }
        running.join_all().await;
        clock::now() - started
    });
    all.await.expect("no call panics")
}
