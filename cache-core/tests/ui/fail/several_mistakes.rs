#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(ttl = 0, chache = "user", skip(db), tags = ["org:{org}", "{"])]
fn user<T>(id: &mut u64, name: Option<&str>) -> u64 {
    *id
}

fn main() {}
