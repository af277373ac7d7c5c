#![allow(unused)]

use cache_core::cached;

#[cached(key = name)]
async fn user(name: String) -> usize {
    name.len()
}

fn main() {}
