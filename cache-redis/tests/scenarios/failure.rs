//! Redis is killed, stopped, emptied and tampered with under whole stacks.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use cache_core::{BreakerState, ErrorKind, Source, Stack, clock};
use cache_redis::{Redis, testing::RedisServer};
use tokio::{task::JoinSet, time::timeout};

use crate::{Items, bare, items, stack, until};

/// No call may take longer, however busy the machine is; deadlines are a quarter of a second.
const GENEROUS: Duration = Duration::from_secs(10);

/// Callers that never stop asking, for keys that are cold, warm and shared.
struct Load {
    callers: JoinSet<()>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

impl Load {
    fn on(items: &Items) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut callers = JoinSet::new();
        for caller in 0..8u64 {
            let (items, stop, answered) = (items.clone(), Arc::clone(&stop), Arc::clone(&answered));
            callers.spawn(async move {
                for round in 0u64.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let number = if round % 2 == 0 { caller * 1_000_000 + round } else { round / 50 };
                    let key = number.to_string();
                    let call = items.get_with(&key, |_| async move { number });
                    let value = timeout(GENEROUS, call).await.expect("it answers in time").unwrap();
                    assert_eq!(value, number, "the answer to another question");
                    answered.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            });
        }
        Self { callers, stop, answered }
    }

    async fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        until("calls are answered", async || self.answered.load(Ordering::Relaxed) > before + 200).await;
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.callers.join_all().await;
    }
}

