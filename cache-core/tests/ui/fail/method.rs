#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::{cached, invalidates};

#[derive(Clone)]
struct Users;

impl Users {
    #[cached]
    async fn without_its_instance(&self, id: u64) -> u64 {
        id
    }

    #[cached(skip(self))]
    async fn changing(&mut self, id: u64) -> u64 {
        id
    }

    #[cached(skip(self))]
    async fn boxed(self: Box<Self>, id: u64) -> u64 {
        id
    }

    #[cached(skip(self))]
    async fn consuming(self, id: u64) -> u64 {
        id
    }
}

#[invalidates(users.all, users.user)]
async fn no_call(users: &Users) {}

fn main() {}
