//! Cached methods of traits.

use super::{Runs, stack};
use async_trait::async_trait;
use cache_core::{CacheKey, CacheValue, Error, Source, Stack, cached, invalidates};

mod ports {
    use super::{CacheKey, CacheValue, Error};

    pub(super) trait Users {
        type Id;
        const LIMIT: u32;

        async fn user(&self, id: Self::Id) -> Result<String, Error>;

        fn limited(id: u32) -> u32 {
            id.min(Self::LIMIT)
        }

        async fn find<T: CacheKey + CacheValue>(&self, by: T, _: &str) -> Option<T>;

        async fn count() -> usize;

        fn label(&self, number: u8) -> String;
    }
}

#[derive(Clone)]
struct Database {
    tenant: u32,
    stack: Stack,
    runs: Runs,
}

impl Database {
    async fn of(tenant: u32) -> Self {
        Self { tenant, stack: stack().await, runs: Runs::default() }
    }
}

#[cached]
impl ports::Users for Database {
    type Id = u32;
    const LIMIT: u32 = 100;

    /// A user of this tenant.
    #[cached(key = (self.tenant, id), tags = ["user:{id}"], stack = &self.stack)]
    async fn user(&self, id: Self::Id) -> Result<String, Error> {
        let limited = Self::limited(id.min(Self::LIMIT));
        Ok(format!("{}/{limited} by {}", self.tenant, self.runs.add()))
    }

    fn limited(id: u32) -> u32 {
        id
    }

    #[cached(skip(self), stack = &self.stack)]
    async fn find<T: CacheKey + CacheValue>(&self, by: T, mut name: &str) -> Option<T> {
        if name.is_empty() {
            name = "any";
        }
        self.runs.add();
        (name == "any").then_some(by)
    }

    #[cached]
    async fn count() -> usize {
        7
    }

    #[cached(skip(self), stack = &self.stack)]
    fn label(&self, number: u8) -> String {
        format!("{number} by {}", self.runs.add())
    }
}

#[invalidates(database.user(id))]
async fn rename(database: &Database, id: u32) {}

#[tokio::test]
async fn a_method_of_a_trait_is_cached_with_companions_on_the_type() {
    let database = Database::of(7).await;
    async fn ask(users: &impl ports::Users<Id = u32>) -> String {
        users.user(200).await.unwrap()
    }
    assert_eq!(ask(&database).await, "7/100 by 1");
    assert_eq!(ask(&database).await, "7/100 by 1");
    assert_eq!(database.user_get(200).await, Some("7/100 by 1".into()));
    rename(&database, 200).await;
    assert_eq!(ask(&database).await, "7/100 by 2");
    assert_eq!(database.stack.stats()[0].0, "macro_behaviour::traits::Database::user");
}

#[tokio::test]
async fn generic_methods_and_functions_of_a_trait_are_cached_too() {
    let database = Database::of(7).await;
    for _ in 0..2 {
        assert_eq!(ports::Users::find(&database, 1_u8, "").await, Some(1));
        assert_eq!(ports::Users::find(&database, "a".to_owned(), "any").await, Some("a".to_owned()));
    }
    assert_eq!(database.runs.count(), 2);
    assert_eq!(ports::Users::label(&database, 7), ports::Users::label(&database, 7));
    assert_eq!(<Database as ports::Users>::count().await, 7);
    assert_eq!(Database::count_explain().await.source, Source::L1);
}

#[async_trait]
trait Prices: Send + Sync {
    async fn price(&self, article: &str) -> Result<u32, Error>;
    async fn currency(&self) -> String;
}

#[cached]
#[async_trait]
impl Prices for Database {
    #[cached(skip(self), stack = &self.stack)]
    async fn price(&self, article: &str) -> Result<u32, Error> {
        self.runs.add();
        Ok(u32::try_from(article.len()).expect("a short name"))
    }

    async fn currency(&self) -> String {
        "EUR".into()
    }
}

#[tokio::test]
async fn a_method_of_an_object_is_cached() {
    let database = Database::of(7).await;
    let prices: Box<dyn Prices> = Box::new(database.clone());
    let call = tokio::spawn(async move { (prices.price("nut").await, prices.price("nut").await) });
    assert!(matches!(call.await.unwrap(), (Ok(3), Ok(3))));
    assert_eq!(database.runs.count(), 1);
    database.price_invalidate("nut").await.unwrap();
    assert_eq!(Prices::currency(&database).await, "EUR");
    assert_eq!(Prices::price(&database, "nut").await.unwrap(), 3);
    assert_eq!(database.runs.count(), 2);
}

#[derive(Clone)]
struct Shelf<T>(Vec<T>);

#[async_trait]
trait Shelved<T> {
    async fn on_shelf(&self, at: usize) -> Option<T>;
}

#[cached]
#[async_trait]
impl<T> Shelved<T> for Shelf<T>
where
    T: CacheKey + CacheValue,
{
    #[cached(key = (self.0.clone(), at))]
    async fn on_shelf(&self, at: usize) -> Option<T> {
        self.0.get(at).cloned()
    }
}

#[tokio::test]
async fn a_generic_type_has_a_cache_for_each_of_its_instances() {
    let (numbers, words) = (Shelf(vec![1, 2]), Shelf(vec!["a".to_owned()]));
    assert_eq!(Shelved::on_shelf(&numbers, 1).await, Some(2));
    assert_eq!(Shelved::on_shelf(&words, 1).await, None);
    assert_eq!(numbers.on_shelf_explain(1).await.source, Source::L1);
}
