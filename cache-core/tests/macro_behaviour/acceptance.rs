//! The scenarios that a cached function has to stand, each by its number. Those of functions that are not asynchronous are in
//! `synchronous.rs`, and those of errors that are cached in `errors.rs`.

use std::{
    fmt::{self, Display},
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use cache_core::{CacheKey, CacheValue, Error, ErrorKind, Source, Stack, backend::Memory, cached};
use serde::Serialize;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::Runs;

#[derive(Clone, Debug, PartialEq)]
enum DbError {
    Down,
}

/// An error that has a place for the cache's.
#[derive(Clone, Debug)]
enum AppError {
    Db,
    Cache(Error),
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

/// Eight callers of one load, which is held until all have asked.
async fn ask_at_once<F>(call: impl Fn(Arc<Semaphore>) -> F, runs: &Runs) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let gate = Arc::new(Semaphore::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        callers.spawn(call(Arc::clone(&gate)));
    }
    // The runtime has one thread, so when the load runs everyone has asked.
    while runs.count() == 0 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(1);
    callers.join_all().await
}

#[cached(skip(runs, gate))]
async fn torn_once(row: u32, runs: Runs, gate: Arc<Semaphore>) -> Result<u32, AppError> {
    let run = runs.add();
    let _open = gate.acquire().await;
    match row {
        0 => Err(AppError::Db),
        _ if run == 1 => panic!("row {row} is torn"),
        row => Ok(row),
    }
}

#[tokio::test]
async fn a19_a_panic_is_an_error_to_everyone_who_waits_and_leaves_no_trace() {
    let runs = Runs::default();
    for answer in ask_at_once(|gate| torn_once(1, runs.clone(), gate), &runs).await {
        let Err(AppError::Cache(error)) = answer else { panic!("the panic got lost") };
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(error.to_string().contains("row 1 is torn"), "{error}");
    }
    assert_eq!((runs.count(), torn_once::cache().unwrap().in_flight()), (1, 0));
    let open = || Arc::new(Semaphore::new(1));
    assert_eq!(torn_once(1, runs.clone(), open()).await.unwrap(), 1);
    assert!(matches!(torn_once(0, runs.clone(), open()).await, Err(AppError::Db)));
    assert_eq!((runs.count(), torn_once::cache().unwrap().in_flight()), (3, 0));
}

#[cached(skip(runs))]
async fn panics_once(id: u32, runs: Runs) -> u32 {
    assert!(runs.add() > 1, "row {id} is torn");
    id
}

#[tokio::test]
async fn a19_a_panic_without_a_place_for_it_goes_to_the_caller_and_the_next_call_loads() {
    let runs = Runs::default();
    let panic = tokio::spawn(panics_once(1, runs.clone())).await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().expect("a formatted message");
    assert!(message.contains("row 1 is torn"), "{message}");
    assert_eq!(panics_once(1, runs.clone()).await, 1);
    assert_eq!(panics_once::cache().unwrap().in_flight(), 0);
}

#[cached(skip(runs, gate))]
async fn failing(id: u32, runs: Runs, gate: Arc<Semaphore>) -> Result<u32, DbError> {
    let _ = id;
    runs.add();
    let _open = gate.acquire().await;
    Err(DbError::Down)
}

#[tokio::test]
async fn a20_everyone_who_waited_is_given_the_typed_error_of_one_load() {
    let runs = Runs::default();
    let answers = ask_at_once(|gate| failing(1, runs.clone(), gate), &runs).await;
    assert_eq!(answers, vec![Err(DbError::Down); 8]);
    assert_eq!((runs.count(), failing::get(1, runs.clone(), Arc::new(Semaphore::new(0))).await), (1, None));
}

#[cached]
async fn endless(id: u32) -> Result<u32, Error> {
    endless(id).await
}

#[cached]
async fn endless_value(id: u32) -> u32 {
    endless_value(id).await
}

#[tokio::test]
async fn a21_a_function_that_waits_for_itself_is_told_so() {
    let answer = timeout(Duration::from_secs(20), endless(1)).await.expect("no deadlock");
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Reentrant);
    let call = timeout(Duration::from_secs(20), tokio::spawn(endless_value(1))).await.expect("no deadlock");
    assert!(call.unwrap_err().is_panic());
}

/// It and another one ask each other.
#[cached]
async fn there(id: u32) -> Result<u32, Error> {
    Box::pin(back(id)).await
}

#[cached]
async fn back(id: u32) -> Result<u32, Error> {
    there(id).await
}

#[tokio::test]
async fn a21_functions_that_wait_for_each_other_are_told_so() {
    let answer = timeout(Duration::from_secs(20), there(1)).await.expect("no deadlock");
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Reentrant);
}

