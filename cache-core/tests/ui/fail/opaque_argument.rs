#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached]
async fn user(name: impl AsRef<str> + Clone + Send + Sync + 'static, id: u64) -> u64 {
    id
}

#[cached]
async fn rows(ids: &[impl Copy + Send + Sync + 'static]) -> usize {
    ids.len()
}

fn main() {}
