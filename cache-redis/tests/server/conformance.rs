//! Redis keeps the contract of a backend.

use cache_redis::{Redis, testing::RedisServer};

async fn redis() -> (Redis, RedisServer) {
    let server = RedisServer::start();
    (Redis::connect(server.url()).await.expect("connect"), server)
}

cache_core::conformance!(redis());
