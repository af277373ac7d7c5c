//! A cache without the macro: a typed handle that is looked up by borrowed keys, and a loader given with each call. It is
//! what to use where the key or the loader is not a function's, or where a call needs options of its own.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::{num::ParseIntError, sync::Arc, time::Duration};

use cache_core::{Cache, LoadError, Result, Source, Stack, backend::Memory};
use serde::{Deserialize, Serialize};

#[derive(PartialEq, Debug, Serialize, Deserialize)]
struct User {
    name: String,
}

async fn fetch(name: String) -> Arc<User> {
    Arc::new(User { name })
}

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("example").l2(Memory::new()).build().await?;
    let users: Cache<String, Arc<User>> = stack.cache("user").version(3).ttl(Duration::from_secs(300)).build()?;

    // A `Cache<String, _>` is looked up by `&str`: a hit makes no owned key.
    assert_eq!(users.get("ada").await, None);
    let ada = users.get_with("ada", |_| fetch("Ada".into())).await?;
    assert_eq!(users.get("ada").await, Some(ada));

    // One call with options, which also tells how it was answered.
    let answer = users.at("bob").ttl(Duration::from_secs(5)).tag("trial").get_with(|_| fetch("Bob".into())).await?;
    assert_eq!(answer.source, Source::Loaded);
    println!("{:?} from {:?}, fresh for {:?}", answer.value, answer.source, answer.remaining);

    // The loader may have a say too, knowing what it has loaded.
    let eve = users.at("eve").get_with(|load| async move {
        load.no_store();
        fetch("Eve".into()).await
    });
    assert_eq!(eve.await?.value.name, "Eve");
    assert!(!users.contains_key("eve").await);

    // A loader's own error comes back as it was, and is not cached. A tuple of references finds a key that is a tuple.
    let sums = stack.cache::<(u32, String), u32>("sum").build()?;
    let sum = async |text| {
        let load = |_| async move { str::parse(text).map(|number: u32| number + 1) };
        sums.try_get_with((&1, text), load).await
    };
    let failed: Result<u32, LoadError<ParseIntError>> = sum("one").await;
    assert!(matches!(failed, Err(LoadError::Loader(_))));
    assert_eq!(sum("1").await.ok(), Some(2));

    users.insert("ada", fetch("Ada L.".into()).await).await?;
    users.invalidate("ada").await?;
    assert_eq!(users.get("ada").await, None);
    println!("{:?}", users.stats());
    Ok(())
}
