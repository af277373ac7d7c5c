//! This cache, and what bounds it from below.

use std::{
    error::Error,
    sync::{Arc, LazyLock},
};

use benches::User;
use cache_core::{Cache, L1, Stack, backend::Memory, cached};

use crate::{CAPACITY, Contestant, TTL, contestant};

/// What every ratio is against.
pub(crate) const OURS: &str = "ours, `#[cached]`";
/// The same with values that have no count, which two threads would write to by turns.
pub(crate) const OURS_OF_NUMBERS: &str = "ours, `#[cached]` of a `u64`";

pub(crate) async fn contestants() -> Result<Vec<Contestant>, Box<dyn Error>> {
    let stack = Stack::builder("peers").l1(L1::entries(CAPACITY as u64)).l2(Memory::new()).l1_ttl(TTL).build().await?;
    stack.install()?;
    Ok(vec![
        contestant!("no cache: an `Arc` out of a `Vec`", "-", bare),
        contestant!(OURS, "TTL, 3 tags, proof, statistics", ours),
        contestant!(OURS_OF_NUMBERS, "TTL, 3 tags, proof, statistics", ours_of_numbers),
        contestant!("ours, `Cache::get_with`", "TTL, proof, statistics", ours_by_hand),
    ])
}

async fn bare(number: u64) -> Arc<User> {
    static USERS: LazyLock<Vec<Arc<User>>> = LazyLock::new(|| (0..100_000).map(User::sample).collect());
    Arc::clone(&USERS[number as usize])
}

#[cached(ttl = "24h", tags = ["org:{number}", "plan:team", "region:eu"])]
async fn ours(number: u64) -> Arc<User> {
    User::sample(number)
}

#[cached(ttl = "24h", tags = ["org:{number}", "plan:team", "region:eu"])]
async fn ours_of_numbers(number: u64) -> u64 {
    number
}

async fn ours_by_hand(number: u64) -> Arc<User> {
    static CACHE: LazyLock<Cache<u64, Arc<User>>> =
        LazyLock::new(|| Stack::global().cache("by hand").ttl(TTL).build().expect("valid settings"));
    CACHE.get_with(&number, async move |_| User::sample(number)).await.expect("the loader does not fail")
}
