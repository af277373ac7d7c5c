//! Methods and associated functions.

use cache_core::{CacheKey, CacheValue, Error, Source, Stack, cached, invalidates};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
struct Shop {
    tenant: u32,
    name: String,
}

impl Shop {
    const LIMIT: u32 = 100;

    #[cached(key = (self.tenant, id))]
    async fn by_a_part_of_it(&self, id: u32) -> u32 {
        self.tenant + id
    }

    #[cached(key = (&self.name, word))]
    async fn by_a_borrowed_part(&self, word: &str) -> String {
        format!("{}: {word}", self.name)
    }

    #[cached(skip(self))]
    pub(crate) async fn without_it(&self, word: &str) -> usize {
        word.len()
    }

    #[cached(skip(self))]
    fn synchronous(&self, word: &str) -> usize {
        word.len()
    }

    #[cached(key = (self.tenant, self.name.len()))]
    async fn with_a_lifetime<'a>(&'a self, word: &'a str) -> Result<String, Error> {
        Ok(format!("{}{word}", self.name))
    }

    #[cached(key = (self.tenant, of))]
    async fn generic<T: CacheKey + CacheValue, const N: usize>(&self, of: T) -> (T, usize) {
        (of, N)
    }

    #[cached(key = (self.tenant, n))]
    async fn recursive(&self, n: u32) -> u32 {
        if n == 0 { self.tenant } else { self.recursive(n - 1).await + 1 }
    }

    #[cached]
    async fn associated_by_what_it_says(id: u32) -> u32 {
        id.min(Self::LIMIT)
    }

    #[cached(associated)]
    async fn associated(id: u32) -> u32 {
        id
    }

    #[cached(associated)]
    fn associated_and_synchronous(id: u32) -> u32 {
        id
    }

    #[invalidates(self.by_a_part_of_it(id), Self::associated(id))]
    async fn change(&mut self, id: u32) {
        self.tenant += 0;
    }
}

fn shop(tenant: u32) -> Shop {
    Shop { tenant, name: "nuts".into() }
}

#[tokio::test]
async fn by_a_part_of_the_instance() {
    assert_eq!((shop(1).by_a_part_of_it(7).await, shop(2).by_a_part_of_it(7).await), (8, 9));
    assert_eq!((shop(1).by_a_part_of_it_get(7).await, shop(3).by_a_part_of_it_get(7).await), (Some(8), None));
}

#[tokio::test]
async fn by_a_borrowed_part_of_the_instance() {
    assert_eq!(shop(1).by_a_borrowed_part("a").await, "nuts: a");
    assert_eq!(shop(2).by_a_borrowed_part_get("a").await, Some("nuts: a".into()));
}

#[tokio::test]
async fn without_the_instance() {
    assert_eq!((shop(1).without_it("nut").await, shop(2).without_it_get("nut").await), (3, Some(3)));
}

#[test]
fn without_a_runtime() {
    assert_eq!((shop(1).synchronous("nut"), shop(2).synchronous_get("nut")), (3, Some(3)));
}

#[tokio::test]
async fn with_a_lifetime_of_the_instance() {
    assert_eq!(shop(1).with_a_lifetime("x").await.unwrap(), "nutsx");
    assert_eq!(shop(1).with_a_lifetime_explain("y").await.source, Source::L1);
}

#[tokio::test]
async fn generic_methods() {
    assert_eq!((shop(1).generic::<_, 2>(7_u8).await, shop(1).generic::<_, 3>(7_u8).await), ((7, 2), (7, 3)));
    assert_eq!(shop(1).generic_get::<u8, 2>(7).await, Some((7, 2)));
    assert_eq!(shop(1).generic_get::<u16, 2>(7).await, None);
}

#[tokio::test]
async fn that_call_themselves() {
    assert_eq!((shop(1).recursive(3).await, shop(1).recursive_get(2).await), (4, Some(3)));
}

#[tokio::test]
async fn associated_functions() {
    assert_eq!(
        (Shop::associated_by_what_it_says(700).await, Shop::associated_by_what_it_says_get(700).await),
        (100, Some(100))
    );
    assert_eq!((Shop::associated(7).await, Shop::associated_get(7).await), (7, Some(7)));
    assert_eq!((Shop::associated_and_synchronous(7), Shop::associated_and_synchronous_get(7)), (7, Some(7)));
}

#[tokio::test]
async fn invalidated_by_other_methods() {
    let mut shop = shop(90);
    shop.by_a_part_of_it(9).await;
    Shop::associated(9).await;
    shop.change(9).await;
    assert_eq!((shop.by_a_part_of_it_get(9).await, Shop::associated_get(9).await), (None, None));
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Point {
    x: i32,
}

mod elsewhere {
    use super::{Point, cached};

    impl Point {
        #[cached(key = (self.x, by.x))]
        pub(super) async fn moved(&self, by: &Self) -> Option<Self> {
            Some(Self { x: self.x + by.x })
        }
    }
}

#[tokio::test]
async fn that_take_and_return_the_type() {
    assert_eq!(Point { x: 1 }.moved(&Point { x: 2 }).await, Some(Point { x: 3 }));
    assert_eq!(Point { x: 1 }.moved_get(&Point { x: 2 }).await, Some(Some(Point { x: 3 })));
}

#[derive(Clone)]
struct Repository<'s, T: 'static, const SHARD: usize> {
    name: &'s str,
    rows: Vec<T>,
}

impl<T: CacheValue, const SHARD: usize> Repository<'static, T, SHARD> {
    #[cached(key = (self.name, at))]
    async fn row(&self, at: usize) -> Option<T> {
        self.rows.get(at).cloned()
    }

    #[cached(associated)]
    async fn shard() -> usize {
        SHARD
    }
}

#[tokio::test]
async fn of_a_generic_type() {
    let numbers = Repository::<_, 1> { name: "rows", rows: vec![7] };
    let words = Repository::<_, 1> { name: "rows", rows: vec!["a".to_owned()] };
    assert_eq!(
        (numbers.row(0).await, words.row(0).await, numbers.row_get(0).await),
        (Some(7), Some("a".into()), Some(Some(7)))
    );
}

#[derive(Clone)]
struct App {
    stack: Stack,
}

impl App {
    #[cached(key = id, stack = &self.stack)]
    async fn on_its_stack(&self, id: u32) -> u32 {
        id
    }
}

#[tokio::test]
async fn on_a_stack_of_the_instance() {
    let apps = [App { stack: super::stack().await }, App { stack: super::stack().await }];
    assert_eq!((apps[0].on_its_stack(7).await, apps[0].on_its_stack_get(7).await), (7, Some(7)));
    assert_eq!((apps[1].on_its_stack_get(7).await, apps[0].on_its_stack_stats().loads), (None, 1));
}
