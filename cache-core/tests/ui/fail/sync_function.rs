#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(tiers = "both", validated)]
fn shared(id: u64) -> u64 {
    id
}

#[cached(stale_while_revalidate = "1m", refresh_ahead = 0.8, max_loads = 4)]
fn apart(id: u64) -> u64 {
    id
}

#[cached]
fn waits(id: u64) -> impl Future<Output = u64> {
    async move { id }
}

fn main() {
    // The functions themselves are still there.
    shared(1);
}