#[cached(cache = "pair", stack = stack, skip(stack, runs))]
async fn pair(a: &str, b: &str, stack: &Stack, runs: &Runs) -> String {
    runs.add();
    format!("{a}|{b}")
}

const PAIRS: [(&str, &str); 17] = [
    ("a", "bc"),
    ("ab", "c"),
    ("a:b", "c"),
    ("a", "b:c"),
    ("a,b", ""),
    ("a", ",b"),
    ("", "a,b"),
    ("{a}", "b"),
    ("a", "{b}"),
    ("a\0", "b"),
    ("a", "\0b"),
    ("\"a\",\"b\"", ""),
    ("\"a\"", "\"b\""),
    ("žluťoučký", "kůň"),
    ("žluťoučkýk", "ůň"),
    ("🦀", "é"),
    ("🦀", "e\u{301}"),
];

/// In both tiers: another process finds in the shared store what this one put there, and nothing else.
#[tokio::test]
async fn a35_arguments_keep_their_boundaries() {
    let (store, runs) = (Memory::new(), Runs::default());
    let here = Stack::builder("test").l2(store.clone()).build().await.unwrap();
    let there = Stack::builder("test").l2(store).build().await.unwrap();
    for stack in [&here, &here, &there] {
        for (a, b) in PAIRS {
            assert_eq!(pair(a, b, stack, &runs).await, format!("{a}|{b}"));
        }
    }
    assert_eq!(runs.count(), u32::try_from(PAIRS.len()).unwrap());
}

#[cached(skip(runs))]
async fn optional(name: Option<String>, runs: Runs) -> u32 {
    drop(name);
    runs.add()
}

#[tokio::test]
async fn a35_nothing_is_not_the_empty_text() {
    let runs = Runs::default();
    assert_eq!(optional(None, runs.clone()).await, 1);
    assert_eq!(optional(Some(String::new()), runs.clone()).await, 2);
    assert_eq!(optional(None, runs.clone()).await, 1);
}

#[cached(skip(runs))]
async fn long(text: &str, runs: &Runs) -> u32 {
    let _ = text;
    runs.add()
}

#[tokio::test]
async fn a35_long_arguments_are_told_apart_by_their_last_character() {
    let runs = Runs::default();
    let text = "x".repeat(100_000);
    assert_eq!(long(&format!("{text}a"), &runs).await, 1);
    assert_eq!(long(&format!("{text}b"), &runs).await, 2);
    assert_eq!(long(&format!("{text}a"), &runs).await, 1);
}

/// All of them have one hash.
#[derive(Clone, PartialEq, Eq, Serialize)]
struct Colliding(u32);

