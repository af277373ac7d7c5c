//! What lies in Redis, and what happens if something else lies there.

use std::time::Duration;

use cache_core::{
    Bytes, ErrorKind,
    backend::{Backend, Claim, Fill, FillReply, Found, Invalidate, Lease, LeaseReply, Put},
    key::{EntryKey, Mark},
    testing::Names,
    token::{EntryId, Epoch, LeaseToken, ProcessId},
};
use cache_redis::Redis;

use crate::support::{self, MINUTE, eventually, put_at, read, start};

const FOREIGN: EntryId = EntryId::from_bytes([0; 16]);

async fn found(redis: &Redis, key: &EntryKey, marks: &[Mark]) -> Found {
    read(redis, key, marks).await.expect("read")
}

async fn put(redis: &Redis, key: &EntryKey, marks: &[Mark], frame: &Bytes) -> EntryId {
    put_at(redis, key, marks, frame, MINUTE).await.expect("put")
}

async fn lease(redis: &Redis, key: &EntryKey, claim: Claim, marks: &[Mark]) -> (LeaseToken, LeaseReply) {
    support::lease(redis, key, claim, marks).await.expect("lease")
}

async fn invalidate(redis: &Redis, names: &Names, keys: &[EntryKey]) {
    let any_tag = &names.any_tag();
    let (log, from) = (&names.log(), ProcessId::random());
    let what = Invalidate { keys, marks: &[], any_tag, guard: None, log, from };
    redis.invalidate(what).await.expect("invalidate");
}

fn number(text: &str) -> i64 {
    text.parse().expect("a number")
}

#[tokio::test]
async fn a24_half_a_second_is_half_a_second_and_thirty_years_are_thirty_years() {
    let (server, redis, names) = start().await;
    let key = names.key("a");
    for ttl in [500, 30 * 365 * 24 * 60 * 60 * 1000] {
        let left = async || {
            put_at(&redis, &key, &[], &Bytes::new(), Duration::from_millis(ttl)).await.unwrap();
            number(&server.cli(&["PTTL", &key.entry(1)]))
        };
        let ttl = i64::try_from(ttl).unwrap();
        // A busy machine may need half a second between the two.
        let in_range = async || (ttl - 60_000).max(1) <= left().await;
        eventually("some of it is left", in_range).await;
        assert!(left().await <= ttl);
    }
}

#[tokio::test]
async fn a26_value_and_expiry_are_one_command_and_nothing_of_the_old_is_left() {
    let (server, redis, names) = start().await;
    let key = names.key("a");
    let tags: Vec<_> = (0..9).map(|n| names.tag(&n.to_string())).collect();
    let large = Bytes::from(vec![1; 10_000]);
    put_at(&redis, &key, &tags, &large, 100 * MINUTE).await.unwrap();
    let old = server.cli(&["STRLEN", &key.entry(1)]);
    assert_eq!(number(&old), 33 + 9 * 16 + 10_000);

    server.cli(&["CONFIG", "RESETSTAT"]);
    put(&redis, &key, &[], &Bytes::from_static(b"new")).await;
    let stats = server.cli(&["INFO", "commandstats"]);
    assert!(!stats.contains("cmdstat_expire") && !stats.contains("cmdstat_pexpire"), "{stats}");
    assert_eq!(server.cli(&["STRLEN", &key.entry(1)]), "36");
    let left = number(&server.cli(&["PTTL", &key.entry(1)]));
    assert!(left > 0 && left <= 60_000, "{left}");
}

/// And no script. What time it is for the server is asked now and then.
#[tokio::test]
async fn a_read_is_one_command() {
    let (server, redis, names) = start().await;
    let (key, marks) = (names.key("a"), [names.namespace(), names.cache(), names.tag("a")]);
    put(&redis, &key, &marks, &Bytes::new()).await;
    server.cli(&["CONFIG", "RESETSTAT"]);
    for _ in 0..100 {
        assert!(found(&redis, &key, &marks).await.entry.is_some());
    }
    let stats = server.cli(&["INFO", "commandstats"]);
    let of_read: Vec<_> = stats
        .lines()
        .filter(|line| line.starts_with("cmdstat_"))
        // This test's own, and those of a connection that the pool may still be opening.
        .filter(|line| !["config", "info", "client", "hello"].iter().any(|own| line[8..].starts_with(own)))
        .filter_map(|line| line.split(',').next())
        .collect();
    assert!(of_read.contains(&"cmdstat_mget:calls=100"), "{stats}");
    assert!(of_read.iter().all(|line| line.starts_with("cmdstat_mget") || line.starts_with("cmdstat_time")), "{stats}");
    let reads = server.cli(&["INFO", "stats"]);
    let reads = reads.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
    assert!(number(reads.unwrap()) < 150, "{reads:?} reads of sockets");
}

