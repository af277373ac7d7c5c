#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(stale_while_revalidate = 0)]
async fn no_window() {}

#[cached(l1_ttl = "0s", negative_ttl = 0, hard_timeout = 0)]
async fn nothing() {}

#[cached(stale_if_error = 0.0001)]
async fn too_short() {}

#[cached(ttl = "200000d")]
async fn too_long() {}

#[cached(jitter = 1)]
async fn all_of_it() {}

#[cached(jitter = "10%")]
async fn percent() {}

#[cached(jitter = -0.1, ttl = -5)]
async fn negative() {}

#[cached(codec = "xml")]
async fn unknown_codec() {}

#[cached(codec = 2)]
async fn not_a_codec() {}

#[cached(codec = format)]
async fn of_an_argument(format: cache_core::Format) {}

fn main() {}
