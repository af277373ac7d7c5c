#![allow(unused, reason = "only what the attribute says matters")]

use async_trait::async_trait;
use cache_core::cached;

#[derive(Clone)]
struct Db;

#[async_trait]
trait Users<T> {
    async fn user(&self, id: T) -> u64;
}

#[cached]
impl Db {
    #[cached(skip(self))]
    async fn count(&self) -> u64 {
        7
    }
}

#[cached(ttl = 5)]
#[async_trait]
impl Users<u8> for Db {
    #[cached(skip(self))]
    async fn user(&self, id: u8) -> u64 {
        7
    }
}

#[cached]
#[async_trait]
impl Users<u16> for Db {
    async fn user(&self, id: u16) -> u64 {
        7
    }
}

#[async_trait]
impl Users<u32> for Db {
    #[cached(skip(self))]
    async fn user(&self, id: u32) -> u64 {
        7
    }
}

#[cached]
#[async_trait]
impl<T: Send + 'static> Users<Vec<T>> for Db {
    #[cached(skip(self, id))]
    async fn user(&self, id: Vec<T>) -> u64 {
        7
    }
}

fn main() {}
