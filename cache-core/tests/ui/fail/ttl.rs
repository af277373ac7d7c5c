#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(ttl = 0)]
async fn zero() {}

#[cached(ttl = "0s")]
async fn zero_text() {}

#[cached(ttl = "5")]
async fn no_unit() {}

#[cached(ttl = "five minutes")]
async fn words() {}

#[cached(ttl = 5u64)]
async fn suffix() {}

#[cached(ttl = true)]
async fn flag() {}

#[cached(ttl = seconds)]
async fn of_an_argument(seconds: std::time::Duration) {}

#[cached(ttl = 60 * 5)]
async fn product() {}

fn main() {}
