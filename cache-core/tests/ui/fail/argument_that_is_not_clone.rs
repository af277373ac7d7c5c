#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

struct Db;

#[cached(skip(db))]
async fn user(id: u64, db: &Db) -> u64 {
    id
}

fn main() {}
