#![allow(unused)]

use cache_core::cached;

struct Users;

impl Users {
    const ALL: u64 = 7;

    #[cached]
    async fn by_its_body() -> u64 {
        Self::ALL
    }

    #[cached]
    async fn by_its_arguments(users: &Self) -> u64 {
        7
    }

    #[cached]
    async fn by_its_return() -> Option<Self> {
        None
    }
}

fn main() {}
