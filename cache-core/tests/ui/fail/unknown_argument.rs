#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(skip(trace), tags = ["org:{org}"])]
async fn user(id: u64, (row, column): (u8, u8)) -> u64 {
    id
}

#[cached(skip(row, id, id))]
async fn part(id: u64, (row, column): (u8, u8)) -> u64 {
    id
}

#[cached(tags = ["org:{org}"])]
async fn none() -> u64 {
    0
}

fn main() {}
