//! Functions that make others obsolete.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_core::{Error, ErrorKind, Source, Stack, backend::Memory, cached, invalidates};
use tokio::sync::Notify;

use super::stack;

/// Where names are kept.
#[derive(Clone)]
struct Db {
    names: Arc<Mutex<BTreeMap<u32, String>>>,
    stack: Stack,
}

impl Db {
    async fn new() -> Self {
        Self::on(stack().await)
    }

    fn on(stack: Stack) -> Self {
        Self { names: Arc::default(), stack }
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<u32, String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, id: u32, name: &str) {
        self.names().insert(id, name.to_owned());
    }
}

#[cached(cache = "name", tags = ["org:{org}"], stack = &db.stack, skip(db))]
async fn name(org: u32, id: u32, db: &Db) -> Result<String, Error> {
    Ok(db.names().get(&id).cloned().unwrap_or_default())
}

#[cached(cache = "length", stack = &db.stack, skip(db))]
async fn length(id: u32, db: &Db) -> usize {
    db.names().get(&id).map_or(0, String::len)
}

#[invalidates(name(org, id, db), length(id, db))]
async fn rename(org: u32, id: u32, to: String, db: &Db) {
    db.set(id, &to);
    drop(to);
}

#[tokio::test]
async fn entries_are_revoked_when_the_work_is_done() {
    let db = Db::new().await;
    rename(7, 1, "Ada".into(), &db).await;
    assert_eq!((name(7, 1, &db).await.unwrap(), length(1, &db).await), ("Ada".into(), 3));
    name(7, 2, &db).await.unwrap();
    rename(7, 1, "Grace".into(), &db).await;
    assert_eq!((name(7, 1, &db).await.unwrap(), length(1, &db).await), ("Grace".into(), 5));
    assert_eq!(name::explain(7, 2, &db).await.source, Source::L1);
}

