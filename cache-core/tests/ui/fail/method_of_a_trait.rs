#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[derive(Clone)]
struct Db;

trait Users {
    async fn user(&self, id: u64) -> u64;
}

impl Users for Db {
    #[cached(skip(self))]
    async fn user(&self, id: u64) -> u64 {
        7
    }
}

fn main() {}
