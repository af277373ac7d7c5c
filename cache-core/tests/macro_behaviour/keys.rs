//! What tells entries of one function apart.

use std::hash::{Hash, Hasher};

use cache_core::{Source, cached};
use serde::Serialize;

use super::Runs;

#[cached(key = (tenant, id % 10))]
async fn by_last_digit(tenant: u32, id: u64, runs: Runs) -> u32 {
    runs.add()
}

#[tokio::test]
async fn a_given_key_is_the_whole_key() {
    let runs = Runs::default();
    assert_eq!(by_last_digit(1, 17, runs.clone()).await, 1);
    assert_eq!(by_last_digit(1, 27, runs.clone()).await, 1);
    assert_eq!(by_last_digit(2, 27, runs.clone()).await, 2);
    assert_eq!(by_last_digit(1, 28, runs.clone()).await, 3);
}

/// Neither copied nor compared.
struct Request {
    id: u64,
    payload: Vec<u8>,
}

#[cached(key = request.id)]
async fn handled(request: Request) -> Vec<u8> {
    request.payload
}

#[tokio::test]
async fn a_given_key_asks_nothing_of_the_arguments() {
    let request = |payload| Request { id: 1, payload };
    assert_eq!(handled(request(vec![1])).await, [1]);
    assert_eq!(handled(request(vec![2])).await, [1]);
}

#[cached(skip(runs))]
async fn without_key(runs: Runs) -> u32 {
    runs.add()
}

#[tokio::test]
async fn a_function_without_key_has_one_entry() {
    let runs = Runs::default();
    assert_eq!(without_key(runs.clone()).await, 1);
    assert_eq!(without_key(runs.clone()).await, 1);
}

#[cached(tags = ["row:{row}"], skip(_trace))]
async fn patterns((row, column): (u32, u32), [first, ..]: [u8; 3], mut id: u64, _unused: &[u8], _trace: ()) -> u64 {
    id += u64::from(row * 100 + column * 10 + u32::from(first));
    id
}

#[tokio::test]
async fn arguments_may_be_taken_apart() {
    assert_eq!(patterns((1, 2), [3, 4, 5], 1000, b"a", ()).await, 1123);
    assert_eq!(patterns((1, 2), [3, 4, 6], 1000, b"a", ()).await, 1123);
    assert_eq!(patterns::explain((1, 2), [3, 4, 6], 1000, b"a", ()).await.source, Source::L1);
    assert_eq!(patterns::explain((1, 2), [3, 4, 6], 1000, b"b", ()).await.source, Source::Loaded);
}

/// Counts how often it was copied.
#[derive(PartialEq, Eq, Hash, Serialize)]
struct Costly {
    id: u32,
    #[serde(skip)]
    copies: Copies,
}

#[derive(Default)]
struct Copies(Runs);

impl PartialEq for Copies {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Copies {}

impl Hash for Copies {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Clone for Costly {
    fn clone(&self) -> Self {
        self.copies.0.add();
        Self { id: self.id, copies: Copies(self.copies.0.clone()) }
    }
}

#[cached]
async fn costly(owned: Costly, borrowed: &Costly) -> u32 {
    owned.id + borrowed.id
}

#[tokio::test]
async fn a_hit_copies_no_argument() {
    let copies = Runs::default();
    let argument = |id| Costly { id, copies: Copies(copies.clone()) };
    assert_eq!(costly(argument(1), &argument(2)).await, 3);
    let for_the_load = copies.count();
    for _ in 0..3 {
        assert_eq!(costly(argument(1), &argument(2)).await, 3);
    }
    assert_eq!(copies.count(), for_the_load);
}

#[cached(key = (tenant, name, tag.len()))]
async fn by_parts(tenant: u32, name: &str, tag: String, runs: &Runs) -> u32 {
    runs.add()
}

#[cached(key = owned)]
async fn by_argument(owned: String, runs: &Runs) -> (String, u32) {
    (owned, runs.add())
}

#[cached(key = (row, "fixed"), tags = ["column:{column}"])]
async fn by_a_part((row, column): (String, u32), runs: &Runs) -> u32 {
    runs.add()
}

#[cached(key = &*format!("{id:08}"))]
async fn by_a_borrowed_form(id: u32, runs: &Runs) -> u32 {
    runs.add()
}

#[derive(Clone)]
struct Tenant {
    name: String,
    runs: Runs,
}

impl Tenant {
    #[cached(key = (&self.name, id))]
    async fn user(&self, id: u32) -> u32 {
        self.runs.add() + id
    }

    #[cached(key = &self.name[..1])]
    fn initial(&self) -> u32 {
        self.runs.add()
    }
}

#[tokio::test]
async fn a_given_key_borrows_what_it_names() {
    let runs = Runs::default();
    for (name, tag, run) in [("a", "x", 1), ("a", "y", 1), ("b", "y", 2), ("b", "long", 3)] {
        assert_eq!(by_parts(7, name, tag.into(), &runs).await, run);
    }
    for _ in 0..2 {
        assert_eq!(by_argument("ada".into(), &runs).await, ("ada".into(), 4));
        assert_eq!(by_a_part(("r".into(), runs.count()), &runs).await, 5);
        assert_eq!(by_a_borrowed_form(7, &runs).await, 6);
    }
    let (ada, alan) = ["ada", "alan"].map(|name| Tenant { name: name.into(), runs: Runs::default() }).into();
    for _ in 0..2 {
        assert_eq!((ada.user(10).await, alan.user(10).await), (11, 11));
    }
    assert_eq!((ada.initial(), alan.initial(), ada.user_get(10).await), (2, 2, Some(11)));
}
