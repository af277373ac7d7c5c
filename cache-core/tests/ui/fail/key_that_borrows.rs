#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(key = name.trim())]
async fn borrowed(name: &str) -> usize {
    name.len()
}

#[cached(key = name.into_bytes())]
async fn moved(name: String) -> usize {
    name.len()
}

fn main() {}
