//! Synchronous functions.

use std::{
    sync::{
        Barrier,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use cache_core::{Error, ErrorKind, Source, Stack, backend::Memory, cached, invalidates, scope};
use tokio::{
    runtime::{Builder, Handle},
    task::spawn_blocking,
    time::{advance, pause},
};

use super::{Runs, stack};

#[cached(tags = ["length:{word}"], skip(runs), ttl = "1m", jitter = 0)]
fn length(word: &str, runs: &Runs) -> usize {
    runs.add();
    word.len()
}

#[test]
fn a_synchronous_function_needs_no_runtime() {
    let runs = Runs::default();
    for _ in 0..2 {
        assert_eq!(length("outside", &runs), 7);
    }
    assert_eq!((runs.count(), length::get("outside", &runs)), (1, Some(7)));
    length::invalidate("outside", &runs).unwrap();
    assert_eq!(length::explain("outside", &runs).source, Source::Loaded);
    length::insert("outside", &runs, 70).unwrap();
    assert_eq!(length("outside", &runs), 70);
    assert_eq!((length::uncached("outside", &runs), length::refresh("outside", &runs)), (7, 7));
    assert_eq!((length("outside", &runs), length::key("outside", &runs)), (7, "outside".to_owned()));
    assert!(length::stats().l1_hits >= 3);
}

#[tokio::test]
async fn a_synchronous_function_is_invalidated_by_tag_and_from_asynchronous_ones() {
    #[invalidates(length(word, runs))]
    async fn forget(word: &str, runs: &Runs) {}

    let runs = Runs::default();
    length("inside", &runs);
    Stack::global().invalidate_tag("length:inside").await.unwrap();
    length("inside", &runs);
    assert_eq!(runs.count(), 2);
    forget("inside", &runs).await;
    assert_eq!(length::get("inside", &runs), None);
    let lengths = length::cache().unwrap();
    assert_eq!((length("inside", &runs), lengths.get("inside").await), (6, Some(6)));
    assert_eq!(scope::bypass(async { length("inside", &runs) }).await, 6);
    assert_eq!(runs.count(), 4);
}

#[tokio::test]
async fn a_value_of_a_synchronous_function_lives_as_long_as_its_policy_says() {
    pause();
    let runs = Runs::default();
    length("fades", &runs);
    advance(Duration::from_secs(61)).await;
    length("fades", &runs);
    assert_eq!(runs.count(), 2);
}

/// Takes what can't be sent anywhere.
#[cached(skip(told), cache_if = |number: &u32| *number > 0)]
fn told(id: u32, told: std::rc::Rc<std::cell::Cell<u32>>) -> Result<u32, &'static str> {
    told.set(told.get() + 1);
    if id == 0 { Err("none") } else { Ok(id - 1) }
}

#[test]
fn its_body_runs_in_the_call_and_borrows_what_it_likes() {
    let count = std::rc::Rc::default();
    for _ in 0..2 {
        assert_eq!(told(0, std::rc::Rc::clone(&count)), Err("none"));
        assert_eq!(told(1, std::rc::Rc::clone(&count)), Ok(0));
        assert_eq!(told(2, std::rc::Rc::clone(&count)), Ok(1));
    }
    assert_eq!(count.get(), 5);
}

#[cached(skip(runs, gate))]
fn slow(id: u32, runs: &Runs, gate: &Barrier) -> u32 {
    gate.wait();
    runs.add() + id
}

#[test]
fn threads_that_ask_at_once_share_one_load() {
    let (runs, gate) = (Runs::default(), Barrier::new(2));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| slow(1, &runs, &gate))).collect();
        while slow::cache().unwrap().in_flight() == 0 {
            thread::yield_now();
        }
        gate.wait();
        assert!(callers.into_iter().all(|caller| caller.join().unwrap() == 2));
    });
    assert_eq!(runs.count(), 1);
}

#[cached]
fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

#[cached]
fn endless(n: u32) -> Result<u32, Error> {
    if n > 9 { panic!("too much") } else { endless(n) }
}

#[test]
fn a21_a_synchronous_function_may_call_itself_but_not_wait_for_itself() {
    assert_eq!(fibonacci(80), 23_416_728_348_467_685);
    assert_eq!(endless(1).unwrap_err().kind(), ErrorKind::Reentrant);
}

