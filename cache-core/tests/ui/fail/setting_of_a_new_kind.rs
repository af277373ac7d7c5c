#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(tiers = "l3", refresh_ahead = 1.5, adaptive = "1h..10s", max_loads = 0, max_value_size = "1MB")]
async fn values(id: u64) -> u64 {
    id
}

#[cached(adaptive = 5, error_backoff = 0, refresh_ahead = "soon")]
async fn forms(id: u64) -> u64 {
    id
}

#[cached(tiers = "l1", validated)]
async fn never_valid(id: u64) -> u64 {
    id
}

#[cached(tiers = "l2", l1_ttl = 5)]
async fn pointless(id: u64) -> u64 {
    id
}

#[cached(adaptive = id..7)]
async fn by_argument(id: u64) -> u64 {
    id
}

fn main() {}
