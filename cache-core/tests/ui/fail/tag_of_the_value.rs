#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::{cached, invalidates};

#[cached(tags = [|name: &String| format!("{name} of {org}")])]
async fn of_an_argument(org: u64) -> String {
    String::new()
}

#[cached(tags = [|name: &String| name.len()])]
async fn not_a_text(org: u64) -> String {
    String::new()
}

#[cached(tags = [|name: u64| name.to_string()])]
async fn not_what_is_cached(org: u64) -> String {
    String::new()
}

#[invalidates(tags = [|org: &u64| format!("org:{org}")])]
async fn found() -> u64 {
    7
}

fn main() {}
