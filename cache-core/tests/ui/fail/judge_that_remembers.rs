#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

async fn outer(limit: u64) -> u64 {
    let cached_from = limit;
    #[cached(cache_if = |value| *value > cached_from)]
    async fn inner(id: u64) -> u64 {
        id
    }
    inner(1).await
}

fn main() {}