fn breaker(stack: &Stack) -> BreakerState {
    stack.health().l2.unwrap().breaker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a29_a_server_is_killed_under_load_and_comes_back() {
    let mut server = RedisServer::start();
    let stack = stack(&server).await;
    let items = items(&stack);
    let load = Load::on(&items);
    load.goes_on().await;
    server.kill();
    load.goes_on().await;
    until("the breaker opens", async || breaker(&stack) == BreakerState::Open).await;
    load.goes_on().await;
    server.restart();
    until("the breaker closes", async || breaker(&stack) == BreakerState::Closed).await;
    load.goes_on().await;
    load.end().await;
    assert!(items.stats().backend_errors > 0 && stack.health().l2.unwrap().openings > 0);
    items.insert("back", 7).await.unwrap();
    assert_eq!(bare(&server).await.get("back").await, Some(7));
    assert_eq!(items.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a29_a_server_is_stopped_under_load_and_goes_on() {
    let server = RedisServer::start();
    let stack = stack(&server).await;
    let items = items(&stack);
    let load = Load::on(&items);
    load.goes_on().await;
    server.stop();
    until("the breaker opens", async || breaker(&stack) == BreakerState::Open).await;
    load.goes_on().await;
    server.cont();
    until("the breaker closes", async || breaker(&stack) == BreakerState::Closed).await;
    load.goes_on().await;
    load.end().await;
    items.insert("back", 7).await.unwrap();
    assert_eq!(bare(&server).await.get("back").await, Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a29_a_server_that_is_not_there_from_the_start() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redis = Redis::connect(format!("redis://127.0.0.1:{port}")).await.unwrap();
    let stack = Stack::builder("shop").l2(redis).build().await.unwrap();
    let items = items(&stack);
    let started = clock::now();
    for n in 0..100u64 {
        assert_eq!(items.get_with(&n.to_string(), |_| async move { n }).await.unwrap(), n);
    }
    assert!(clock::now() - started < GENEROUS, "the breaker spares most of them the attempt");
    assert!(items.invalidate("1").await.unwrap_err().is_temporary());
    assert_eq!(items.get("1").await, None);
    assert_eq!(items.get("2").await, Some(2), "L1 works without it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a04_an_invalidation_that_found_no_server_reaches_it_when_it_is_back() {
    let server = RedisServer::start();
    let stack = stack(&server).await;
    let items = items(&stack);
    items.insert("k", 0).await.unwrap();
    server.stop();
    assert!(items.invalidate("k").await.unwrap_err().is_temporary());
    assert_eq!(items.get("k").await, None);
    assert_eq!(items.get_with("k", |_| async { 1 }).await.unwrap(), 1);
    server.cont();
    until("it got through", async || stack.health().queued_invalidations == 0).await;
    assert_eq!(bare(&server).await.get("k").await, None);
}

#[tokio::test]
async fn a09_an_emptied_server_gives_nothing_back() {
    let mut server = RedisServer::start();
    let stack = stack(&server).await;
    let items = items(&stack);
    items.at("k").tag("t").insert(0).await.unwrap();
    // Its marks alone, one by one.
    let marks = server.cli(&["KEYS", "shop:*#*"]);
    assert!(!marks.is_empty());
    // The log and what belongs to it are none.
    let marks = marks.lines().filter(|name| !["shop:#log", "shop:#server"].contains(name));
    for mark in marks.chain(["shop:item:{}"]) {
        items.at("k").tag("t").insert(0).await.unwrap();
        assert_eq!(bare(&server).await.get("k").await, Some(0));
        assert_eq!(server.cli(&["DEL", mark]), "1", "{mark}");
        // Another entry brings them back, fresh.
        items.at("other").tag("t").insert(1).await.unwrap();
        let expected = (mark == "shop:#*").then_some(0);
        assert_eq!(bare(&server).await.get("k").await, expected, "{mark}");
    }
    items.at("k").tag("t").insert(0).await.unwrap();
    server.restart();
    until("it is back", async || breaker(&stack) == BreakerState::Closed && items.insert("x", 1).await.is_ok()).await;
    assert_eq!(bare(&server).await.get("k").await, None);
}

#[tokio::test]
async fn a30_wrong_credentials_are_told_before_a_stack_is_built() {
    let server = RedisServer::builder().password("correct horse").start();
    let without = server.url().replace(":correct horse@", "");
    let error = Redis::connect(without).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn a30_a_full_server_costs_its_hits_and_still_invalidates() {
    let server = RedisServer::start();
    let stack = stack(&server).await;
    let items = items(&stack);
    items.insert("k", 0).await.unwrap();
    let _ = server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    for n in 1..5u64 {
        assert_eq!(items.get_with(&n.to_string(), |_| async move { n }).await.unwrap(), n);
    }
    items.invalidate("k").await.unwrap();
    stack.invalidate_tag("t").await.unwrap();
    assert_eq!(bare(&server).await.get("k").await, None);
    let _ = server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    until("it takes entries again", async || items.insert("k", 1).await.is_ok()).await;
}

#[tokio::test]
async fn a32_what_others_write_to_an_entry_is_a_counted_miss_and_replaced() {
    let server = RedisServer::start();
    let items = bare(&server).await;
    items.get_with("k", |_| async { 0 }).await.unwrap();
    let name = "shop:item:{k}:v1";
    assert_eq!(server.cli(&["EXISTS", name]), "1");
    let garbage: [&[&str]; 4] =
        [&["SET", name, "garbage"], &["SET", name, ""], &["RPUSH", name, "a", "b"], &["HSET", name, "a", "b"]];
    for (n, command) in (1u64..).zip(garbage) {
        let _ = server.cli(&["DEL", name]);
        let _ = server.cli(command);
        let before = items.stats();
        let answer = items.at("k").get_with(|_| async move { n }).await.unwrap();
        assert_eq!((answer.value, answer.source), (n, Source::Loaded), "{command:?}");
        let since = items.stats() - before;
        // What is no string counts as missing.
        assert_eq!(since.damaged, u64::from(command[0] == "SET"), "{command:?}: {since:?}");
        assert_eq!(items.get("k").await, Some(n), "{command:?} is replaced");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a33_calls_that_are_dropped_leave_no_lease_and_mix_up_no_replies() {
    let server = RedisServer::start();
    let items = bare(&server).await;
    let mut calls = JoinSet::new();
    for n in 0..2_000u64 {
        let items = items.clone();
        calls.spawn(async move {
            let key = (n % 50).to_string();
            let load = |_| async move {
                tokio::task::yield_now().await;
                n % 50
            };
            let mut call = Box::pin(items.get_with(&key, load));
            for _ in 0..n % 23 {
                let poll = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await;
                if let std::task::Poll::Ready(value) = poll {
                    assert_eq!(value.unwrap(), n % 50);
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        if n % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    calls.join_all().await;
    until("nothing is under way", async || items.in_flight() == 0).await;
    until("no lease is left", async || server.cli(&["KEYS", "*:lease"]).is_empty()).await;
    for n in 0..50u64 {
        assert_eq!(items.get_with(&n.to_string(), |_| async move { n }).await.unwrap(), n);
    }
}
