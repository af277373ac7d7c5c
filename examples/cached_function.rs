//! `#[cached]` on a function: from then on it runs once for its arguments, for as long as the time to live says. Beside it
//! are companions that take the same arguments: to revoke, to refresh, to ask where an answer came from, to go past the cache.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cache_core::{Result, Source, Stack, cached};

static RUNS: AtomicU32 = AtomicU32::new(0);

/// A function that may fail: its error is passed on and not cached. Its error type can also say what went wrong in the
/// cache itself, such as a deadline of the load.
#[cached(cache = "user", ttl = 300, tags = ["org:{org}"])]
async fn user(org: u32, id: u64) -> Result<String> {
    RUNS.fetch_add(1, Relaxed);
    Ok(format!("user {id} of organisation {org}"))
}

/// Arguments are borrowed where that is enough; those that don't belong to the question are left out of the key.
#[cached(cache = "greeting", ttl = "1h", skip(_request))]
async fn greeting(name: &str, _request: u128) -> String {
    RUNS.fetch_add(1, Relaxed);
    format!("Hello, {name}")
}

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("example").build().await?;
    stack.install()?;

    assert_eq!(user(7, 42).await?, "user 42 of organisation 7");
    assert_eq!(user(7, 42).await?, "user 42 of organisation 7");
    assert_eq!(RUNS.load(Relaxed), 1);

    let answer = user::explain(7, 42).await;
    assert_eq!(answer.source, Source::L1);
    println!("from {:?}, {:?} old, fresh for another {:?}", answer.source, answer.age, answer.remaining);

    user::invalidate(7, 42).await?;
    assert_eq!(user::explain(7, 42).await.source, Source::Loaded);
    stack.invalidate_tag("org:7").await?;
    assert_eq!(user::explain(7, 42).await.source, Source::Loaded);
    assert_eq!(RUNS.load(Relaxed), 3);

    user::refresh(7, 42).await?; // runs it whatever is cached
    user::uncached(7, 42).await?; // runs it, and leaves the cache alone
    assert_eq!(RUNS.load(Relaxed), 5);

    assert_eq!(greeting("Ada", 1).await, greeting("Ada", 2).await);
    assert_eq!(RUNS.load(Relaxed), 6);
    Ok(())
}
