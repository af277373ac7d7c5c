//! Generic functions, and methods of generic types: each instance has a cache of its own.

use std::{collections::BTreeSet, fmt::Display, hash::Hash, time::Duration};

use cache_core::{Error, ErrorKind, Source, Stack, cached, invalidates};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Runs, stack};

trait Table: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    const NAME: &'static str;
    const TTL: Duration = Duration::from_secs(60);
    type Id: Clone + Eq + Hash + Serialize + Display + Send + Sync;

    fn row(id: &Self::Id) -> Self;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User(String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Plan(u64);

impl Table for User {
    const NAME: &'static str = "user";
    type Id = String;

    fn row(id: &String) -> Self {
        Self(id.clone())
    }
}

impl Table for Plan {
    const NAME: &'static str = "plan";
    type Id = u32;

    fn row(id: &u32) -> Self {
        Self(u64::from(*id))
    }
}

#[cached(cache = T::NAME, ttl = T::TTL, tags = ["{id}"], stack = stack, skip(stack))]
async fn row<T: Table>(id: &T::Id, stack: &Stack) -> Result<T, Error> {
    Ok(T::row(id))
}

#[tokio::test]
async fn each_type_has_a_cache_of_the_name_that_it_gives() {
    let stack = stack().await;
    for _ in 0..2 {
        assert_eq!(row::<User>(&"ada".into(), &stack).await.unwrap(), User("ada".into()));
        assert_eq!(row::<Plan>(&7, &stack).await.unwrap(), Plan(7));
    }
    let names: BTreeSet<_> = stack.stats().into_iter().map(|(name, stats)| (name, stats.loads)).collect();
    assert_eq!(names, BTreeSet::from([("plan".into(), 1), ("user".into(), 1)]));
}

#[tokio::test]
async fn companions_of_a_generic_function_are_generic_too() {
    let stack = stack().await;
    assert_eq!(row::get::<Plan>(&7, &stack).await, None);
    row::insert(&7, &stack, Plan(70)).await.unwrap();
    assert_eq!(row::<Plan>(&7, &stack).await.unwrap(), Plan(70));
    assert_eq!(row::uncached::<Plan>(&7, &stack).await.unwrap(), Plan(7));
    assert_eq!(row::refresh::<Plan>(&7, &stack).await.unwrap(), Plan(7));
    assert_eq!(row::explain::<Plan>(&7, &stack).await.source, Source::L1);
    row::expire::<Plan>(&7, &stack).await.unwrap();
    row::invalidate::<Plan>(&7, &stack).await.unwrap();
    row::write::<Plan, _>(&7, &stack, async {}).await.unwrap();
    assert_eq!(row::get::<Plan>(&7, &stack).await, None);
    assert_eq!(row::warm::<Plan>([(8, stack.clone()), (9, stack.clone())]).await.unwrap().warmed, 2);
    assert_eq!(row::key::<User>(&"ada".into(), &stack), "ada");
    assert_eq!(row::stats::<Plan>(&stack), row::cache::<Plan>(&stack).unwrap().stats());
}

#[invalidates(row::<T>(&id, stack))]
async fn change<T: Table>(id: T::Id, stack: &Stack) {}

#[tokio::test]
async fn an_instance_can_be_invalidated_by_a_function_that_is_generic_itself() {
    let stack = stack().await;
    row::<Plan>(&7, &stack).await.unwrap();
    change::<Plan>(7, &stack).await;
    assert_eq!(row::get::<Plan>(&7, &stack).await, None);
}

#[cached(stack = stack, skip(stack, runs))]
async fn count<T: Send + 'static, const N: usize, const B: bool>(stack: &Stack, runs: &Runs) -> (usize, u32) {
    (N, runs.add())
}

#[tokio::test]
async fn what_nothing_but_a_parameter_tells_apart_is_apart() {
    let (stack, runs) = (stack().await, Runs::default());
    for _ in 0..2 {
        assert_eq!(count::<u8, 1, true>(&stack, &runs).await, (1, 1));
        assert_eq!(count::<u8, 2, true>(&stack, &runs).await, (2, 2));
        assert_eq!(count::<u8, 2, false>(&stack, &runs).await, (2, 3));
        assert_eq!(count::<u16, 2, true>(&stack, &runs).await, (2, 4));
    }
    let first = stack.stats().into_iter().map(|(name, _)| name).min().unwrap();
    assert_eq!(first, "macro_behaviour::generics::count<u16, 2, true>");
}

#[cached(cache = "sum", stack = stack, skip(stack))]
async fn sum<'a, T, const N: usize>(start: T, numbers: &'a [T; N], stack: &'a Stack) -> T
where
    T: Copy + std::ops::Add<Output = T> + Eq + Hash + Serialize + DeserializeOwned + Send + Sync + 'static,
    [T; N]: Clone + Eq + Hash + Serialize,
{
    numbers.iter().fold(start, |sum, number| sum + *number)
}

#[tokio::test]
async fn keys_may_depend_on_parameters_and_a_given_name_is_completed() {
    let stack = stack().await;
    assert_eq!(sum(1_u8, &[2, 3], &stack).await, 6);
    assert_eq!(sum(1_u64, &[2, 3, 4], &stack).await, 10);
    assert_eq!(sum::get(1_u64, &[2, 3, 4], &stack).await, Some(10));
    let names: BTreeSet<_> = stack.stats().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(["sum<u64, 3>".into(), "sum<u8, 2>".into()]));
}

