//! Refreshes ahead, batches, errors, jitter and limits over a real server.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cache_core::{Cache, LoadError, Overrides, RefreshAhead, Source, Stack};
use cache_redis::testing::RedisServer;
use tokio::{
    sync::oneshot,
    task::{JoinSet, yield_now},
};

use crate::{Items, items, stack, until};

const KEY: &str = "k";
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a20_an_error_is_told_to_all_who_waited_for_it_and_its_load_runs_once() {
    let server = RedisServer::start();
    let (items, loads) = (items(&stack(&server).await), Arc::new(AtomicU64::new(0)));
    let (release, released) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(released)));
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (items, loads, gate) = (items.clone(), Arc::clone(&loads), Arc::clone(&gate));
        calls.spawn(async move {
            let load = |_| async move {
                loads.fetch_add(1, Ordering::SeqCst);
                let released = gate.lock().unwrap().take().expect("nobody else loads");
                released.await.unwrap();
                Err::<u64, _>("no rows")
            };
            items.try_get_with(KEY, load).await
        });
    }
    // On one thread all of them have asked before an answer of the server is looked at.
    until("the load runs", async || loads.load(Ordering::SeqCst) == 1).await;
    release.send(()).unwrap();
    for end in calls.join_all().await {
        assert!(matches!(end, Err(LoadError::Loader(error)) if *error == "no rows"));
    }
    assert_eq!((loads.load(Ordering::SeqCst), items.get(KEY).await), (1, None));
    until("no lease is left", async || server.cli(&["KEYS", "*:lease"]).is_empty()).await;
    assert_eq!(items.get_with(KEY, |_| async { 7 }).await.unwrap(), 7);
}

/// When the server drops each of the keys `0..1000`, in milliseconds from now.
async fn lives(server: &RedisServer, name: &str) -> Vec<u64> {
    let stack = stack(server).await;
    let items: Cache<u64, u64> = stack.cache(name).overrides(Overrides::new().ttl(HOUR).jitter(0.1)).build().unwrap();
    items.insert_many((0..1000).map(|key| (key, key))).await.unwrap();
    let life = |key| server.cli(&["PTTL", &format!("shop:{name}:{{{key}}}:v1")]).parse().unwrap();
    (0..1000).map(life).collect()
}

#[tokio::test]
async fn a27_what_is_stored_together_does_not_expire_together_nor_alike_elsewhere() {
    let server = RedisServer::start();
    let (here, there) = (lives(&server, "here").await, lives(&server, "there").await);
    for lives in [&here, &there] {
        let (least, most) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
        assert!(*most <= 3_600_000 && *least >= 3_240_000 - 60_000, "jitter takes away a tenth at most");
        // Six minutes are in question. Of a thousand spread over them no minute has as many as a half.
        for minute in 0..7 {
            let begins = least + minute * 60_000;
            let together = lives.iter().filter(|life| (begins..begins + 60_000).contains(life)).count();
            assert!(together < 500, "{together} expire in one minute");
        }
    }
    let alike = here.iter().zip(&there).filter(|(here, there)| here.abs_diff(**there) < 1000).count();
    assert!(alike < 100, "{alike} of a thousand expire in the same second in both");
}

#[tokio::test]
async fn a34_a_value_that_is_too_large_reaches_its_callers_and_is_stored_nowhere() {
    let server = RedisServer::start();
    let stack = stack(&server).await;
    let texts: Cache<String, String> =
        stack.cache("text").overrides(Overrides::new().max_value_size(1000)).build().unwrap();
    for _ in 0..2 {
        let answer = texts.at(KEY).get_with(|_| async { "x".repeat(1001) }).await.unwrap();
        assert_eq!((answer.value.len(), answer.source), (1001, Source::Loaded));
    }
    assert_eq!((texts.stats().too_large, server.cli(&["EXISTS", "shop:text:{k}:v1"])), (2, "0".to_owned()));
    assert!(texts.insert(KEY, "x".repeat(1001)).await.is_err());
    texts.insert(KEY, "x".repeat(900)).await.unwrap();
    assert_eq!(server.cli(&["EXISTS", "shop:text:{k}:v1"]), "1");
}