impl Hash for Colliding {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[cached(skip(runs))]
async fn collide(key: Colliding, runs: &Runs) -> u32 {
    runs.add();
    key.0
}

#[tokio::test]
async fn a35_a_hash_is_never_trusted_alone() {
    let runs = Runs::default();
    for id in (0..20).chain(0..20) {
        assert_eq!(collide(Colliding(id), &runs).await, id);
    }
    assert_eq!(collide::get(Colliding(20), &runs).await, None);
}

mod one {
    #[super::cached]
    pub(super) async fn place(id: u32) -> String {
        format!("one {id}")
    }
}

mod other {
    #[super::cached]
    pub(super) async fn place(id: u32) -> String {
        format!("other {id}")
    }
}

#[tokio::test]
async fn a36_functions_of_one_name_in_two_modules_are_two_caches() {
    for _ in 0..2 {
        assert_eq!(one::place(1).await, "one 1");
        assert_eq!(other::place(1).await, "other 1");
    }
}

#[cached(cache = "price", version = 1, stack = stack, skip(stack))]
async fn price_in_cents(id: u32, stack: &Stack) -> u32 {
    id * 100
}

#[cached(cache = "price", version = 2, stack = stack, skip(stack))]
async fn price_as_text(id: u32, stack: &Stack) -> String {
    format!("{id}.00")
}

#[tokio::test]
async fn a36_versions_of_a_program_share_a_store_and_an_invalidation_but_not_a_schema() {
    let store = Memory::new();
    let old = Stack::builder("test").l2(store.clone()).build().await.unwrap();
    let new = Stack::builder("test").l2(store).build().await.unwrap();
    assert_eq!(price_in_cents(3, &old).await, 300);
    assert_eq!(price_as_text(3, &new).await, "3.00");
    assert_eq!(price_in_cents(3, &old).await, 300);
    price_in_cents::invalidate(3, &old).await.unwrap();
    while price_as_text::get(3, &new).await.is_some() {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cached(cache = "secret", stack = stack, skip(stack))]
async fn reveal(secret: Secret, stack: &Stack) -> String {
    secret.0
}

#[tokio::test]
async fn a37_arguments_whose_debug_output_is_redacted_are_told_apart() {
    let store = Memory::new();
    for _ in 0..2 {
        let stack = Stack::builder("test").l2(store.clone()).build().await.unwrap();
        for secret in ["a", "b", "[redacted]"] {
            assert_eq!(reveal(Secret(secret.into()), &stack).await, secret);
        }
    }
}

/// All at once: each of them alone is in `macro_shapes`.
#[derive(Clone)]
pub(crate) struct Shelf<T, const N: usize> {
    rows: [T; N],
    runs: Runs,
}

impl<T: CacheKey + CacheValue, const N: usize> Shelf<T, N>
where
    [T; N]: Clone,
{
    /// Documented.
    #[cached(key = (self.rows.first().cloned(), label.to_string(), word.len()), tags = ["word:{word}"])]
    #[cfg(not(any()))]
    #[must_use]
    pub(crate) async fn row<'a, U>(
        &'a self,
        word: &'a str,
        label: impl Display + Clone + Send + Sync + 'static,
    ) -> (Option<T>, U)
    where
        U: CacheValue + From<u8>,
    {
        self.runs.add();
        (self.rows.get(word.len()).cloned(), U::from(7))
    }
}

#[async_trait]
trait Shelved: Send + Sync {
    async fn width(&self, unit: &str) -> Result<usize, Error>;
}

#[cached]
#[async_trait]
impl<T: CacheKey + CacheValue, const N: usize> Shelved for Shelf<T, N> {
    #[cached(key = (self.rows.first().cloned(), unit))]
    async fn width(&self, unit: &str) -> Result<usize, Error> {
        self.runs.add();
        Ok(N * unit.len())
    }
}

#[tokio::test]
async fn a38_whatever_a_function_may_be_it_is_cached() {
    let (runs, more_runs) = (Runs::default(), Runs::default());
    let numbers = Shelf { rows: [1_u64, 2], runs: runs.clone() };
    let words = Shelf { rows: [String::from("a")], runs: more_runs.clone() };
    for _ in 0..2 {
        assert_eq!(numbers.row::<u32>("x", 'l').await, (Some(2), 7_u32));
        assert_eq!(numbers.row::<u64>("x", "l").await, (Some(2), 7_u64));
        assert_eq!(words.row::<u32>("x", 'l').await, (None, 7_u32));
        let shelves: [&dyn Shelved; 2] = [&numbers, &words];
        assert_eq!((shelves[0].width("mm").await.unwrap(), shelves[1].width("mm").await.unwrap()), (4, 2));
    }
    assert_eq!((runs.count(), more_runs.count()), (3, 2));
    numbers.row_invalidate::<u32>("x", 'l').await.unwrap();
    assert_eq!(numbers.row_get::<u32>("x", 'l').await, None);
    assert_eq!(numbers.row_get::<u64>("x", 'l').await, Some((Some(2), 7)));
}

type Fallible<T> = Result<T, DbError>;
type Maybe = Option<u32>;

#[cached(skip(runs))]
async fn aliased(id: u32, runs: Runs) -> Fallible<Maybe> {
    match runs.add() {
        1 => Err(DbError::Down),
        run => Ok((id > 0).then_some(run)),
    }
}

#[tokio::test]
async fn a39_an_error_behind_an_alias_is_not_cached() {
    let runs = Runs::default();
    assert_eq!(aliased(1, runs.clone()).await, Err(DbError::Down));
    assert_eq!(aliased(1, runs.clone()).await, Ok(Some(2)));
    assert_eq!(aliased(1, runs.clone()).await, Ok(Some(2)));
}

#[tokio::test]
async fn a39_nothing_is_a_value() {
    let runs = Runs::default();
    runs.add();
    assert_eq!(aliased(0, runs.clone()).await, Ok(None));
    assert_eq!(aliased(0, runs.clone()).await, Ok(None));
    assert_eq!(runs.count(), 2);
}

/// A `Result` by name alone: all of it is the value.
mod own {
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) enum Outcome {
        Err(u32),
    }
    pub(super) use Outcome::Err;
}

#[cached(skip(runs))]
async fn lookalike(runs: Runs) -> own::Outcome {
    own::Err(runs.add())
}

#[tokio::test]
async fn a39_what_is_called_an_error_and_is_none_is_cached() {
    let runs = Runs::default();
    for _ in 0..2 {
        assert_eq!(lookalike(runs.clone()).await, own::Outcome::Err(1));
    }
    assert_eq!(lookalike::explain(runs).await.source, Source::L1);
}
