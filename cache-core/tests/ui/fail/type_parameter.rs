#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;
use serde::{Serialize, de::DeserializeOwned};

trait Named {
    fn name(&self) -> u64;
}

#[cached]
async fn value<T: Default + Send + 'static>() -> T {
    T::default()
}

#[cached]
async fn key<T: Named + Send + 'static>(of: T) -> u64 {
    of.name()
}

#[cached]
async fn scoped<T: Send>() -> u64 {
    7
}

#[cached(skip(of))]
async fn loads<T: Named + Send + 'static>(of: &T) -> u64 {
    of.name()
}

fn main() {}
