#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::{cached, invalidates};

#[cached]
async fn user(name: String) -> usize {
    name.len()
}

#[invalidates(user(name))]
async fn rename(name: String) {
    drop(name);
}

fn main() {}