#[test]
fn a19_a_panic_of_a_synchronous_function_is_an_error_and_leaves_nothing_behind() {
    for _ in 0..2 {
        let error = endless(10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(error.to_string().contains("too much"), "{error}");
    }
    assert_eq!(endless::cache().unwrap().in_flight(), 0);
}

/// Needs the thread of the runtime that it is given, which waits for it.
#[cached(skip(runtime, begun), hard_timeout = 0.05)]
fn crossed(id: u32, runtime: &Handle, begun: &Sender<()>) -> u32 {
    begun.send(()).expect("the test listens");
    if thread::current().name() == Some("leader") {
        runtime.block_on(runtime.spawn(async {})).expect("it does nothing");
    }
    id
}

fn lead(runtime: &Handle) -> (thread::JoinHandle<u32>, Sender<()>, Receiver<()>) {
    let (begun, begins) = channel();
    let (handle, told) = (runtime.clone(), begun.clone());
    let leader =
        thread::Builder::new().name("leader".into()).spawn(move || crossed(1, &handle, &told)).expect("a thread");
    (leader, begun, begins)
}

#[test]
fn who_waits_in_a_current_thread_runtime_for_a_load_that_needs_it_loads_by_itself() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (leader, begun, begins) = lead(runtime.handle());
    begins.recv().unwrap();
    runtime.block_on(async {
        assert_eq!(crossed(1, &Handle::current(), &begun), 1);
    });
    // The leader's task runs while somebody drives the runtime.
    while !leader.is_finished() {
        runtime.block_on(tokio::task::yield_now());
    }
    assert_eq!(leader.join().unwrap(), 1);
}

#[test]
fn a_saturated_pool_is_no_deadlock() {
    #[cached(skip(runs))]
    fn busy(id: u32, runs: &Runs) -> u32 {
        Handle::current().block_on(async { tokio::task::yield_now().await });
        runs.add();
        id
    }
    let runtime = Builder::new_multi_thread().worker_threads(1).max_blocking_threads(2).enable_all().build().unwrap();
    let runs = Runs::default();
    runtime.block_on(async {
        let calls: Vec<_> = (0..16)
            .map(|_| {
                let runs = runs.clone();
                spawn_blocking(move || busy(3, &runs))
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), 3);
        }
    });
    assert_eq!(runs.count(), 1);
}

#[derive(Clone)]
struct Shop {
    stack: Stack,
    runs: Runs,
}

impl Shop {
    #[cached(key = article, stack = &self.stack)]
    fn price(&self, article: u32) -> Option<u32> {
        (article > 0).then(|| self.runs.add())
    }

    #[cached(associated, tiers = "l1")]
    fn currency() -> String {
        "EUR".into()
    }
}

#[cached(cache = "row", skip(stack), stack = stack)]
fn row<T: cache_core::CacheValue + From<u8>, const N: usize>(at: u8, stack: &Stack) -> Vec<T> {
    vec![T::from(at); N]
}

#[tokio::test]
async fn synchronous_methods_and_generic_functions_keep_to_l1() {
    let store = Memory::new();
    let shop = Shop { stack: Stack::builder("test").l2(store.clone()).build().await.unwrap(), runs: Runs::default() };
    let other = Shop { stack: Stack::builder("test").l2(store).build().await.unwrap(), runs: Runs::default() };
    assert_eq!((shop.price(1), shop.price(1), shop.price(0)), (Some(1), Some(1), None));
    assert_eq!(other.price_explain(1).source, Source::Loaded);
    shop.price_invalidate(1).unwrap();
    assert_eq!(shop.price_get(1), None);
    while other.price_get(1).is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(row::<u64, 1>(7, &shop.stack), [7]);
    assert_eq!(row::explain::<u64, 1>(7, &shop.stack).source, Source::L1);
}

#[tokio::test]
async fn stacks_of_their_own_serve_synchronous_functions_too() {
    let (one, two) = (stack().await, stack().await);
    assert_eq!((row::<u16, 2>(1, &one), row::<u16, 2>(1, &two)), (vec![1; 2], vec![1; 2]));
    assert_eq!(row::stats::<u16, 2>(&two).loads, 1);
    assert_eq!((Shop::currency(), Shop::currency_get()), ("EUR".into(), Some("EUR".into())));
}
