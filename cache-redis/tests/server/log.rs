//! The log as it lies in Redis, what others write there, and servers that are not the one they were.

use std::time::Duration;

use cache_core::{
    backend::{Attach, Backend, Claim, Follow, Guard, Invalidate, LeaseReply, Message, Position},
    testing::Names,
    token::{LeaseToken, ProcessId},
};
use cache_redis::{Redis, testing::RedisServer};
use tokio::time::timeout;

use crate::support::{MINUTE, eventually, invalidate, is_there, lease, patient, put, read, start, take};

const BEGINNING: Position = Position { millis: 0, sequence: 0 };

async fn messages(redis: &Redis, names: &Names) -> Vec<Message> {
    let ask = Follow { log: &names.log(), after: BEGINNING, wait: Duration::ZERO, most: 1_000 };
    redis.follow(ask).await.expect("follow")
}

async fn wait(redis: &Redis, names: &Names, after: Position, wait: Duration) -> Vec<Message> {
    redis.follow(Follow { log: &names.log(), after, wait, most: 1_000 }).await.expect("follow")
}

async fn attach(redis: &Redis, names: &Names) -> cache_core::backend::Attached {
    let (log, from) = (&names.log(), ProcessId::random());
    redis.attach(Attach { log, from, max_staleness: MINUTE, keep: false }).await.expect("attach")
}

async fn guard(redis: &Redis, names: &Names, guard: Guard) {
    let (keys, marks, any_tag) = (&[names.key("a")], &[names.tag("a")], &names.any_tag());
    let (log, from, guard) = (&names.log(), ProcessId::random(), Some(guard));
    redis.invalidate(Invalidate { keys, marks, any_tag, guard, log, from }).await.expect("invalidate");
}

async fn is_guarded(redis: &Redis, names: &Names) -> bool {
    let (_, reply) = lease(redis, &names.key("a"), Claim::Take, &[]).await.expect("lease");
    matches!(reply, LeaseReply::Guarded)
}

#[tokio::test]
async fn the_log_is_readable_text() {
    let (server, redis, names) = start().await;
    let (log, any_tag) = (&names.log(), &names.any_tag());
    let from = ProcessId::from_bytes(std::array::from_fn(|at| u8::try_from(at).expect("one of 16")));
    let (keys, marks) = (&[names.key("a")], &[names.tag("a"), names.cache()]);
    let what = Invalidate { keys, marks, any_tag, guard: None, log, from };
    let first = redis.invalidate(what).await.unwrap().unwrap();
    let second = redis.invalidate(what).await.unwrap().unwrap();
    let from = "000102030405060708090a0b0c0d0e0f";
    let message = |position: Position, after: Position| {
        let [entry, tag, cache] = [keys[0].entry(1), marks[0].name().to_owned(), marks[1].name().to_owned()];
        format!("{position}\nafter\n{after}\nfrom\n{from}\ndel\n{entry}\ndel\n{tag}\ndel\n{cache}")
    };
    let expected = [message(first, BEGINNING), message(second, first)].join("\n");
    assert_eq!(server.cli(&["XRANGE", log.name(), "-", "+"]), expected);
}

#[tokio::test]
async fn the_log_does_not_grow_without_end() {
    let (server, redis, names) = start().await;
    let fill = "for n = 1, 20000 do redis.call('XADD', KEYS[1], '*', 'after', '0-0') end";
    server.cli(&["EVAL", fill, "1", names.log().name()]);
    invalidate(&redis, &names).await.unwrap();
    let length: u32 = server.cli(&["XLEN", names.log().name()]).parse().unwrap();
    assert!((16_384..16_384 + 200).contains(&length), "{length}");
}

#[tokio::test]
async fn a30_a_full_server_still_appends_attaches_and_guards() {
    let server = RedisServer::builder().arguments(["--maxmemory-policy", "noeviction"]).start();
    let redis = patient(server.url()).connect().await.unwrap();
    let names = Names::random();
    put(&redis, &names).await.unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(attach(&redis, &names).await.renewed);
    guard(&redis, &names, Guard::Hold { ttl: MINUTE }).await;
    invalidate(&redis, &names).await.unwrap();
    assert_eq!(messages(&redis, &names).await.len(), 4);
    assert_eq!(server.cli(&["GET", names.tag("a").name()]), "hold");
    assert_eq!(server.cli(&["ZCARD", &names.key("a").guard()]), "1");
}

#[tokio::test]
async fn what_is_no_log_makes_way_for_one() {
    let (server, redis, names) = start().await;
    let log = names.log();
    for at in 0..3 {
        server.cli(&["DEL", log.name()]);
        server.cli(&["SET", log.name(), "something else"]);
        assert!(messages(&redis, &names).await.is_empty());
        assert!(wait(&redis, &names, BEGINNING, Duration::from_millis(5)).await.is_empty());
        assert_eq!(redis.beat(&log).await.unwrap().end, None);
        match at {
            0 => invalidate(&redis, &names).await.unwrap(),
            1 => put(&redis, &names).await.unwrap(),
            _ => drop(attach(&redis, &names).await),
        }
        let all = messages(&redis, &names).await;
        assert_eq!((all.len(), all[0].after), (1, Some(BEGINNING)), "{at}");
        assert_eq!(wait(&redis, &names, BEGINNING, MINUTE).await, all);
    }
}

