//! What must hold of whole stacks on a real Redis: one test for each scenario (`a…`).
//!
//! Those of the flow itself are tested in `cache-core`, on the in-process backend; here are those that name a server.

#![cfg(test)]

mod coherence;
mod events;
mod failure;
mod fleet;
mod log;
mod packed;
mod policies;
mod stale;

use std::time::Duration;

use cache_core::{Cache, L1, Overrides, Stack};
use cache_redis::{Redis, testing::RedisServer};
use tokio::time::{interval, timeout};

type Items = Cache<String, u64>;

/// A stack of its own, as another process would have.
async fn stack(server: &RedisServer) -> Stack {
    let redis = Redis::connect(server.url()).await.unwrap();
    Stack::builder("shop").l2(redis).build().await.unwrap()
}

/// One that keeps nothing for itself, so that it shows what the server has.
async fn bare(server: &RedisServer) -> Items {
    let redis = Redis::connect(server.url()).await.unwrap();
    let stack = Stack::builder("shop").l2(redis).l1(L1::entries(0)).build().await.unwrap();
    items(&stack)
}

fn items(stack: &Stack) -> Items {
    stack.cache("item").overrides(Overrides::new().jitter(0.0)).build().unwrap()
}

/// Waits for a condition of the test, however long that takes on a busy machine.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(10));
    let wait = async {
        while !condition().await {
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}
