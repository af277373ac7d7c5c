#![allow(unused)]

use cache_core::cached;

#[derive(Clone)]
struct Table<T>(T);

impl<T: Clone + Send + Sync + 'static> Table<T> {
    #[cached(skip(self))]
    async fn count(&self) -> u64 {
        7
    }
}

fn main() {}
