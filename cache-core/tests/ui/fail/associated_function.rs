#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

struct Users;

impl Users {
    #[cached]
    async fn count() -> u64 {
        7
    }
}

fn main() {}
