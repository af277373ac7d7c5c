#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::{Error, cached, invalidates};

#[cached]
async fn user(id: u64, name: &str) -> String {
    String::new()
}

async fn plain(id: u64) {}

#[invalidates(user(name, "Ada"))]
async fn other_type(name: String) {}

#[invalidates(user(1))]
async fn too_few() {}

#[invalidates(plain(1))]
async fn not_cached() {}

#[invalidates(user(1, "Ada"), guarded)]
async fn no_place_for_an_error() -> Result<(), String> {
    Ok(())
}

#[invalidates(user(1, "Ada"))]
async fn mistaken_body() -> u64 {
    "seven"
}

#[invalidates(tags = [7])]
async fn no_text() {}

fn main() {}
