//! Redis keeps the contract of a backend.

use cache_redis::{Redis, testing::RedisServer};

use crate::support::start;

async fn redis() -> (Redis, RedisServer) {
    let (server, redis, _) = start().await;
    (redis, server)
}

cache_core::conformance!(redis());
