#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;
use std::time::Duration;

#[cached(l1_ttl = 60 * 5)]
async fn product() {}

#[cached(jitter = Duration::from_secs(1))]
async fn time() {}

fn main() {}