fn ahead(stack: &Stack) -> Items {
    let policy = Overrides::new().jitter(0.0).ttl(HOUR).refresh_ahead(RefreshAhead::After(0.000_01));
    stack.cache("ahead").overrides(policy).build().unwrap()
}

/// It is due after 36 ms, and fresh for an hour: nobody waits, and in the fleet there is one load for each time it is due.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_loaded_once_in_the_fleet_and_nobody_waits_for_it() {
    let server = RedisServer::start();
    let (here, peer) = (stack(&server).await, stack(&server).await);
    let [loads, running, answered] = [(); 3].map(|()| Arc::new(AtomicU64::new(0)));
    let get = async |items: &Items| {
        let (loads, running, seen) = (Arc::clone(&loads), Arc::clone(&running), Arc::clone(&answered));
        let load = |_| async move {
            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two loads at once");
            // While four more calls are answered, in both processes; those who wait for the first load can't be.
            let before = seen.load(Ordering::SeqCst);
            while before > 0 && seen.load(Ordering::SeqCst) < before + 4 {
                yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            loads.fetch_add(1, Ordering::SeqCst)
        };
        let answer = items.at(KEY).get_with(load).await.unwrap();
        answered.fetch_add(1, Ordering::SeqCst);
        answer
    };
    assert_eq!(get(&ahead(&here)).await.source, Source::Loaded);
    assert_eq!(get(&ahead(&peer)).await.source, Source::L2);
    until("it was refreshed five times", async || {
        for items in [ahead(&here), ahead(&peer)] {
            assert!(matches!(get(&items).await.source, Source::L1 | Source::L2));
        }
        loads.load(Ordering::SeqCst) > 5
    })
    .await;
}

type Squares = Cache<u64, u64>;

fn squares(stack: &Stack) -> Squares {
    stack.cache("square").overrides(Overrides::new().jitter(0.0)).build().unwrap()
}

async fn square(items: &Squares, keys: std::ops::Range<u64>, loads: &Arc<AtomicU64>) -> HashMap<u64, u64> {
    let (keys, loads) = (keys.collect::<Vec<_>>(), Arc::clone(loads));
    let load = move |missing: Vec<u64>| {
        loads.fetch_add(1, Ordering::SeqCst);
        async move { missing.into_iter().map(|key| (key, key * key)).collect::<Vec<_>>() }
    };
    items.many(&keys).tags(|_| ["square"]).get_with(load).await.into_result().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_loaded_once_and_found_by_peers_and_revoked_by_its_tag() {
    let server = RedisServer::start();
    let (here, peer, loads) = (stack(&server).await, stack(&server).await, Arc::default());
    let expected: HashMap<_, _> = (0..500).map(|key| (key, key * key)).collect();
    assert_eq!(square(&squares(&here), 0..500, &loads).await, expected);
    assert_eq!(square(&squares(&peer), 0..500, &loads).await, expected);
    assert_eq!((loads.load(Ordering::SeqCst), squares(&peer).stats().l2_hits), (1, 500));
    here.invalidate_tag("square").await.unwrap();
    assert!(squares(&here).get_many(&[0, 499]).await.is_empty());
    assert_eq!(square(&squares(&here), 0..500, &loads).await, expected);
    assert_eq!(loads.load(Ordering::SeqCst), 2);
    until("no lease is left", async || server.cli(&["KEYS", "*:lease"]).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a29_batches_and_refreshes_go_on_while_the_server_is_killed_and_when_it_is_back() {
    let mut server = RedisServer::start();
    let (stack, loads) = (stack(&server).await, Arc::default());
    let items = squares(&stack);
    square(&items, 0..100, &loads).await;
    server.kill();
    for begin in [0, 50, 100] {
        assert_eq!(square(&items, begin..begin + 100, &loads).await.len(), 100);
    }
    assert_eq!(ahead(&stack).get_with(KEY, |_| async { 7 }).await.unwrap(), 7);
    server.restart();
    let fill = async || {
        square(&items, 200..210, &loads).await;
        items.invalidate(&200).await.is_ok() && !server.cli(&["KEYS", "shop:square:*"]).is_empty()
    };
    until("the server is used again", fill).await;
}
