#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(tags = ["", "{}", "{org.id}", "{org", "org}", "{org:?}", "fine:{org}"])]
async fn user(org: u64) -> u64 {
    org
}

fn main() {}
