#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;
use std::sync::Arc;

struct Org(u64);

#[cached(tags = ["org:{org}"], skip(org))]
async fn not_displayable(org: Arc<Org>) -> u64 {
    org.0
}

#[cached(tags = [1 + 1])]
async fn not_a_text() -> u64 {
    0
}

fn main() {}
