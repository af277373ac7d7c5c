//! Events over a real server: what its failure and other processes cause is told.

use cache_core::{
    BreakerState,
    events::{Events, Kind},
};
use cache_redis::testing::RedisServer;

use crate::{items, stack, until};

async fn until_told(events: &mut Events, kind: Kind) {
    until(&format!("{kind:?} is told"), async || {
        std::iter::from_fn(|| events.try_recv()).any(|event| event.kind == kind)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_others_who_invalidate_are_told_of() {
    let mut server = RedisServer::start();
    let (here, peer) = (stack(&server).await, stack(&server).await);
    let mut events = here.events(10_000).without_hits();
    items(&peer).insert("k", 1).await.unwrap();
    items(&peer).invalidate("k").await.unwrap();
    until_told(&mut events, Kind::Heard).await;

    server.kill();
    until("the breaker is open", async || {
        let _ = items(&here).insert("k", 1).await;
        here.health().l2.unwrap().breaker == BreakerState::Open
    })
    .await;
    until_told(&mut events, Kind::Breaker(BreakerState::Open)).await;
    server.restart();
    until("the breaker is closed", async || {
        let _ = items(&here).insert("k", 1).await;
        here.health().l2.unwrap().breaker == BreakerState::Closed
    })
    .await;
    until_told(&mut events, Kind::Breaker(BreakerState::Closed)).await;
}