#[tokio::test]
async fn a32_bytes_of_another_form_are_a_damaged_entry_that_can_be_replaced() {
    let (server, redis, names) = start().await;
    let (key, marks) = (names.key("a"), names.marks());
    let name = key.entry(1);
    let count_too_high = format!("{}\u{7f}short", "x".repeat(32));
    let damages: [&[&str]; 4] = [
        &["SET", &name, ""],
        &["SET", &name, "x"],
        &["SET", &name, "{\"json\": \"of somebody else\"}"],
        &["SET", &name, &count_too_high, "PX", "60000"],
    ];
    // What is no string counts as missing.
    let others: [&[&str]; 3] =
        [&["RPUSH", &name, "a", "list"], &["HSET", &name, "a", "hash"], &["SADD", &name, "a set"]];
    for damage in damages.into_iter().chain(others) {
        server.cli(&["DEL", &name]);
        server.cli(damage);
        let damaged = found(&redis, &key, &marks).await.entry;
        assert_eq!(damaged.is_some(), damages.contains(&damage), "{damage:?}");
        if let Some(damaged) = &damaged {
            assert_eq!((damaged.id, damaged.remaining), (FOREIGN, None), "{damage:?}");
            assert!(damaged.epochs.is_empty() && damaged.frame.is_empty());
        }

        let seen = damaged.map(|damaged| damaged.id);
        let (token, reply) = lease(&redis, &key, Claim::Join { seen }, &marks).await;
        let LeaseReply::Granted { epochs } = reply else { panic!("{damage:?}: {reply:?}") };
        let (id, frame) = (EntryId::random(), &Bytes::from_static(b"repaired"));
        let fill = Fill { key: &key, token, id, epochs: &epochs, late: None, frame, ttl: MINUTE };
        assert_eq!(redis.fill(fill).await.unwrap(), FillReply::Stored);
        let repaired = found(&redis, &key, &marks).await.entry.unwrap();
        assert_eq!((repaired.id, &repaired.frame), (id, frame));
    }
    server.cli(&["DEL", &name]);
    server.cli(&["RPUSH", &name, "a", "list"]);
    put(&redis, &key, &marks, &Bytes::new()).await;
    assert_ne!(found(&redis, &key, &marks).await.entry.unwrap().id, FOREIGN);
}

#[tokio::test]
async fn a32_a_valid_newer_entry_is_not_taken_for_the_damaged_one_that_was_seen() {
    let (server, redis, names) = start().await;
    let key = names.key("a");
    server.cli(&["SET", &key.entry(1), "damaged"]);
    let seen = found(&redis, &key, &[]).await.entry.map(|entry| entry.id);
    let newer = put(&redis, &key, &[], &Bytes::new()).await;
    match lease(&redis, &key, Claim::Join { seen }, &[]).await.1 {
        LeaseReply::Found(found) => assert_eq!(found.entry.unwrap().id, newer),
        other => panic!("{other:?}"),
    }
}

/// `PERSIST` by hand, or a tool that copied the key.
#[tokio::test]
async fn a25_an_entry_without_an_end_ends_when_its_time_is_over() {
    let (server, redis, names) = start().await;
    let key = names.key("a");
    let id = put(&redis, &key, &[], &Bytes::new()).await;
    server.cli(&["PERSIST", &key.entry(1)]);
    let entry = found(&redis, &key, &[]).await.entry.unwrap();
    assert_eq!(entry.id, id);
    assert!(entry.remaining.is_some_and(|left| !left.is_zero() && left <= MINUTE), "{entry:?}");
}

/// The key was given a longer life than its entry has.
#[tokio::test]
async fn a25_an_entry_remains_no_longer_than_its_own_time_to_live() {
    let (server, redis, names) = start().await;
    let key = names.key("a");
    put(&redis, &key, &[], &Bytes::new()).await;
    server.cli(&["PEXPIRE", &key.entry(1), "9000000"]);
    let entry = found(&redis, &key, &[]).await.entry.unwrap();
    assert!(entry.remaining.is_some_and(|left| !left.is_zero() && left <= MINUTE), "{entry:?}");
}

#[tokio::test]
async fn a_mark_of_another_form_is_missing_and_replaced() {
    let (server, redis, names) = start().await;
    let key = names.key("a");
    let marks = [names.namespace(), names.cache(), names.tag("a"), names.any_tag()];
    let damages: [fn(&str) -> Vec<&str>; 4] = [
        |name| vec!["SET", name, ""],
        |name| vec!["SET", name, "fifteen bytes.."],
        |name| vec!["SET", name, "sixteen bytes and three"],
        |name| vec!["RPUSH", name, "a", "list"],
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        for mark in &marks {
            server.cli(&["DEL", mark.name()]);
            server.cli(&damage(mark.name()));
        }
        assert_eq!(found(&redis, &key, &marks).await.epochs, [None; 4], "{at}");
        let (_, reply) = lease(&redis, &key, Claim::Take, &marks).await;
        let LeaseReply::Granted { epochs } = reply else { panic!("{reply:?}") };
        let epochs: Vec<_> = epochs.into_iter().map(Some).collect();
        assert_eq!(found(&redis, &key, &marks).await.epochs, epochs);
    }
}

