#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(ttl = "1m", l1_ttl = 61)]
async fn in_l1() {}

#[cached(negative_ttl = "1h", ttl = 5)]
async fn nothing() -> Option<u8> {
    None
}

#[cached(soft_timeout = "10s", hard_timeout = 10)]
async fn soft() {}

fn main() {}
