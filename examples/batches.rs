//! Many keys: one query for those that are missing, each cached on its own.

use std::{collections::HashMap, convert::Infallible};

use cache_core::{Result, Stack};

/// `SELECT id, name FROM users WHERE id = ANY($1)`.
async fn select(ids: Vec<u64>) -> HashMap<u64, String> {
    ids.into_iter().filter(|id| *id < 100).map(|id| (id, format!("user {id}"))).collect()
}

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("shop").build().await?;
    let names = stack.cache::<u64, String>("name").build()?;
    names.insert(&1, "Ada".to_owned()).await?;

    let found = names.many([&1, &2, &3, &404]).tags(|id| [format!("user:{id}")]).get_with(select).await;
    assert_eq!(found.into_values().len(), 3, "of 404 the loader knows nothing");
    assert_eq!(names.get_many([&1, &2, &3]).await.len(), 3);
    names.invalidate_many([&2, &3]).await?; // one message to the fleet

    // Code that asks for one at a time: calls within a millisecond share a query.
    let names = names
        .batched(|ids| async { Ok::<_, Infallible>(select(ids).await.into_iter().map(|(id, name)| (id, Ok(name)))) });
    let tasks: Vec<_> = (1..=5)
        .map(|id| {
            tokio::spawn({
                let names = names.clone();
                async move { names.get(&id).await }
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.expect("it ends").is_ok_and(|name| name.is_some()));
    }
    Ok(())
}
