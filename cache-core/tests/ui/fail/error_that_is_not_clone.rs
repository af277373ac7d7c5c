#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

type Outcome<T> = Result<T, DbError>;

#[derive(Debug)]
struct DbError;

#[cached]
async fn user(id: u64) -> Outcome<u64> {
    Err(DbError)
}

fn main() {}
