//! What processes hear of each other through a real server, and what holds when it fails them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cache_core::{Source, Stack, clock};
use cache_redis::{Redis, testing::RedisServer};

use crate::{Items, bare, items, stack, until};

const KEY: &str = "k";
const X: Duration = Duration::from_secs(1);

/// The source of truth: a number that a test raises.
#[derive(Clone, Default)]
struct Origin(Arc<AtomicU64>);

impl Origin {
    fn commit(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    async fn read(&self, items: &Items) -> (u64, Source) {
        let origin = Arc::clone(&self.0);
        let load = async move |_| origin.load(Ordering::SeqCst);
        let answer = items.at(KEY).tag("t").get_with(load).await.unwrap();
        (answer.value, answer.source)
    }
}

/// Two stacks that have the first version in L1, and the origin at the second one.
async fn warm(server: &RedisServer) -> (Origin, Stack, Stack) {
    let (origin, here, peer) = (Origin::default(), stack(server).await, stack(server).await);
    for stack in [&here, &peer] {
        origin.read(&items(stack)).await;
        assert_eq!(origin.read(&items(stack)).await, (0, Source::L1));
    }
    origin.commit();
    (origin, here, peer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a05_a_peer_drops_what_was_invalidated() {
    for by in ["key", "tag", "cache", "namespace"] {
        let server = RedisServer::start();
        let (origin, here, peer) = warm(&server).await;
        match by {
            "key" => items(&peer).invalidate(KEY).await.unwrap(),
            "tag" => peer.invalidate_tag("t").await.unwrap(),
            "cache" => items(&peer).invalidate_all().await.unwrap(),
            _ => peer.invalidate_all().await.unwrap(),
        }
        let told = clock::now();
        // The promise is about when a call begins, however slow the machine is at answering it.
        until("it heard of it", async || {
            let asked = clock::now();
            let value = origin.read(&items(&here)).await.0;
            assert!(value == 1 || asked - told <= X, "{by}: served {:?} after it was revoked", asked - told);
            value == 1
        })
        .await;
        assert_eq!(here.health().flushes, 0, "{by}: and dropped no more");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a07_an_invalidation_right_after_the_build_is_heard() {
    let server = RedisServer::start();
    let (origin, peer, here) = (Origin::default(), stack(&server).await, stack(&server).await);
    assert_eq!(origin.read(&items(&here)).await.0, 0);
    origin.commit();
    items(&peer).invalidate(KEY).await.unwrap();
    let told = clock::now();
    until("it heard of it", async || {
        let asked = clock::now();
        let value = origin.read(&items(&here)).await.0;
        assert!(value == 1 || asked - told <= X, "served {:?} after it was revoked", asked - told);
        value == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a06_one_that_can_not_read_the_log_serves_nothing_stale_beyond_the_bound() {
    let server = RedisServer::start();
    let _ = server.cli(&["ACL", "SETUSER", "deaf", "on", ">secret", "~*", "&*", "+@all"]);
    let url = server.url().replace("redis://", "redis://deaf:secret@");
    let here = Stack::builder("shop").l2(Redis::connect(url).await.unwrap()).build().await.unwrap();
    let (origin, peer) = (Origin::default(), stack(&server).await);
    origin.read(&items(&here)).await;
    let _ = server.cli(&["ACL", "SETUSER", "deaf", "-xread", "-xrevrange"]);
    until("its proof has run out", async || {
        assert_eq!(origin.read(&items(&here)).await, (0, Source::L1), "compared, and not moved");
        items(&here).stats().validated > 0
    })
    .await;
    origin.commit();
    items(&peer).invalidate(KEY).await.unwrap();
    let told = clock::now();
    until("it is not served any more", async || {
        let asked = clock::now();
        let value = origin.read(&items(&here)).await.0;
        assert!(value == 1 || asked - told <= X, "served {:?} after it was revoked", asked - told);
        value == 1
    })
    .await;
    let _ = server.cli(&["ACL", "SETUSER", "deaf", "+xread", "+xrevrange"]);
    until("it is in step again", async || here.health().proof_age.unwrap() < X / 2).await;
    assert_eq!(origin.read(&items(&here)).await.0, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_server_that_comes_back_with_an_older_snapshot_resurrects_nothing() {
    let mut server = RedisServer::start();
    let (origin, here, peer) = warm(&server).await;
    let _ = server.cli(&["SAVE"]);
    peer.invalidate_tag("t").await.unwrap();
    server.restart();
    assert_eq!(bare(&server).await.get(KEY).await, None, "a newcomer");
    for stack in [&here, &peer] {
        until("it has noticed", async || stack.health().flushes > 0).await;
        assert_eq!(origin.read(&items(stack)).await.0, 1);
    }
    assert!(
        server.cli(&["EXISTS", "shop:item:{k}:v1"]) == "1",
        "there was something to resurrect, or it was loaded anew"
    );
}

/// It did not hear of the invalidation that the primary had acknowledged, and takes its place under the same address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_replica_that_lagged_and_is_promoted_resurrects_nothing() {
    let (mut primary, replica) = (RedisServer::start(), RedisServer::start());
    let (origin, here, peer) = warm(&primary).await;
    let (port, entry) = (primary.port().to_string(), "shop:item:{k}:v1");
    replica.cli(&["REPLICAOF", "127.0.0.1", &port]);
    until("it has what the primary has", async || replica.cli(&["EXISTS", entry]) == "1").await;
    replica.cli(&["REPLICAOF", "NO", "ONE"]);
    peer.invalidate_tag("t").await.unwrap();
    assert_eq!(replica.cli(&["EXISTS", entry]), "1", "there is something to resurrect");
    primary.kill();
    replica.cli(&["CONFIG", "SET", "port", &port]);
    assert_eq!(bare(&primary).await.get(KEY).await, None, "a newcomer");
    for stack in [&here, &peer] {
        until("it has noticed", async || stack.health().flushes > 0).await;
        assert_eq!(origin.read(&items(stack)).await.0, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a09_an_emptied_server_empties_every_process() {
    let server = RedisServer::start();
    let (origin, here, peer) = warm(&server).await;
    let _ = server.cli(&["FLUSHALL"]);
    for stack in [&here, &peer] {
        until("it has noticed", async || stack.health().flushes > 0).await;
        assert_eq!(origin.read(&items(stack)).await.0, 1);
    }
    until("all is well", async || here.health().proof_age.unwrap() < X && peer.health().proof_age.unwrap() < X).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_killed_and_scripts_that_are_flushed_lose_no_invalidation() {
    let server = RedisServer::start();
    let (origin, here, peer) = warm(&server).await;
    for round in 1..=5 {
        let _ = server.cli(&["SCRIPT", "FLUSH"]);
        let _ = server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        // One whose connection was killed under it is told so, and retried.
        let _ = items(&peer).invalidate(KEY).await;
        until("it is in step", async || origin.read(&items(&here)).await.0 == round).await;
        assert_eq!(origin.read(&items(&peer)).await.0, round);
        assert_eq!(here.health().flushes, 0, "what it missed was replayed");
        origin.commit();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_lets_nothing_be_served_beyond_the_bound() {
    let server = RedisServer::start();
    let (origin, here, _peer) = warm(&server).await;
    server.stop();
    until("the loader answers", async || origin.read(&items(&here)).await == (1, Source::Loaded)).await;
    assert!(here.health().proof_age.unwrap() > X);
    server.cont();
    until("it is in step again", async || here.health().proof_age.unwrap() < X).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guarded_write_on_a_server_lets_nothing_be_cached_meanwhile() {
    let server = RedisServer::start();
    let (origin, here, peer) = warm(&server).await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let write = tokio::spawn({
        let items = items(&here);
        async move { items.write(KEY, async move { ended.await.unwrap() }).await }
    });
    until("it began", async || server.cli(&["EXISTS", "shop:item:{k}:guard"]) == "1").await;
    until("it was heard of", async || origin.read(&items(&peer)).await == (1, Source::Loaded)).await;
    assert_eq!(server.cli(&["EXISTS", "shop:item:{k}:v1"]), "0");
    end.send(()).unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(server.cli(&["EXISTS", "shop:item:{k}:guard"]), "0");
    origin.read(&items(&peer)).await;
    assert_eq!(server.cli(&["EXISTS", "shop:item:{k}:v1"]), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_process_sends_no_more_than_15_commands_a_second() {
    let server = RedisServer::start();
    let _idle = stack(&server).await;
    // Each heartbeat reads the end of the log once, and asks for `INFO` once, as this test does too.
    let calls = |command: &str| -> u32 {
        let stats = server.cli(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
    };
    let sent = || calls("xread") + calls("mget") + 2 * calls("xrevrange");
    let (before, beats, begun) = (sent(), calls("xrevrange"), clock::now());
    until("six heartbeats", async || calls("xrevrange") >= beats + 6).await;
    let rate = f64::from(sent() - before) / (clock::now() - begun).as_secs_f64();
    assert!(rate <= 15.0, "{rate} commands a second");
    println!("{rate:.1} commands a second");
}
