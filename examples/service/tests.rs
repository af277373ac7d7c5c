//! How a service that caches is tested: a stack of its own for each test, which needs no server and shares nothing with the others;
//! tokio's paused clock, which the cache goes by; and the function itself, or a scope that goes past the cache, where the cache is
//! not what is asked about. Where two processes are, they are two stacks on one `Memory`.

use std::{sync::Arc, time::Duration};

use cache_core::{Policies, Source, Stack, backend::Memory, scope};
use tokio::time::advance;

use crate::{
    CACHE,
    database::Database,
    shop::{Article, ArticleId, Shop, ShopError, article, recommended, shelf, stock},
};

const BOLT: ArticleId = ArticleId(1);
const NUT: ArticleId = ArticleId(2);

async fn stack(policies: Policies) -> Stack {
    Stack::builder("shop").policies(policies).build().await.expect("a valid stack")
}

/// A shop with bolts in it.
async fn shop() -> Shop {
    filled(Shop::new(Arc::default(), stack(Policies::from_toml(CACHE).unwrap()).await)).await
}

async fn filled(shop: Shop) -> Shop {
    shop.put(BOLT, Article { name: "bolt".into(), shelf: "steel".into(), price: 20 }, 100).await.unwrap();
    shop
}

async fn name(shop: &Shop, id: ArticleId) -> Option<String> {
    article(shop, id).await.unwrap().map(|article| article.name.clone())
}

#[tokio::test]
async fn an_article_is_loaded_once() {
    let shop = shop().await;
    let before = shop.database().queries();
    for _ in 0..3 {
        assert_eq!(name(&shop, BOLT).await.as_deref(), Some("bolt"));
    }
    assert_eq!(shop.database().queries() - before, 1);
}

#[tokio::test(start_paused = true)]
async fn that_there_is_none_is_remembered_for_half_a_minute() {
    let shop = shop().await;
    assert_eq!(name(&shop, NUT).await, None);
    assert_eq!(article::explain(&shop, NUT).await.source, Source::L1);
    advance(Duration::from_secs(31)).await;
    assert_eq!(article::explain(&shop, NUT).await.source, Source::Loaded);
}

#[tokio::test(start_paused = true)]
async fn an_old_article_will_do_while_the_database_is_down() {
    let shop = shop().await;
    name(&shop, BOLT).await;
    shop.database().set_down(true);
    advance(Duration::from_secs(20 * 60)).await;
    assert_eq!(name(&shop, BOLT).await.as_deref(), Some("bolt"));
    assert!(matches!(article::uncached(&shop, BOLT).await, Err(ShopError::DatabaseDown)));
}

#[tokio::test]
async fn what_is_renamed_is_seen_at_once() {
    let shop = shop().await;
    assert_eq!(*shelf(&shop, "brass").await.unwrap(), []);
    assert_eq!((name(&shop, BOLT).await, shelf(&shop, "steel").await.unwrap().len()), (Some("bolt".into()), 1));
    shop.rename(BOLT, "brass", "brass bolt").await.unwrap();
    assert_eq!(name(&shop, BOLT).await.as_deref(), Some("brass bolt"));
    assert_eq!(*shelf(&shop, "brass").await.unwrap(), [BOLT]);
}

#[tokio::test]
async fn what_fails_changes_nothing_in_the_cache() {
    let shop = shop().await;
    name(&shop, BOLT).await;
    shop.database().set_down(true);
    shop.rename(BOLT, "steel", "hex bolt").await.unwrap_err();
    assert_eq!(article::explain(&shop, BOLT).await.source, Source::L1);
}

/// Two processes, as the shared store sees it.
#[tokio::test]
async fn what_one_process_sells_no_other_sells_again() {
    let (database, store) = (Arc::<Database>::default(), Memory::new());
    let process = || Stack::builder("shop").l2(store.clone()).build();
    let here = filled(Shop::new(Arc::clone(&database), process().await.unwrap())).await;
    let there = Shop::new(database, process().await.unwrap());
    assert_eq!((stock(&here, BOLT).await.unwrap(), stock(&there, BOLT).await.unwrap()), (100, 100));
    assert_eq!(here.sell(BOLT, 40).await.unwrap(), 60);
    assert_eq!(stock(&there, BOLT).await.unwrap(), 60);
    assert!(matches!(there.sell(BOLT, 61).await, Err(ShopError::SoldOut)));
}

#[tokio::test]
async fn guests_go_past_the_cache() {
    let shop = shop().await;
    for (customer, source) in [(Some(7), Source::L1), (None, Source::Loaded)] {
        recommended(&shop, customer).await.unwrap();
        assert_eq!(recommended::explain(&shop, customer).await.source, source);
    }
}

#[tokio::test]
async fn with_the_database_down_nothing_is_recommended() {
    let shop = shop().await;
    shop.database().set_down(true);
    let answer = recommended::explain(&shop, Some(7)).await;
    assert_eq!((answer.value.unwrap(), answer.source), (vec![], Source::Default));
    shop.database().set_down(false);
    assert_eq!(recommended(&shop, Some(7)).await.unwrap(), [BOLT]);
}

/// Everything inside of the scope goes past the cache: a way to compare what is cached with what is.
#[tokio::test]
async fn what_changed_behind_the_back_of_the_cache_is_seen_by_going_past_it() {
    let shop = shop().await;
    let cached = shop.clone().offer(BOLT).await.unwrap();
    shop.database().sell(BOLT, 40).await.unwrap();
    assert_eq!(shop.clone().offer(BOLT).await.unwrap(), cached);
    let current = scope::bypass(shop.clone().offer(BOLT)).await.unwrap();
    assert_eq!(current, "bolt on steel, 20 cents, 60 in stock");
    assert_eq!(shop.offer(BOLT).await.unwrap(), cached, "it put nothing there");
}

/// A fixture without a database behind it.
#[tokio::test]
async fn what_a_test_inserts_is_what_the_service_finds() {
    let shop = shop().await;
    stock::insert(&shop, BOLT, 7).await.unwrap();
    assert_eq!(shop.offer(BOLT).await.unwrap(), "bolt on steel, 20 cents, 7 in stock");
}

#[tokio::test]
async fn with_the_cache_switched_off_the_service_is_the_same() {
    let shop = filled(Shop::new(Arc::default(), stack(Policies::new().enabled(false)).await)).await;
    let before = shop.database().queries();
    for _ in 0..3 {
        assert_eq!(name(&shop, BOLT).await.as_deref(), Some("bolt"));
    }
    assert_eq!(shop.database().queries() - before, 3);
}