#[tokio::test]
async fn what_is_no_guard_is_none_and_makes_way_for_one() {
    let (server, redis, names) = start().await;
    let (name, token) = (names.key("a").guard(), LeaseToken::random());
    server.cli(&["SET", &name, "something else"]);
    assert!(!is_guarded(&redis, &names).await);
    put(&redis, &names).await.unwrap();
    guard(&redis, &names, Guard::Close { token }).await;
    server.cli(&["SET", &name, "something else"]);
    guard(&redis, &names, Guard::Open { token, ttl: MINUTE }).await;
    assert!(is_guarded(&redis, &names).await);
}

/// As long as the guard that ends last, and not at all once it is closed.
#[tokio::test]
async fn guards_end_with_the_last_of_them() {
    let (server, redis, names) = start().await;
    let name = names.key("a").guard();
    let left = || server.cli(&["PTTL", &name]).parse::<i64>().unwrap();
    let [short, long] = [LeaseToken::random(), LeaseToken::random()];
    guard(&redis, &names, Guard::Open { token: long, ttl: 10 * MINUTE }).await;
    guard(&redis, &names, Guard::Open { token: short, ttl: MINUTE }).await;
    assert!((540_001..=600_000).contains(&left()), "{}", left());
    guard(&redis, &names, Guard::Close { token: long }).await;
    assert!((1..=60_000).contains(&left()), "{}", left());
    guard(&redis, &names, Guard::Close { token: short }).await;
    assert_eq!(server.cli(&["EXISTS", &name]), "0");
}

/// Then whoever follows can't know what it misses.
#[tokio::test]
async fn a_message_that_others_wrote_carelessly_comes_after_nothing() {
    let (server, redis, names) = start().await;
    let log = names.log();
    let nonsense: [&[&str]; 4] = [
        &["something", "else"],
        &["del", "shop:user:{alice}:v3"],
        &["after", "yesterday", "del", "a"],
        &["from", "nobody", "after", ""],
    ];
    for fields in nonsense {
        let command = [&["XADD", log.name(), "*"], fields].concat();
        server.cli(&command);
    }
    server.cli(&["EVAL", "redis.call('XADD', KEYS[1], '*', 'after', '0-0', 'del', '\\255')", "1", log.name()]);
    invalidate(&redis, &names).await.unwrap();
    let all = messages(&redis, &names).await;
    assert_eq!(all.len(), 6);
    assert!(all[..5].iter().all(|message| message.after.is_none() && message.from.is_none()), "{all:?}");
    assert_eq!(all[1].revoked, ["shop:user:{alice}:v3"]);
    assert_eq!(all[5].after, Some(all[4].position), "the next one knows its place");
}

#[tokio::test]
async fn the_record_of_a_server_that_has_another_form_is_none() {
    let (server, redis, names) = start().await;
    let log = names.log();
    for damage in [["SET", log.server(), "short"], ["RPUSH", log.server(), "a list"]] {
        attach(&redis, &names).await;
        server.cli(&["DEL", log.server()]);
        server.cli(&damage);
        assert_eq!(redis.beat(&log).await.unwrap().recorded, None);
        assert!(attach(&redis, &names).await.renewed);
        assert_eq!(redis.beat(&log).await.unwrap().recorded, Some(redis.beat(&log).await.unwrap().server));
    }
}

/// The entry was saved with its marks, and invalidations of after may be lost: no read finds it valid.
#[tokio::test]
async fn a_restarted_server_renews_the_namespace_before_it_answers_a_read() {
    for connections in [1, 4] {
        let mut server = RedisServer::start();
        let redis = patient(server.url()).connections(connections).connect().await.unwrap();
        let (names, never_attached) = (Names::random(), Names::random());
        attach(&redis, &names).await;
        put(&redis, &names).await.unwrap();
        put(&redis, &never_attached).await.unwrap();
        let before = redis.beat(&names.log()).await.unwrap().server;
        server.cli(&["SAVE"]);
        server.restart();

        // Old connections fail first.
        let found = async |names: &Names| loop {
            if let Ok(found) = read(&redis, &names.key("a"), &names.marks()).await {
                return found;
            }
        };
        let after = timeout(MINUTE, found(&names)).await.expect("it recovers");
        assert!(after.entry.is_some(), "it was saved");
        assert_eq!(after.epochs[0], None, "and its namespace was renewed");
        assert!(found(&never_attached).await.epochs[0].is_some());
        let pulse = redis.beat(&names.log()).await.unwrap();
        assert_ne!(pulse.server, before);
        assert_eq!(pulse.recorded, Some(pulse.server));
        assert!(!attach(&redis, &names).await.renewed, "that was done");
        let last = messages(&redis, &names).await.pop().unwrap();
        assert_eq!((last.revoked, Some(last.position)), (vec![names.namespace().name().to_owned()], pulse.end));
    }
}

