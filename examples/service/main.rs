//! A small service, written as a team would write one: what it can be asked is in `shop.rs`, and each function says in one
//! line how it is cached or what it makes obsolete. `tests.rs` is how such a service is tested.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

mod database;
mod shop;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cache_core::{L1, Policies, Stack, backend::Memory};

use crate::{
    database::Database,
    shop::{Article, ArticleId, Shop, ShopError, article, stock},
};

/// The lifetimes that operations may change without a build; the attributes say the rest.
const CACHE: &str = r#"
    [kinds.article]
    ttl = "10m"
    negative_ttl = "30s"
"#;

#[tokio::main]
async fn main() -> Result<(), ShopError> {
    let stack = Stack::builder("shop")
        .l1(L1::entries(10_000))
        .l2(Memory::new()) // in production: cache_redis::Redis::connect(url).await?
        .policies(Policies::from_toml(CACHE)?.with_env()?)
        .build()
        .await?;
    let shop = Shop::new(Arc::new(Database::new()), stack.clone());

    let bolt = ArticleId(1);
    shop.put(bolt, Article { name: "bolt".into(), shelf: "steel".into(), price: 20 }, 100).await?;
    article::warm((1..=3).map(|id| (shop.clone(), ArticleId(id)))).await?;

    let callers: Vec<_> = (0..1000).map(|_| tokio::spawn(shop.clone().offer(bolt))).collect();
    for caller in callers {
        caller.await.expect("no panic")?;
    }
    println!("1,000 callers: {}", shop.database().report());

    shop.rename(bolt, "steel", "hex bolt").await?;
    println!("renamed: {}", shop.clone().offer(bolt).await?);
    shop.clone().sell(bolt, 40).await?;
    println!("sold 40: {}", shop.clone().offer(bolt).await?);

    let (articles, stocks) = (article::stats(&shop), stock::stats(&shop));
    println!("articles: {} hits, {} loads", articles.l1_hits, articles.loads);
    println!("stocks: {} hits, {} loads", stocks.l1_hits, stocks.loads);
    stack.shutdown().await?;
    Ok(())
}