#[cached(cache = "all the same")]
async fn same<T: Send + 'static>() -> u8 {
    1
}

#[cached(cache = String::from("one name for all"))]
async fn nameless<T: Send + 'static>() -> Result<u8, Error> {
    Ok(1)
}

#[tokio::test]
async fn instances_that_their_name_does_not_tell_apart_share_nothing() {
    assert_eq!((same::<u8>().await, same::<u16>().await), (1, 1));
    assert_eq!(nameless::<u8>().await.unwrap(), 1);
    let error = nameless::<u16>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("two instances"), "{error}");
}

#[cached(key = name.as_ref().to_owned(), tags = [name.as_ref()], stack = stack)]
async fn length(name: impl AsRef<str> + Clone + Send + Sync + 'static, stack: &Stack) -> usize {
    name.as_ref().len()
}

#[cached(skip(visit, stack), stack = stack)]
async fn visited(id: u32, visit: impl Fn(u32) -> u32 + Send + 'static, stack: &Stack) -> u32 {
    visit(id)
}

#[cached(key = names.iter().map(|name| name.to_string()).collect::<Vec<_>>())]
async fn joined(names: &[impl Display + Clone + Send + Sync + 'static]) -> String {
    names.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn arguments_of_any_type_share_the_entries_of_their_key() {
    let stack = stack().await;
    assert_eq!(length("nut", &stack).await, 3);
    assert_eq!(length::explain(String::from("nut"), &stack).await.source, Source::L1);
    length::invalidate(Box::<str>::from("nut"), &stack).await.unwrap();
    assert_eq!(length::get("nut", &stack).await, None);
    assert_eq!(length::warm([("nut", stack.clone())]).await.unwrap().warmed, 1);
    let two = 2;
    assert_eq!(visited(3, move |id| id * two, &stack).await, 6);
    assert_eq!(visited(3, |_| 0, &stack).await, 6);
    assert_eq!(joined(&[1, 2]).await, "12");
    assert_eq!(joined::get(&["1", "2"]).await, Some("12".into()));
    assert_eq!(joined::warm([vec!['a']]).await.unwrap().warmed, 1);
}

#[cached(key = id.clone())]
async fn of_two_types(id: impl Clone + Eq + Hash + Serialize + Send + Sync + 'static) -> Result<u8, Error> {
    Ok(1)
}

#[tokio::test]
async fn a_key_that_changes_its_type_is_an_error() {
    assert_eq!(of_two_types(1_u8).await.unwrap(), 1);
    assert_eq!(of_two_types("1").await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(of_two_types(1_u8).await.unwrap(), 1);
}

#[derive(Clone)]
struct Repository<T, const SHARD: usize> {
    rows: Vec<T>,
    stack: Stack,
}

impl<T: Table, const SHARD: usize> Repository<T, SHARD> {
    async fn of(rows: Vec<T>) -> Self {
        Self { rows, stack: stack().await }
    }

    #[cached(key = at, stack = &self.stack)]
    async fn row(&self, at: usize) -> Option<T> {
        self.rows.get(at).cloned()
    }

    #[cached(cache = "shard", skip(self), stack = self.stack)]
    async fn shard(&self) -> usize {
        SHARD
    }

    #[cached]
    async fn kind(shard: u8) -> String {
        format!("{}{SHARD}{shard}{}", T::NAME, std::any::type_name::<Self>().len() / 1000)
    }

    #[invalidates(self.row(at))]
    async fn change(&self, at: usize) {}
}

#[tokio::test]
async fn a_method_of_a_generic_type_has_a_cache_for_each_type() {
    let users = Repository::<User, 1>::of(vec![User("ada".into())]).await;
    let stack = users.stack.clone();
    let plans = Repository::<Plan, 2> { rows: vec![Plan(7)], stack: stack.clone() };
    for _ in 0..2 {
        assert_eq!(users.row(0).await, Some(User("ada".into())));
        assert_eq!(plans.row(0).await, Some(Plan(7)));
        assert_eq!((users.shard().await, plans.shard().await), (1, 2));
    }
    assert_eq!(plans.row_stats().loads, 1);
    plans.change(0).await;
    assert_eq!((plans.row_get(0).await, users.row_get(0).await), (None, Some(Some(User("ada".into())))));
    let names: Vec<_> = stack.stats().into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().any(|name| name == "shard<macro_behaviour::generics::User, 1>"), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("generics::Plan, 2>::row")), "{names:?}");
}

#[tokio::test]
async fn an_associated_function_is_of_its_type() {
    for _ in 0..2 {
        assert_eq!(Repository::<User, 1>::kind(1).await, "user110");
        assert_eq!(Repository::<Plan, 1>::kind(1).await, "plan110");
    }
    Repository::<User, 1>::kind_invalidate(1).await.unwrap();
    assert_eq!(Repository::<User, 1>::kind_get(1).await, None);
    assert_eq!(Repository::<Plan, 1>::kind_get(1).await, Some("plan110".into()));
}
