#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[derive(Clone)]
struct Fault;

#[cached(cache_err)]
async fn not_a_value(id: u64) -> Result<u64, Fault> {
    Ok(id)
}

#[cached(cache_err)]
async fn not_a_result(id: u64) -> Option<u64> {
    None
}

#[cached(cache_err = true)]
async fn flag(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cached(cache_err = |fault| fault.len() > id)]
async fn by_argument(id: usize) -> Result<usize, String> {
    Ok(id)
}

fn main() {}
