//! What the shop can be asked, and what can be done to it.

use std::{fmt, sync::Arc};

use cache_core::{Stack, cached, invalidates};
use serde::{Deserialize, Serialize};

use crate::database::Database;

/// The service. A cheap clone; it is no part of any key.
#[derive(Clone)]
pub(crate) struct Shop {
    database: Arc<Database>,
    stack: Stack,
}

/// An article. `None` is remembered too, for as long as the TTL map says; with the database down an old answer will do.
#[cached(cache = "article", stale_if_error = "1h", stack = &shop.stack, skip(shop))]
pub(crate) async fn article(shop: &Shop, id: ArticleId) -> Result<Option<Arc<Article>>, ShopError> {
    Ok(shop.database.article(id).await?.map(Arc::new))
}

/// What lies on a shelf. An empty one is about to be filled, so that is not remembered.
#[cached(
    cache = "shelf",
    ttl = "5m",
    stale_while_revalidate = "1m",
    cache_if = |articles| !articles.is_empty(),
    tags = ["shelf:{name}"],
    stack = &shop.stack,
    skip(shop),
)]
pub(crate) async fn shelf(shop: &Shop, name: &str) -> Result<Arc<[ArticleId]>, ShopError> {
    Ok(shop.database.shelf(name).await?.into())
}

/// How many there are: what is sold must not be sold again, so it is checked with the shared store at each call.
#[cached(cache = "stock", ttl = "1m", validated, stack = &shop.stack, skip(shop))]
pub(crate) async fn stock(shop: &Shop, id: ArticleId) -> Result<u32, ShopError> {
    shop.database.stock(id).await
}

/// What is recommended to a customer; guests are many, and have no history to ask. No page fails for the want of it.
#[cached(
    cache = "recommended",
    ttl = "1h",
    jitter = 0.3,
    when = customer.is_some(),
    default_on_error = Vec::new(),
    stack = &shop.stack,
    skip(shop),
)]
pub(crate) async fn recommended(shop: &Shop, customer: Option<u64>) -> Result<Vec<ArticleId>, ShopError> {
    shop.database.recommended(customer).await
}

impl Shop {
    pub(crate) fn new(database: Arc<Database>, stack: Stack) -> Self {
        Self { database, stack }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The line of a price list: methods call cached functions.
    pub(crate) async fn offer(self, id: ArticleId) -> Result<String, ShopError> {
        let Some(article) = article(&self, id).await? else {
            return Ok("no such article".into());
        };
        let stock = stock(&self, id).await?;
        Ok(format!("{} on {}, {} cents, {stock} in stock", article.name, article.shelf, article.price))
    }

    #[invalidates(article(self, id), stock(self, id), tags = [format!("shelf:{}", article.shelf)])]
    pub(crate) async fn put(&self, id: ArticleId, article: Article, stock: u32) -> Result<(), ShopError> {
        self.database.put(id, article, stock).await
    }

    #[invalidates(article(self, id), tags = ["shelf:{shelf}"])]
    pub(crate) async fn rename(&self, id: ArticleId, shelf: &str, name: &str) -> Result<(), ShopError> {
        self.database.rename(id, shelf, name).await
    }

    /// Nothing stale is left of the stock, not even if this process dies in the middle.
    #[invalidates(stock(&self, id), guarded)]
    pub(crate) async fn sell(self, id: ArticleId, count: u32) -> Result<u32, ShopError> {
        self.database.sell(id, count).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct ArticleId(pub(crate) u32);

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Article {
    pub(crate) name: String,
    pub(crate) shelf: String,
    pub(crate) price: u32,
}

/// Why there is no answer. Cheap to clone, since one load that fails fails for all who waited for it.
#[derive(Clone, Debug)]
pub(crate) enum ShopError {
    DatabaseDown,
    SoldOut,
    Cache(cache_core::Error),
}

impl From<cache_core::Error> for ShopError {
    fn from(error: cache_core::Error) -> Self {
        Self::Cache(error)
    }
}

impl fmt::Display for ShopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DatabaseDown => f.write_str("the database is down"),
            Self::SoldOut => f.write_str("sold out"),
            Self::Cache(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ShopError {}
