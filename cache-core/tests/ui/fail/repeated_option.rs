#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(ttl = 300, cache = "user", ttl = 60)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
