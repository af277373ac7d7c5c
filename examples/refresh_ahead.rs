//! What is asked for is loaded anew before it expires, so that nobody waits for it; and a loader need not bring the same again.

#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::time::Duration;

use cache_core::{Load, Overrides, RefreshAhead, Result, Stack};

/// A page with an `ETag`: it is sent again only if it is another one.
async fn fetch(load: Load) -> String {
    match load.validator().as_deref() {
        Some("v1") => load.not_modified().expect("what has a validator is there"),
        _ => {
            load.set_validator("v1");
            "a long page".to_owned()
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("shop").build().await?;

    // `RefreshAhead::XFetch` goes by the time that a load takes; this one by a part of the time to live, here a second. That
    // grows by half each time a reload brings what was there, up to a minute.
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let policy = Overrides::new().ttl(second).refresh_ahead(RefreshAhead::After(0.5)).adaptive(second / 2, minute);
    let pages = stack.cache::<String, String>("page").overrides(policy).build()?;
    pages.get_with("/", fetch).await?;

    // The call that finds it due is answered at once, as all others are; one load goes on behind.
    while pages.stats().unchanged < 1 {
        assert_eq!(pages.get_with("/", fetch).await?, "a long page");
        tokio::task::yield_now().await;
    }
    let stats = pages.stats();
    println!("{} hits, {} miss, {} refresh that found nothing new", stats.l1_hits, stats.misses, stats.refreshes);
    assert_eq!((stats.misses, stats.refreshes, stats.joined), (1, 1, 0));
    Ok(())
}
