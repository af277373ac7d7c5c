#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached]
struct User {
    id: u64,
}

trait Users {
    #[cached]
    async fn user(id: u64) -> u64;
}

fn main() {
    let _ = User { id: 1 };
}
