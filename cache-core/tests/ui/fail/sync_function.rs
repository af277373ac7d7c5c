#![allow(unused)]

use cache_core::cached;

#[cached]
fn user(id: u64) -> u64 {
    id
}

fn main() {
    // The function itself is still there.
    user(1);
}
