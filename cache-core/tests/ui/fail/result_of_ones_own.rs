#![allow(unused, reason = "only what the attribute says matters")]

mod own {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    pub struct Result<T>(T);
}

use cache_core::cached;

#[cached]
async fn user(id: u64) -> own::Result<Vec<u64>> {
    unreachable!("it does not compile")
}

fn main() {}
