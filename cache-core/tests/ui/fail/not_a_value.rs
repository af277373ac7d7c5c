#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;
use serde::Serialize;

#[derive(Clone, Serialize)]
struct User {
    name: String,
}

#[cached]
async fn user(id: u64) -> Option<User> {
    None
}

#[cached]
async fn text(id: u64) -> &'static str {
    "fixed"
}

fn main() {}
