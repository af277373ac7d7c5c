//! A hit in oxcache and in this cache, side by side: `benches/compare` runs it, and adds it to the table of the other peers.

use std::{error::Error, sync::Arc};

use benches::User;
use oxcache::{Cache, macros::cached};
use side_by_side::{CAPACITY, TTL, contestant, run, runtime};

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let cache: Cache<String, Vec<u8>> = Cache::builder().capacity(CAPACITY as u64).ttl(TTL).build().await?;
        cache.register_for_macro("users").await
    })?;
    run(&runtime, vec![contestant!("oxcache `#[cached]`", "TTL, decodes", by_oxcache)])
}

async fn by_oxcache(number: u64) -> Arc<User> {
    find(number).await.expect("the loader does not fail")
}

#[cached(service = "users", ttl = 86_400)]
async fn find(number: u64) -> Result<Arc<User>, String> {
    Ok(User::sample(number))
}
