#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(key = id, skip(trace))]
async fn user(id: u64, trace: u64) -> u64 {
    id + trace
}

fn main() {}
