//! Servers that die, hang and come back, under a client that is never made anew.

use std::{error::Error as _, time::Duration};

use cache_core::{ErrorKind, Stack, backend::Backend, clock, testing::Names};
use cache_redis::{Redis, testing::RedisServer};
use tokio::time::timeout;

use crate::support::{MINUTE, eventually, invalidate, is_there, patient, put, read, start, take};

async fn recovers(redis: &Redis, names: &Names) {
    eventually("it recovers", async || put(redis, names).await.is_ok()).await;
}

#[tokio::test]
async fn a29_a_server_that_comes_back_on_its_port_is_found_again() {
    let (mut server, redis, names) = start().await;
    put(&redis, &names).await.unwrap();
    for _ in 0..3 {
        server.kill();
        let error = is_there(&redis, &names).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        server.restart();
        recovers(&redis, &names).await;
        assert!(is_there(&redis, &names).await.unwrap());
    }
}

#[tokio::test]
async fn a29_a_server_that_was_down_from_the_start_is_found_when_it_comes() {
    let mut server = RedisServer::start();
    server.kill();
    let redis = patient(server.url()).connect().await.unwrap();
    let names = Names::random();
    let error = is_there(&redis, &names).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&server.port().to_string()), "{error}");
    assert!(error.source().is_some(), "the true reason is kept");
    server.restart();
    recovers(&redis, &names).await;
}

/// Refused connections are known at once: nobody waits for a deadline because of them.
#[tokio::test]
async fn a29_a_dead_server_costs_no_waiting() {
    let mut server = RedisServer::start();
    let redis = patient(server.url()).connect().await.unwrap();
    server.kill();
    let names = Names::random();
    let calls = async {
        for _ in 0..100 {
            let error = is_there(&redis, &names).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
    };
    timeout(MINUTE, calls).await.expect("a hundred calls in the time of two deadlines");
}

#[tokio::test]
async fn a29_a_stopped_server_lets_every_call_return_inside_its_deadline() {
    let server = RedisServer::start();
    let deadline = Duration::from_millis(100);
    let builder = Redis::builder(server.url()).connect_timeout(deadline);
    let redis = builder.response_timeout(deadline).connect().await.unwrap();
    let names = Names::random();
    recovers(&redis, &names).await;
    server.stop();
    // Connections are given up after some silence: calls time out on old ones, and for want of new ones.
    for _ in 0..4 {
        for call in [
            timeout(MINUTE, is_there(&redis, &names)).await.unwrap().map(drop),
            timeout(MINUTE, put(&redis, &names)).await.unwrap(),
            timeout(MINUTE, take(&redis, &names)).await.unwrap(),
            timeout(MINUTE, invalidate(&redis, &names)).await.unwrap(),
            timeout(MINUTE, redis.probe()).await.unwrap(),
        ] {
            assert_eq!(call.unwrap_err().kind(), ErrorKind::Timeout);
        }
    }
    server.cont();
    recovers(&redis, &names).await;
}

/// Otherwise the connection learns nothing of it, and is kept.
#[tokio::test]
async fn with_the_defaults_of_both_a_connection_gives_up_before_its_stack_does() {
    let server = RedisServer::start();
    let redis = Redis::builder(server.url()).connect_timeout(MINUTE / 2).connect().await.unwrap();
    let stack = Stack::builder("shop").l2(redis).build().await.unwrap();
    let items = stack.cache::<u32, String>("item").build().unwrap();
    server.stop();
    assert_eq!(items.get(&1).await, None);
    let error = stack.health().l2.unwrap().last_error.unwrap();
    assert!(error.to_string().contains("no answer from Redis"), "{error}");
}

#[tokio::test]
async fn a29_calls_in_flight_when_the_server_stops_end_by_their_deadline() {
    let server = RedisServer::start();
    let redis = Redis::connect(server.url()).await.unwrap();
    let names = Names::random();
    recovers(&redis, &names).await;
    server.stop();
    let started = clock::now();
    let calls: Vec<_> = (0..500)
        .map(|_| {
            let (redis, names) = (redis.clone(), names.clone());
            tokio::spawn(async move { is_there(&redis, &names).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert!(started.elapsed() < MINUTE / 4, "{:?}", started.elapsed());
}

/// A pool that tests nothing on checkout hands out the same dead connection again and again.
/// A pool that tests nothing on checkout hands out the same dead connection again and again.
#[tokio::test]
async fn a31_a_dead_connection_is_handed_out_once_at_most() {
    let server = RedisServer::start();
    let redis = patient(server.url()).connections(1).connect().await.unwrap();
    let names = Names::random();
    put(&redis, &names).await.unwrap();
    for round in 0..20 {
        server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let first = is_there(&redis, &names).await;
        let second = is_there(&redis, &names).await;
        assert!(second.is_ok(), "round {round}: {first:?}, then {second:?}");
    }
}

#[tokio::test]
async fn a31_the_other_connection_serves_while_one_is_replaced() {
    let (server, redis, names) = start().await;
    put(&redis, &names).await.unwrap();
    let clients = server.cli(&["CLIENT", "LIST"]);
    let oldest = clients.split_whitespace().next().and_then(|field| field.strip_prefix("id="));
    assert_eq!(server.cli(&["CLIENT", "KILL", "ID", oldest.unwrap()]), "1");
    let mut failures = 0;
    for _ in 0..10 {
        failures += u32::from(is_there(&redis, &names).await.is_err());
    }
    assert!(failures <= 1, "{failures} calls met the dead connection");
}

#[tokio::test]
async fn a33_a_call_that_is_dropped_anywhere_leaves_the_connection_usable() {
    let server = RedisServer::start();
    let redis = patient(server.url()).connections(1).connect().await.unwrap();
    let names = Names::random();
    put(&redis, &names).await.unwrap();
    for polls in 0..200 {
        let mut dropped = Box::pin(is_there(&redis, &names));
        for _ in 0..polls % 4 {
            if timeout(Duration::ZERO, &mut dropped).await.is_ok() {
                break;
            }
        }
        drop(dropped);
        let other = read(&redis, &names.key("other"), &[]).await.unwrap();
        assert!(other.entry.is_none(), "this reply is another call's");
    }
    assert!(is_there(&redis, &names).await.unwrap());
}

#[tokio::test]
async fn a_closed_client_gives_up_its_connections() {
    let (server, redis, names) = start().await;
    put(&redis, &names).await.unwrap();
    let clone = redis.clone();
    redis.close().await;
    assert_eq!(clone.probe().await.unwrap_err().kind(), ErrorKind::Closed);
    let only_ours = async || server.cli(&["CLIENT", "LIST"]).lines().count() == 1;
    eventually("the connections end", only_ours).await;
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let (server, redis, names) = start().await;
    for _ in 0..2 {
        take(&redis, &names).await.unwrap();
        put(&redis, &names).await.unwrap();
        invalidate(&redis, &names).await.unwrap();
        server.cli(&["SCRIPT", "FLUSH"]);
    }
}
