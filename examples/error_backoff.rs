//! A failing origin is not hammered: after a failure its error answers for a while.

use std::time::Duration;

use cache_core::{LoadError, Overrides, Result, Stack};

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("shop").build().await?;

    // For a second, then for two, four … up to 30, as long as the loads of the key fail.
    let policy = Overrides::new().error_backoff(Duration::from_secs(1));
    let rates = stack.cache::<String, f64>("rate").overrides(policy).build()?;
    for _ in 0..10 {
        let failed = rates.try_get_with("EUR", |_| async { Err("the bank is closed") }).await;
        assert!(matches!(failed, Err(LoadError::Loader(error)) if *error == "the bank is closed"));
    }
    assert_eq!((rates.stats().loads, rates.stats().backed_off), (1, 9));

    // What changes the entry ends the pause.
    rates.invalidate("EUR").await?;
    let loaded = rates.try_get_with("EUR", |_| async { Ok::<_, &str>(1.08) }).await;
    assert!(loaded.is_ok_and(|rate| rate == 1.08));
    Ok(())
}