/// A wait on a connection that ended fails, and the next one finds the server again.
#[tokio::test]
async fn a29_following_finds_a_server_that_comes_back() {
    let (mut server, redis, names) = start().await;
    let end = attach(&redis, &names).await.end;
    let log = names.log();
    let ask = Follow { log: &log, after: end, wait: 10 * MINUTE, most: 100 };
    let is_waiting = async || server.cli(&["CLIENT", "LIST"]).contains("cmd=xread");
    let (waited, ()) = tokio::join!(redis.follow(ask), async {
        eventually("it waits", is_waiting).await;
        server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    });
    assert!(waited.is_err());
    server.restart();
    // The first connection for data attaches, and that is a message.
    eventually("it answers", async || redis.probe().await.is_ok()).await;
    let renewed = redis.follow(ask).await.unwrap();
    assert_eq!(renewed[0].revoked, [names.namespace().name()]);
}

/// Nobody else waits behind a wait; one that is dropped takes its connection with it.
#[tokio::test]
async fn a_wait_has_a_connection_of_its_own_and_keeps_it() {
    let server = RedisServer::start();
    let redis = patient(server.url()).connections(1).connect().await.unwrap();
    let names = Names::random();
    let end = attach(&redis, &names).await.end;
    let clients = || server.cli(&["CLIENT", "LIST"]).lines().count();
    let before = clients();
    for _ in 0..3 {
        assert!(wait(&redis, &names, end, Duration::from_millis(1)).await.is_empty());
        assert_eq!(clients(), before + 1);
    }
    let is_waiting = async || server.cli(&["CLIENT", "LIST"]).contains("flags=b");
    tokio::select! {
        biased;
        _ = wait(&redis, &names, end, 10 * MINUTE) => panic!("there is nothing to find"),
        () = eventually("it waits", is_waiting) => {}
    }
    put(&redis, &names).await.unwrap();
    eventually("its connection ends", async || clients() == before).await;
    assert_eq!(wait(&redis, &names, end, 10 * MINUTE).await.len(), 1);
    redis.close().await;
    eventually("all of them end", async || clients() == 1).await;
}

#[tokio::test]
async fn scripts_of_the_log_that_the_server_forgot_are_sent_again() {
    let (server, redis, names) = start().await;
    for _ in 0..2 {
        server.cli(&["SCRIPT", "FLUSH"]);
        attach(&redis, &names).await;
        guard(&redis, &names, Guard::Hold { ttl: Duration::from_millis(1) }).await;
    }
    // Also by a connection that attaches.
    server.cli(&["SCRIPT", "FLUSH"]);
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    eventually("it recovers", async || take(&redis, &names).await.is_ok()).await;
}

#[tokio::test]
async fn another_program_invalidates_with_the_documented_script() {
    let (server, redis, names) = start().await;
    let documentation = include_str!("../../src/lib.rs").lines().filter_map(|line| line.strip_prefix("//!"));
    let script = documentation.skip_while(|line| *line != " ```lua").skip(1).take_while(|line| *line != " ```");
    let script: Vec<_> = script.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let (script, log, key) = (script.join("\n"), names.log(), names.key("a"));
    let (any_tag, tag) = (names.any_tag(), names.tag("a"));
    let revoke = |names: &[&str]| {
        let count = names.len().to_string();
        server.cli(&[&["EVAL", script.as_str(), &count], names].concat())
    };

    let first = revoke(&[log.name(), tag.name()]);
    put(&redis, &names).await.unwrap();
    take(&redis, &names).await.unwrap();
    guard(&redis, &names, Guard::Hold { ttl: MINUTE }).await;
    server.cli(&["DEL", &key.guard()]);
    put(&redis, &names).await.unwrap();
    take(&redis, &names).await.unwrap();
    let end = redis.beat(&log).await.unwrap().end.unwrap();
    let (found, _) = tokio::join!(wait(&redis, &names, end, 10 * MINUTE), async {
        revoke(&[log.name(), &key.entry(1), tag.name(), any_tag.name()])
    });
    assert_eq!((found.len(), found[0].after, found[0].from), (1, Some(end), None));
    assert_eq!(found[0].revoked, [&key.entry(1), tag.name(), any_tag.name()]);
    assert_eq!(messages(&redis, &names).await[0].position.to_string(), first);
    assert!(!is_there(&redis, &names).await.unwrap());
    assert_eq!(server.cli(&["EXISTS", &key.lease(1)]), "0");
    assert_eq!(server.cli(&["GET", tag.name()]), "hold", "a hold-off stays");
}
