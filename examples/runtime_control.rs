//! Control without a restart: another TTL map, a cache that is switched off, calls and whole tasks that go past the cache.

use std::time::Duration;

use cache_core::{Policies, Result, Stack, scope};

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("shop").policies(Policies::from_toml("kinds.plan.ttl = '1h'")?).build().await?;
    let plans = stack.cache::<u64, u32>("plan").build()?;
    let load = async |price| plans.at(&7).get_with(move |_| async move { price }).await;
    assert_eq!(load(1).await?.value, 1);

    // Another map, say when its file has changed. What is loaded from now on lives by it; a map that can't be changes nothing.
    let changed = stack.reload_policies(Policies::from_toml("kinds.plan.ttl = '5m'")?)?;
    assert_eq!((changed, plans.policy().ttl), (vec!["plan".to_owned()], Duration::from_secs(300)));
    let refusal = stack.reload_policies(Policies::from_toml("kinds.plan.l1_ttl = '1h'")?);
    assert!(refusal.is_err_and(|error| error.to_string().contains("longer than its ttl")));

    // One call past the cache, or all of a task, `#[cached]` functions too: loaded, and not stored.
    assert_eq!(plans.at(&7).bypass().get_with(|_| async { 2 }).await?.value, 2);
    assert_eq!(scope::bypass(load(3)).await?.value, 3);
    assert_eq!(load(4).await?.value, 1);

    // All calls of a task loaded anew, and stored.
    assert_eq!(scope::refresh(load(5)).await?.value, 5);
    assert_eq!(load(6).await?.value, 5);

    // A cache that is in the way is switched off, here by hand, or by a map with `enabled = false` for its kind.
    plans.set_enabled(false);
    assert_eq!(load(7).await?.value, 7);
    plans.set_enabled(true);
    assert_eq!(load(8).await?.value, 8);
    Ok(())
}
