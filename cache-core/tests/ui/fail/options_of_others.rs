#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(name = "USER", time = 60, size = 1000)]
async fn of_one() -> u64 {
    0
}

#[cached(option = true, convert = "{ id }", sync_writes = true)]
async fn of_the_same(id: u64) -> Option<u64> {
    None
}

#[cached(cache_err)]
async fn errors() -> Result<u64, String> {
    Err("no rows".into())
}

#[cached(colour = "red")]
async fn of_none() -> u64 {
    0
}

fn main() {}
