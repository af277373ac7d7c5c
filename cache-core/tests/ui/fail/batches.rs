#![allow(unused, reason = "only what the attribute says matters")]

use std::collections::HashMap;

use cache_core::cached;

#[cached(batch, key = ids, tags = ["users"])]
async fn options(ids: Vec<u64>) -> HashMap<u64, String> {
    HashMap::new()
}

#[cached(batch)]
async fn one_key(id: u64) -> HashMap<u64, String> {
    HashMap::new()
}

#[cached(batch)]
async fn more_arguments(org: u32, ids: Vec<u64>) -> HashMap<u64, String> {
    HashMap::new()
}

#[cached(batch)]
fn synchronous(ids: Vec<u64>) -> HashMap<u64, String> {
    HashMap::new()
}

#[cached(batch)]
async fn a_list(ids: Vec<u64>) -> Vec<String> {
    Vec::new()
}

fn main() {}
