#![allow(unused)]

use cache_core::cached;

struct Users;

impl Users {
    #[cached]
    async fn user(&self, id: u64) -> u64 {
        id
    }

    #[cached(skip(self))]
    async fn skipped(&self, id: u64) -> u64 {
        id
    }

    #[cached]
    async fn changing(&mut self, id: u64) -> u64 {
        id
    }

    #[cached]
    async fn boxed(self: Box<Self>, id: u64) -> u64 {
        id
    }
}

fn main() {}
