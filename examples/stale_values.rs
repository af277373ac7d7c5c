//! Old values, where they are better than waiting or failing: while a new one is loaded, and when that can't be done.

use std::time::Duration;

use cache_core::{LoadError, Overrides, Result, Source, Stack};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("shop").build().await?;

    // For an hour past its time to live (or past the moment in which it is said to have changed) the old price answers at once,
    // and one load in the fleet replaces it behind, however many ask.
    let policy = Overrides::new().stale_while_revalidate(HOUR);
    let prices = stack.cache::<u64, u32>("price").overrides(policy).build()?;
    prices.get_with(&7, |_| async { 100 }).await?;
    prices.expire(&7).await?;
    let answer = prices.at(&7).get_with(|_| async { 120 }).await?;
    assert_eq!((answer.value, answer.source), (100, Source::Stale));
    while prices.get(&7).await != Some(120) {
        tokio::task::yield_now().await;
    }

    // For an hour past it the old exchange rate answers where the load fails.
    let policy = Overrides::new().stale_if_error(HOUR);
    let rates = stack.cache::<String, f64>("rate").overrides(policy).build()?;
    rates.get_with("EUR", |_| async { 1.08 }).await?;
    rates.expire("EUR").await?;
    let fails = || async { Err("the bank is closed") };
    let answer = rates.at("EUR").try_get_with(|_| fails()).await;
    assert!(answer.is_ok_and(|answer| answer.source == Source::Stale));

    // What was revoked answers nobody.
    rates.invalidate("EUR").await?;
    assert!(matches!(rates.try_get_with("EUR", |_| fails()).await, Err(LoadError::Loader(_))));
    Ok(())
}
