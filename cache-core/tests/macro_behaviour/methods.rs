//! Cached methods.

use cache_core::{Cache, Error, Source, Stack, cached, invalidates};
use serde::{Deserialize, Serialize};

use super::{Runs, stack};

#[derive(Clone)]
struct Users {
    tenant: u32,
    stack: Stack,
    runs: Runs,
}

impl Users {
    const LIMIT: u32 = 1000;

    async fn of(tenant: u32) -> Self {
        Self { tenant, stack: stack().await, runs: Runs::default() }
    }

    /// Two tenants have different users.
    #[cached(key = (self.tenant, id), tags = ["user:{id}", format!("tenant:{}", self.tenant)], stack = &self.stack)]
    async fn user(&self, id: u32) -> Result<String, Error> {
        Ok(format!("{}/{id} by {}", self.tenant, self.runs.add()))
    }

    /// The same for all of them.
    #[cached(cache = "length", skip(self), stack = self.stack.clone(), unless = word.len() > Self::LIMIT as usize)]
    pub(crate) async fn length(&self, word: &str) -> usize {
        self.runs.add();
        word.len()
    }

    #[invalidates(self.user(id), tags = ["user:{id}"])]
    async fn rename(&self, id: u32) -> Result<(), Error> {
        Ok(())
    }

    #[invalidates(self.length(&word), guarded)]
    async fn forget(self, word: String) -> Result<usize, Error> {
        Ok(word.len())
    }
}

#[invalidates(users.user(id + 1))]
async fn rename_next(users: &Users, id: u32) {}

#[tokio::test]
async fn a_method_is_cached_by_what_its_key_says() {
    let users = Users::of(7).await;
    let others = Users { tenant: 8, ..users.clone() };
    assert_eq!(users.user(1).await.unwrap(), "7/1 by 1");
    assert_eq!(users.user(1).await.unwrap(), "7/1 by 1");
    assert_eq!(others.user(1).await.unwrap(), "8/1 by 2");
    users.stack.invalidate_tag("tenant:7").await.unwrap();
    assert_eq!(users.user(1).await.unwrap(), "7/1 by 3");
    assert_eq!(others.user(1).await.unwrap(), "8/1 by 2");
}

#[tokio::test]
async fn companions_are_methods_named_after_it() {
    let users = Users::of(7).await;
    assert_eq!(users.length_get("nut").await, None);
    assert_eq!(users.length("nut").await, 3);
    assert_eq!(users.length_explain("nut").await.source, Source::L1);
    users.length_insert("nut", 30).await.unwrap();
    assert_eq!(users.length("nut").await, 30);
    assert_eq!(users.length_uncached("nut").await, 3);
    assert_eq!(users.length_refresh("nut").await, 3);
    users.length_expire("nut").await.unwrap();
    users.length_invalidate("nut").await.unwrap();
    assert_eq!(users.length_write("nut", async { 7 }).await.unwrap(), 7);
    assert_eq!(users.length_key("nut"), "nut");
    let report = Users::length_warm([(users.clone(), "nut"), (users.clone(), "screw")]).await.unwrap();
    assert_eq!(report.warmed, 2);
    let lengths: Cache<String, usize> = users.length_cache().unwrap();
    assert_eq!(lengths.get("screw").await, Some(5));
    assert_eq!(users.length_stats().loads, lengths.stats().loads);
    let long = "x".repeat(1001);
    assert_eq!((users.length(&long).await, users.length_get(&long).await), (1001, None));
}

#[tokio::test]
async fn methods_may_be_invalidated_by_others() {
    let users = Users::of(7).await;
    for (run, id) in [(1, 1), (2, 2)] {
        assert_eq!(users.user(id).await.unwrap(), format!("7/{id} by {run}"));
    }
    users.rename(1).await.unwrap();
    assert_eq!(users.user(1).await.unwrap(), "7/1 by 3");
    rename_next(&users, 1).await;
    assert_eq!(users.user(2).await.unwrap(), "7/2 by 4");
    users.length("nut").await;
    users.clone().forget("nut".into()).await.unwrap();
    assert_eq!(users.length_get("nut").await, None);
}

#[tokio::test]
async fn a_method_has_a_cache_of_its_own_name() {
    let users = Users::of(7).await;
    users.user(1).await.unwrap();
    users.length("nut").await;
    let names: Vec<_> = users.stack.stats().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["length", "macro_behaviour::methods::Users::user"]);
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Point {
    x: i32,
}

mod moving {
    use super::{Point, cached};

    impl Point {
        /// What is returned and what is given may be of the type itself, and a method may call itself.
        #[cached(key = (self.x, by.x))]
        pub(super) async fn moved<'a>(&'a self, by: &'a Self) -> Option<Self> {
            match by.x {
                0 => Some(*self),
                x => self.moved(&Self { x: x - 1 }).await.map(|Self { x }| Self { x: x + 1 }),
            }
        }
    }
}

#[tokio::test]
async fn a_method_may_speak_of_its_type() {
    assert_eq!(Point { x: 1 }.moved(&Point { x: 50 }).await, Some(Point { x: 51 }));
    assert_eq!(Point { x: 1 }.moved_get(&Point { x: 20 }).await, Some(Some(Point { x: 21 })));
}
