//! A load that is slow: past the soft timeout an old value answers and the load goes on; past the hard one the call fails.

use std::time::Duration;

use cache_core::{ErrorKind, Overrides, Result, Source, Stack};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("shop").build().await?;
    let (soft, hard) = (Duration::from_millis(20), Duration::from_millis(500));
    let policy = Overrides::new().stale_if_error(Duration::from_secs(3600)).soft_timeout(soft).hard_timeout(hard);
    let prices = stack.cache::<u64, u32>("price").overrides(policy).build()?;

    // There is an old value: nobody waits for longer than the soft timeout.
    prices.get_with(&7, |_| async { 100 }).await?;
    prices.expire(&7).await?;
    let slow = || async {
        sleep(Duration::from_millis(100)).await;
        120
    };
    let answer = prices.at(&7).get_with(|_| slow()).await?;
    assert_eq!((answer.value, answer.source), (100, Source::Stale));
    while prices.get(&7).await != Some(120) {
        sleep(Duration::from_millis(10)).await;
    }

    // There is none: the call ends at the hard timeout, and the next one may load.
    let error = prices.get_with(&8, |_| std::future::pending()).await.expect_err("nobody waits for ever");
    assert_eq!(error.kind(), ErrorKind::LoadTimeout);
    assert_eq!(prices.get_with(&8, |_| async { 90 }).await?, 90);
    Ok(())
}
