#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(cache = format!("user:{}", id))]
async fn by_argument(id: u64) -> u64 {
    id
}

#[cached(cache = 7)]
async fn by_number(id: u64) -> u64 {
    id
}

#[cached(cache = Some("user"))]
async fn by_something_else(id: u64) -> u64 {
    id
}

fn main() {}
