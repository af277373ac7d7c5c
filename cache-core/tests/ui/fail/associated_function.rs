#![allow(unused)]

use cache_core::cached;

struct Users;

impl Users {
    #[cached]
    async fn count() -> u64 {
        7
    }
}

fn main() {}
