#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached]
async fn user(org: u32, id: u64) -> Result<String, std::num::ParseIntError> {
    Ok(String::new())
}

#[cached(key = id)]
async fn keyed(id: u64) -> u64 {
    id
}

async fn wrong() {
    user::invalidate(7).await;
    user::get(7, "alice").await;
    user::insert(7, 1, 42).await;
    user::warm([7, 8]).await;
    keyed::cache();
}

fn main() {}
