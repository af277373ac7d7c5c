#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached]
async unsafe fn vouched(id: u64) -> u64 {
    id
}

#[cached]
async extern "C" fn foreign(id: u64) -> u64 {
    id
}

fn main() {}
