#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(stack = "shop")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
