//! Methods in the implementations of traits.

use async_trait::async_trait;
use cache_core::{CacheKey, CacheValue, Error, Source, Stack, cached, invalidates};

#[derive(Clone)]
struct Database {
    tenant: u32,
}

trait Users {
    type Id;
    const LIMIT: u32;

    async fn user(&self, id: Self::Id) -> Result<String, Error>;
    async fn count() -> usize;
    async fn find<T: CacheKey + CacheValue>(&self, by: T, _: &str) -> Option<T>;
    fn label(&self, number: u8) -> String;

    fn limited(id: u32) -> u32 {
        id.min(Self::LIMIT)
    }
}

#[cached]
impl Users for Database {
    type Id = u32;
    const LIMIT: u32 = 100;

    /// Documented.
    #[cached(key = (self.tenant, id))]
    async fn user(&self, id: Self::Id) -> Result<String, Error> {
        Ok(format!("{}/{}", self.tenant, <Self as Users>::limited(id).min(Self::LIMIT)))
    }

    #[cached]
    async fn count() -> usize {
        7
    }

    #[cached(skip(self))]
    async fn find<T: CacheKey + CacheValue>(&self, by: T, mut name: &str) -> Option<T> {
        if name.is_empty() {
            name = "any";
        }
        (name == "any").then_some(by)
    }

    #[cached(key = (self.tenant, number))]
    fn label(&self, number: u8) -> String {
        format!("{}/{number}", self.tenant)
    }
}

#[invalidates(database.user(id))]
async fn rename(database: &Database, id: u32) {}

const DATABASE: Database = Database { tenant: 7 };

#[tokio::test]
async fn with_async_fn() {
    async fn ask(users: &impl Users<Id = u32>) -> String {
        users.user(200).await.unwrap()
    }
    assert_eq!((ask(&DATABASE).await, DATABASE.user_get(200).await), ("7/100".into(), Some("7/100".into())));
    rename(&DATABASE, 200).await;
    assert_eq!(DATABASE.user_get(200).await, None);
    assert!(Stack::global().stats().iter().any(|(name, _)| name == "macro_shapes::traits::Database::user"));
}

#[tokio::test]
async fn without_a_receiver() {
    assert_eq!((<Database as Users>::count().await, Database::count_get().await), (7, Some(7)));
}

#[tokio::test]
async fn generic_ones() {
    assert_eq!((Users::find(&DATABASE, 7_u8, "").await, DATABASE.find_get(7_u8, "").await), (Some(7), Some(Some(7))));
    assert_eq!(DATABASE.find_get(7_u16, "").await, None);
}

#[test]
fn synchronous_ones() {
    assert_eq!((Users::label(&DATABASE, 1), DATABASE.label_get(1)), ("7/1".into(), Some("7/1".into())));
}

#[async_trait]
trait Prices: Send + Sync {
    async fn price(&self, article: &str) -> Result<u32, Error>;
    async fn currency(&self) -> String;
}

#[cached]
#[async_trait]
impl Prices for Database {
    #[cached(skip(self))]
    async fn price(&self, article: &str) -> Result<u32, Error> {
        Ok(u32::try_from(article.len()).expect("a short name"))
    }

    async fn currency(&self) -> String {
        "EUR".into()
    }
}

#[tokio::test]
async fn with_async_trait_behind_an_object() {
    let prices: Box<dyn Prices> = Box::new(DATABASE);
    let call = tokio::spawn(async move { (prices.price("nut").await, prices.currency().await) });
    assert!(matches!(call.await.unwrap(), (Ok(3), currency) if currency == "EUR"));
    assert_eq!(DATABASE.price_explain("nut").await.source, Source::L1);
    DATABASE.price_invalidate("nut").await.unwrap();
    assert_eq!(DATABASE.price_get("nut").await, None);
}

#[derive(Clone)]
struct Shelf<T>(Vec<T>);

trait Shelved<T> {
    async fn on_shelf(&self, at: usize) -> Option<T>;
}

#[cached]
impl<T> Shelved<T> for Shelf<T>
where
    T: CacheKey + CacheValue,
{
    #[cached(key = (&self.0, at))]
    async fn on_shelf(&self, at: usize) -> Option<T> {
        self.0.get(at).cloned()
    }
}

#[tokio::test]
async fn of_a_generic_type_and_trait() {
    let (numbers, words) = (Shelf(vec![1, 2]), Shelf(vec!["a".to_owned()]));
    assert_eq!((Shelved::on_shelf(&numbers, 1).await, Shelved::on_shelf(&words, 1).await), (Some(2), None));
    assert_eq!((numbers.on_shelf_get(1).await, words.on_shelf_get(1).await), (Some(Some(2)), Some(None)));
}
