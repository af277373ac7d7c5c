//! A stand-in for the database, which counts what it is asked and can be switched off.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
};

use crate::shop::{Article, ArticleId, ShopError};

/// Each article with its stock.
type Rows = BTreeMap<ArticleId, (Article, u32)>;

#[derive(Default)]
pub(crate) struct Database {
    rows: Mutex<Rows>,
    queries: AtomicU32,
    is_down: AtomicBool,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) async fn article(&self, id: ArticleId) -> Result<Option<Article>, ShopError> {
        Ok(self.query()?.get(&id).map(|(article, _)| article.clone()))
    }

    pub(crate) async fn shelf(&self, name: &str) -> Result<Vec<ArticleId>, ShopError> {
        let rows = self.query()?;
        Ok(rows.iter().filter(|(_, (article, _))| article.shelf == name).map(|(id, _)| *id).collect())
    }

    pub(crate) async fn stock(&self, id: ArticleId) -> Result<u32, ShopError> {
        Ok(self.query()?.get(&id).map_or(0, |(_, stock)| *stock))
    }

    pub(crate) async fn recommended(&self, customer: Option<u64>) -> Result<Vec<ArticleId>, ShopError> {
        let many = if customer.is_some() { 3 } else { 1 };
        Ok(self.query()?.keys().take(many).copied().collect())
    }

    pub(crate) async fn put(&self, id: ArticleId, article: Article, stock: u32) -> Result<(), ShopError> {
        self.query()?.insert(id, (article, stock));
        Ok(())
    }

    pub(crate) async fn rename(&self, id: ArticleId, shelf: &str, name: &str) -> Result<(), ShopError> {
        if let Some((article, _)) = self.query()?.get_mut(&id) {
            (article.shelf, article.name) = (shelf.to_owned(), name.to_owned());
        }
        Ok(())
    }

    pub(crate) async fn sell(&self, id: ArticleId, count: u32) -> Result<u32, ShopError> {
        let mut rows = self.query()?;
        let (_, stock) = rows.get_mut(&id).ok_or(ShopError::SoldOut)?;
        *stock = stock.checked_sub(count).ok_or(ShopError::SoldOut)?;
        Ok(*stock)
    }

    pub(crate) fn queries(&self) -> u32 {
        self.queries.load(Relaxed)
    }

    pub(crate) fn report(&self) -> String {
        format!("{} queries", self.queries())
    }

    #[cfg(test)]
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Relaxed);
    }

    fn query(&self) -> Result<MutexGuard<'_, Rows>, ShopError> {
        self.queries.fetch_add(1, Relaxed);
        if self.is_down.load(Relaxed) {
            return Err(ShopError::DatabaseDown);
        }
        Ok(self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
