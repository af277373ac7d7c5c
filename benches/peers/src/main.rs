//! A hit in other caches and in this one, as their users would write them, side by side in one run: hot keys and Zipf traffic, one
//! thread and two. `benches/compare` runs it.

mod by_hand;
mod by_macro;
mod redis;

use std::error::Error;

use cache_redis::testing::RedisServer;
use side_by_side::{Clock, contestant, run, runtime};

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = runtime()?;
    let server = RedisServer::start();
    runtime.block_on(redis::connect(&server.url()))?;
    let peers = vec![
        contestant!("quick_cache `get_or_insert_async`", "-", by_hand::quick_cache),
        contestant!("`cached` `#[concurrent_cached]`", "TTL, LRU", by_macro::cached::cached),
        contestant!("foyer `get_or_fetch`", "-", by_hand::foyer),
        contestant!("moka `sync::Cache::get`", "TTL, no load", by_hand::moka_sync),
        contestant!("moka `future::Cache::get_with`", "TTL", by_hand::moka),
        contestant!("hitbox `#[cached]` on moka", "TTL, decodes", by_macro::hitbox::hitbox),
        contestant!("multi-tier-cache `get_or_compute_typed`", "TTL, decodes", redis::multi_tier),
        contestant!("raw redis `GET`, decoded", "another process; time elapsed", redis::raw, Clock::Elapsed),
    ];
    run(&runtime, peers)
}