#[tokio::test]
async fn marks_of_tags_end_when_nothing_needs_them_and_others_stay() {
    let (server, redis, names) = start().await;
    let (key, tag) = (names.key("a"), names.tag("a"));
    let left = |mark: &Mark| number(&server.cli(&["PTTL", mark.name()]));
    let with_retain = async |retain| {
        let (token, marks) = (LeaseToken::random(), &[names.namespace(), names.cache(), tag.clone()]);
        let ask = Lease { key: &key, token, ttl: MINUTE, claim: Claim::Take, marks, retain };
        redis.lease(ask).await.unwrap();
    };
    with_retain(MINUTE).await;
    assert_eq!((left(&names.namespace()), left(&names.cache())), (-1, -1));
    let first = left(&tag);
    assert!(first > 60_000 && first <= 120_000, "{first}");
    with_retain(MINUTE).await;
    assert!(left(&tag) <= first, "it lasts: it was left alone");
    with_retain(10 * MINUTE).await;
    assert!(left(&tag) > 600_000, "it was too short");
    with_retain(MINUTE).await;
    assert!(left(&tag) > 600_000, "it is never shortened");
    server.cli(&["PERSIST", tag.name()]);
    with_retain(MINUTE).await;
    assert_eq!(left(&tag), -1);
}

#[tokio::test]
async fn versions_are_registered_with_the_cache_and_the_seventeenth_starts_anew() {
    let (server, redis, names) = start().await;
    let length = || number(&server.cli(&["STRLEN", names.cache().name()]));
    let epoch = async || found(&redis, &names.key("a"), &[names.cache()]).await.epochs[0].unwrap();
    let mut epochs = Vec::new();
    for version in 1..=16 {
        for _ in 0..2 {
            lease(&redis, &names.key_of_version("a", version), Claim::Take, &names.marks()).await;
        }
        assert_eq!(length(), 16 + 4 * i64::from(version));
        epochs.push(epoch().await);
    }
    assert!(epochs.windows(2).all(|pair| pair[0] == pair[1]));
    lease(&redis, &names.key_of_version("a", 17), Claim::Take, &names.marks()).await;
    assert_eq!(length(), 20);
    assert_ne!(epoch().await, epochs[0]);
}

#[tokio::test]
async fn race_54_an_invalidation_is_one_call_or_two_when_another_version_lives() {
    let (server, redis, names) = start().await;
    let calls = || {
        let stats = server.cli(&["INFO", "commandstats"]);
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        number(calls.and_then(|rest| rest.split(',').next()).unwrap_or("0"))
    };
    let count = async |keys: &[EntryKey]| {
        let before = calls();
        invalidate(&redis, &names, keys).await;
        calls() - before
    };
    put(&redis, &names.key("a"), &names.marks(), &Bytes::new()).await;
    // The server has the script from now on.
    invalidate(&redis, &names, &[names.key("a")]).await;
    assert_eq!(count(&[names.key("a")]).await, 1);
    assert_eq!(count(&[names.key("a"), names.key("b")]).await, 1);
    let new = names.key_of_version("a", 2);
    put(&redis, &new, &names.marks(), &Bytes::new()).await;
    assert_eq!(count(&[names.key("a")]).await, 2);
    assert!(found(&redis, &new, &[]).await.entry.is_none());
}

#[tokio::test]
async fn a_lease_without_an_end_is_none() {
    let (server, redis, names) = start().await;
    let key = names.key("a");
    for command in [["SET", &key.lease(1), "sixteen bytes..."], ["RPUSH", &key.lease(1), "a list"]] {
        server.cli(&["DEL", &key.lease(1)]);
        server.cli(&command);
        let (token, reply) = lease(&redis, &key, Claim::Join { seen: None }, &[]).await;
        assert!(matches!(reply, LeaseReply::Granted { .. }), "{reply:?}");
        assert!(redis.extend(&key, token, MINUTE).await.unwrap());
    }
}

#[tokio::test]
async fn an_entry_has_at_most_255_marks() {
    let (_server, redis, names) = start().await;
    let (key, id, frame) = (&names.key("a"), EntryId::random(), &Bytes::new());
    let marks: Vec<_> = (0..256).map(|n| names.tag(&n.to_string())).collect();
    put(&redis, key, &marks[..255], frame).await;
    assert_eq!(found(&redis, key, &[]).await.entry.unwrap().epochs.len(), 255);
    let (log, from) = (&names.log(), ProcessId::random());
    let put = Put { key, id, marks: &marks, frame, ttl: MINUTE, retain: MINUTE, log, from };
    assert_eq!(redis.put(put).await.unwrap_err().kind(), ErrorKind::Codec);
    let (token, epochs) = (LeaseToken::random(), &[Epoch::random(); 256]);
    let fill = Fill { key, token, id, epochs, late: None, frame, ttl: MINUTE };
    assert_eq!(redis.fill(fill).await.unwrap_err().kind(), ErrorKind::Codec);
}
