#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

struct Users {
    tenant: u32,
}

impl Users {
    #[cached(key = self.tenant)]
    async fn count(&self) -> u64 {
        7
    }
}

fn main() {}