#[invalidates(name(7, id, db))]
async fn rename_if(allowed: bool, id: u32, db: &Db) -> Result<(), String> {
    db.set(id, "Ada");
    if !allowed {
        return Err("not allowed".into());
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_revoked_after_an_error() {
    let db = Db::new().await;
    name(7, 1, &db).await.unwrap();
    rename_if(false, 1, &db).await.unwrap_err();
    assert_eq!(name(7, 1, &db).await.unwrap(), "");
    rename_if(true, 1, &db).await.unwrap();
    assert_eq!(name(7, 1, &db).await.unwrap(), "Ada");
    assert_eq!(db.stack.stats()[0].1.invalidations, 1);
}

#[invalidates(name(7, id, db), before)]
async fn rename_and_fail(id: u32, db: &Db) -> Result<(), String> {
    assert_eq!(name::get(7, id, db).await, None);
    drop(name(7, id, db).await);
    db.set(id, "Ada");
    Err("half-way".into())
}

#[tokio::test]
async fn before_revokes_before_and_after_whatever_comes_of_it() {
    let db = Db::new().await;
    name(7, 1, &db).await.unwrap();
    rename_and_fail(1, &db).await.unwrap_err();
    assert_eq!(name(7, 1, &db).await.unwrap(), "Ada");
}

#[invalidates(tags = ["org:{org}", format!("all")], stack = db.stack)]
async fn dissolve(org: u32, db: &Db) -> usize {
    db.names().clear();
    usize::try_from(org).unwrap_or(0)
}

/// Tags without a stack are those of the functions that are named.
#[invalidates(length(0, db), tags = ["org:{org}"])]
async fn dissolve_too(Db { names: other, .. }: &Db, org: u32, db: &Db) {
    assert!(Arc::ptr_eq(other, &db.names));
    db.names().clear();
}

#[tokio::test]
async fn tags_are_revoked_with_them() {
    let db = Db::new().await;
    for round in 0..2 {
        db.set(1, "Ada");
        assert_eq!(name(7, 1, &db).await.unwrap(), "Ada");
        match round {
            0 => assert_eq!(dissolve(7, &db).await, 7),
            _ => dissolve_too(&db, 7, &db).await,
        }
        assert_eq!(name(7, 1, &db).await.unwrap(), "");
        db.stack.invalidate_all().await.unwrap();
    }
}

#[invalidates(name(7, id, db))]
async fn rename_slowly(id: u32, db: &Db, begun: &Notify, panics: bool) {
    db.set(id, "Ada");
    begun.notify_one();
    assert!(!panics, "half-way");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_nothing_stale() {
    let (db, begun) = (Db::new().await, Notify::new());
    name(7, 1, &db).await.unwrap();
    tokio::select! {
        () = rename_slowly(1, &db, &begun, false) => unreachable!("it never ends"),
        () = begun.notified() => {}
    }
    assert_eq!(name(7, 1, &db).await.unwrap(), "Ada");
}

#[tokio::test]
async fn a_body_that_panics_leaves_nothing_stale() {
    let db = Db::new().await;
    name(7, 1, &db).await.unwrap();
    let work = db.clone();
    tokio::spawn(async move { rename_slowly(1, &work, &Notify::new(), true).await }).await.unwrap_err();
    assert_eq!(name(7, 1, &db).await.unwrap(), "Ada");
}

#[invalidates(name(7, id, &db), guarded)]
async fn rename_guarded(id: u32, to: String, db: Db, begun: Arc<Notify>, go: Arc<Notify>) -> Result<usize, Error> {
    begun.notify_one();
    go.notified().await;
    db.set(id, &to);
    Ok(to.len())
}

#[tokio::test]
async fn nothing_is_cached_under_a_guard() {
    let db = Db::on(Stack::builder("test").l2(Memory::new()).build().await.unwrap());
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    name(7, 1, &db).await.unwrap();
    let writing = tokio::spawn(rename_guarded(1, "Ada".into(), db.clone(), Arc::clone(&begun), Arc::clone(&go)));
    begun.notified().await;
    for _ in 0..2 {
        assert_eq!(name::explain(7, 1, &db).await.source, Source::Loaded);
    }
    go.notify_one();
    assert_eq!(writing.await.unwrap().unwrap(), 3);
    assert_eq!(name(7, 1, &db).await.unwrap(), "Ada");
}

#[tokio::test]
async fn without_a_guard_the_body_is_not_run() {
    let db = Db::on(Stack::builder("test").l2(Memory::new()).build().await.unwrap());
    db.stack.shutdown().await.unwrap();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let error = rename_guarded(1, "Ada".into(), db.clone(), begun, go).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(db.names().is_empty());
}

#[tokio::test]
async fn a_write_goes_with_the_function() {
    let db = Db::new().await;
    name(7, 1, &db).await.unwrap();
    let work = db.clone();
    let old = name::write(7, 1, &db, async move { work.names().insert(1, "Ada".into()) }).await.unwrap();
    assert_eq!(old, None);
    assert_eq!(name(7, 1, &db).await.unwrap(), "Ada");
}

trait Names {
    async fn put<T: ToString>(
        &mut self,
        id: u32,
        name: T,
    ) -> Result<Box<dyn std::fmt::Display>, std::num::ParseIntError>;
}

/// On a method of a trait, generic, with a body that needs to know what it returns.
impl Names for Db {
    #[invalidates(name(7, id, self), length(id, &self.clone()))]
    async fn put<T: ToString>(
        &mut self,
        id: u32,
        name: T,
    ) -> Result<Box<dyn std::fmt::Display>, std::num::ParseIntError> {
        let number = "7".parse::<u32>()?;
        self.set(id, &name.to_string());
        if number > 7 {
            return Ok(Box::new("many"));
        }
        Ok(Box::new(number))
    }
}

impl Db {
    /// What is returned may have no name, and may borrow.
    #[invalidates(name(7, *id, self))]
    async fn touch<'a>(&self, id: &'a u32) -> impl Iterator<Item = &'a u32> + use<'a> {
        self.set(*id, "touched");
        std::iter::once(id)
    }

    #[invalidates(name(7, id, &self), length(id, &self))]
    async fn take(self, id: u32) -> Option<String> {
        self.names().remove(&id)
    }
}

#[tokio::test]
async fn methods_of_all_kinds_may_change_things() {
    let mut db = Db::new().await;
    assert_eq!((name(7, 1, &db).await.unwrap(), length(1, &db).await), (String::new(), 0));
    assert_eq!(db.put(1, "Ada").await.unwrap().to_string(), "7");
    assert_eq!((name(7, 1, &db).await.unwrap(), length(1, &db).await), ("Ada".into(), 3));
    assert_eq!(db.touch(&1).await.count(), 1);
    assert_eq!(name(7, 1, &db).await.unwrap(), "touched");
    assert_eq!(db.clone().take(1).await.as_deref(), Some("touched"));
    assert_eq!((name(7, 1, &db).await.unwrap(), length(1, &db).await), (String::new(), 0));
}

mod elsewhere {
    pub(super) use super::name as renamed;
}

macro_rules! change {
    ($change:ident, $of:path, $id:expr) => {
        #[invalidates($of(7, $id, db))]
        async fn $change(db: &Db) {
            db.set($id, stringify!($change));
        }
    };
}

change!(from_a_macro, elsewhere::renamed, 1);

#[tokio::test]
async fn functions_are_named_by_any_path() {
    let db = Db::new().await;
    name(7, 1, &db).await.unwrap();
    from_a_macro(&db).await;
    assert_eq!(name(7, 1, &db).await.unwrap(), "from_a_macro");
}

#[cached(cache = "rank", stale_while_revalidate = "1h", stack = &db.stack, skip(db))]
async fn rank(id: u32, db: &Db) -> String {
    db.names().get(&id).cloned().unwrap_or_default()
}

#[invalidates(rank(id, db), expire)]
async fn promote(id: u32, db: &Db, begun: &Notify, fails: bool) -> Result<(), String> {
    db.set(id, "general");
    begun.notify_one();
    if fails { std::future::pending().await } else { Ok(()) }
}

#[tokio::test]
async fn an_expired_entry_may_still_be_served() {
    let db = Db::new().await;
    rank(1, &db).await;
    promote(1, &db, &Notify::new(), false).await.unwrap();
    let answer = rank::explain(1, &db).await;
    assert_eq!((answer.value.as_str(), answer.source), ("", Source::Stale));
    while rank(1, &db).await != "general" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_entry_is_expired_also_if_the_caller_goes_away() {
    let (db, begun) = (Db::new().await, Notify::new());
    rank(1, &db).await;
    tokio::select! {
        _ = promote(1, &db, &begun, true) => unreachable!("it never ends"),
        () = begun.notified() => {}
    }
    while rank::explain(1, &db).await.source == Source::L1 {
        tokio::task::yield_now().await;
    }
}

const LAG: Duration = Duration::from_secs(10);

#[invalidates(name(7, id, db), tags = ["org:{org}"], hold_off = LAG)]
async fn rename_at_the_primary(org: u32, id: u32, db: &Db) {
    db.set(id, "Ada");
}

#[invalidates(length(id, db), hold_off = "10s")]
async fn rename_unfinished(id: u32, db: &Db, begun: &Notify) {
    db.set(id, "Ada");
    begun.notify_one();
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_cached_while_a_replica_may_lag() {
    let db = Db::on(Stack::builder("test").l2(Memory::new()).build().await.unwrap());
    name(7, 1, &db).await.unwrap();
    rename_at_the_primary(8, 1, &db).await;
    for _ in 0..2 {
        assert_eq!(name::explain(7, 1, &db).await.source, Source::Loaded);
        assert_eq!(name::explain(8, 1, &db).await.source, Source::Loaded);
    }
    tokio::time::advance(LAG * 2).await;
    name(7, 1, &db).await.unwrap();
    assert_eq!(name::explain(7, 1, &db).await.source, Source::L1);
}

#[tokio::test(start_paused = true)]
async fn a_lag_is_waited_out_also_if_the_caller_goes_away() {
    let db = Db::on(Stack::builder("test").l2(Memory::new()).build().await.unwrap());
    let begun = Notify::new();
    length(1, &db).await;
    tokio::select! {
        () = rename_unfinished(1, &db, &begun) => unreachable!("it never ends"),
        () = begun.notified() => {}
    }
    for _ in 0..2 {
        while length::explain(1, &db).await.source != Source::Loaded {
            tokio::task::yield_now().await;
        }
    }
    tokio::time::advance(LAG * 2).await;
    length(1, &db).await;
    assert_eq!(length::explain(1, &db).await.source, Source::L1);
}
