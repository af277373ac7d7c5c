//! Invalidations as a real server sees them.

use cache_core::{Load, Source};
use cache_redis::testing::RedisServer;
use tokio::sync::oneshot;

use crate::{bare, items, stack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a08_invalidating_ten_thousand_entries_names_none_of_them() {
    const ENTRIES: usize = 10_000;
    let server = RedisServer::start();
    let stack = stack(&server).await;
    let items = items(&stack);
    let mut inserts = tokio::task::JoinSet::new();
    for lane in 0..16 {
        let items = items.clone();
        inserts.spawn(async move {
            for n in (lane..ENTRIES).step_by(16) {
                items.at(&n.to_string()).tag("t").insert(n as u64).await.unwrap();
            }
        });
    }
    inserts.join_all().await;
    let entries = || server.cli(&["DBSIZE"]).parse::<usize>().unwrap();
    assert!(entries() >= ENTRIES);
    for step in 0..3 {
        let _ = server.cli(&["CONFIG", "RESETSTAT"]);
        match step {
            0 => stack.invalidate_tag("t").await.unwrap(),
            1 => items.invalidate_all().await.unwrap(),
            _ => stack.invalidate_all().await.unwrap(),
        }
        let commands = server.cli(&["INFO", "commandstats"]);
        for command in ["keys", "scan", "smembers", "sscan", "hgetall", "flushdb"] {
            assert!(!commands.contains(&format!("cmdstat_{command}:")), "{commands}");
        }
        let calls: usize = commands
            .lines()
            .filter(|line| !line.contains("info") && !line.contains("config"))
            .filter_map(|line| line.split_once("calls=")?.1.split_once(',')?.0.parse::<usize>().ok())
            .sum();
        assert!(calls < 20, "{commands}");
        assert!(entries() >= ENTRIES, "their bytes stay until they expire");
        let bare = bare(&server).await;
        for n in (0..ENTRIES).step_by(1_999) {
            assert_eq!(bare.get(&n.to_string()).await, None);
        }
        items.at("1").tag("t").insert(1).await.unwrap();
    }
}

#[tokio::test]
async fn a12_a_tag_that_only_the_loader_knows_is_invalidated_during_its_load() {
    let server = RedisServer::start();
    let (here, peer) = (stack(&server).await, stack(&server).await);
    let ((arrive, arrived), (open, opened)) = (oneshot::channel::<()>(), oneshot::channel::<()>());
    let loading = tokio::spawn({
        let items = items(&here);
        let load = async move |load: Load| {
            arrive.send(()).unwrap();
            opened.await.unwrap();
            load.tag("vip");
            0
        };
        async move { items.get_with("k", load).await.unwrap() }
    });
    arrived.await.unwrap();
    peer.invalidate_tag("vip").await.unwrap();
    open.send(()).unwrap();
    assert_eq!(loading.await.unwrap(), 0, "it is answered");
    assert_eq!(bare(&server).await.get("k").await, None, "what was stored is dead on arrival");
    assert_eq!(items(&peer).get_with("k", |_| async { 1 }).await.unwrap(), 1);
}

#[tokio::test]
async fn a24_a_lifetime_of_half_a_second_is_in_the_servers_hands() {
    let server = RedisServer::start();
    let stack = stack(&server).await;
    for (name, ttl) in [("short", 500), ("long", 30 * 365 * 86_400_000)] {
        let cache = stack.cache::<String, u64>(name).ttl(std::time::Duration::from_millis(ttl)).build().unwrap();
        cache.get_with("k", |_| async { 7 }).await.unwrap();
        let left: i64 = server.cli(&["PTTL", &format!("shop:{name}:{{k}}:v1")]).parse().unwrap();
        assert!(left > 0 && left <= ttl as i64, "{name}: {left}");
    }
}

#[tokio::test]
async fn a14_keys_of_two_caches_and_two_namespaces_share_no_name() {
    let server = RedisServer::start();
    let stack = stack(&server).await;
    for cache in ["user", "plan"] {
        let cache = stack.cache::<String, u64>(cache).build().unwrap();
        assert_eq!(cache.at("k").get_with(|_| async { 7 }).await.unwrap().source, Source::Loaded);
    }
    let names = server.cli(&["KEYS", "*{k}*"]);
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["shop:plan:{k}:v1", "shop:user:{k}:v1"]);
}

#[tokio::test]
async fn race_54_an_invalidation_covers_both_versions_of_a_rolling_deploy() {
    let server = RedisServer::start();
    let (old, new) = (stack(&server).await, stack(&server).await);
    let v1 = old.cache::<String, u64>("user").version(1).build().unwrap();
    let v2 = new.cache::<String, String>("user").version(2).build().unwrap();
    for by_old in [true, false] {
        v1.insert("k", 1).await.unwrap();
        v2.insert("k", "two".to_owned()).await.unwrap();
        match by_old {
            true => v1.invalidate("k").await.unwrap(),
            false => v2.invalidate("k").await.unwrap(),
        }
        assert_eq!(server.cli(&["KEYS", "*{k}*"]), "", "by the old one: {by_old}");
        v1.invalidate("k").await.unwrap();
        v2.invalidate("k").await.unwrap();
    }
}
