#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;
use std::collections::HashMap;

struct Filter {
    name: String,
}

#[cached]
async fn by_own_type(tenant: u32, filter: &Filter) -> u64 {
    filter.name.len() as u64
}

#[cached]
async fn by_map(map: HashMap<String, u32>, ratio: f64) -> u64 {
    0
}

#[cached(key = Filter { name: name.to_owned() })]
async fn by_expression(name: &str) -> u64 {
    0
}

fn main() {}
