//! A server that answers, and says no.

use std::{error::Error as _, time::Duration};

use cache_core::{
    Bytes, Error, ErrorKind,
    backend::{Attach, Backend, Claim, Expire, Fill, Follow, Guard, Invalidate, Lease, LeaseReply, Part, Read},
    testing::Names,
    token::{EntryId, LeaseToken, ProcessId},
};
use cache_redis::{Redis, RedisConfig, testing::RedisServer};

use crate::support::{MINUTE, eventually, invalidate, is_there, patient, put};

async fn connect_error(url: String) -> Error {
    patient(url).connect().await.expect_err("it must not connect")
}

/// Everything that an error could tell: itself, and what it came from.
fn whole(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(&format!(" {inner} {inner:?}"));
        source = inner.source();
    }
    text
}

#[tokio::test]
async fn a30_a_full_server_refuses_what_grows_and_still_invalidates() {
    let server = RedisServer::builder().arguments(["--maxmemory-policy", "noeviction"]).start();
    let redis = patient(server.url()).connect().await.unwrap();
    let (names, other) = (Names::random(), Names::random());
    put(&redis, &names).await.unwrap();
    let (key, token, marks) = (&names.key("b"), LeaseToken::random(), &names.marks());
    let lease = Lease { key, token, ttl: MINUTE, claim: Claim::Take, marks, retain: MINUTE };
    let LeaseReply::Granted { epochs } = redis.lease(lease).await.unwrap() else { panic!("nobody else wants it") };

    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    // The scripts that are needed now may have to be sent first.
    server.cli(&["SCRIPT", "FLUSH"]);
    let (id, epochs, frame) = (EntryId::random(), epochs.as_slice(), &Bytes::from_static(b"f"));
    let fill = Fill { key, token, id, epochs, late: None, frame, ttl: MINUTE };
    for refused in [redis.fill(fill).await.map(drop), redis.lease(lease).await.map(drop), put(&redis, &other).await] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("OOM"), "{error}");
    }
    assert!(is_there(&redis, &names).await.unwrap(), "reading goes on");
    assert!(redis.extend(key, token, MINUTE).await.unwrap());
    redis.release(key, token).await.unwrap();
    assert!(!redis.extend(key, token, MINUTE).await.unwrap());
    invalidate(&redis, &names).await.unwrap();
    assert!(!is_there(&redis, &names).await.unwrap());
}

#[tokio::test]
async fn a30_wrong_credentials_are_permanent_errors_at_connect() {
    let server = RedisServer::builder().password("correct horse").start();
    let wrong = server.url().replace("correct horse", "hunter2");
    let none = format!("redis://127.0.0.1:{}", server.port());
    let user = none.replace("//", "//alice:hunter2@");
    for url in [wrong, none, user] {
        let error = connect_error(url).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        let text = whole(&error);
        assert!(!text.contains("hunter2") && !text.contains("correct horse"), "{text}");
    }
    let redis = patient(server.url()).connect().await.unwrap();
    put(&redis, &Names::random()).await.unwrap();
}

#[tokio::test]
async fn a30_credentials_that_are_withdrawn_are_a_permanent_error() {
    let server = RedisServer::start();
    server.cli(&["ACL", "SETUSER", "cache", "on", ">hunter2", "~*", "+@all"]);
    let url = format!("redis://cache:hunter2@127.0.0.1:{}", server.port());
    let redis = patient(url).connect().await.unwrap();
    let names = Names::random();
    put(&redis, &names).await.unwrap();
    server.cli(&["ACL", "DELUSER", "cache"]);
    let denied = async || match put(&redis, &names).await {
        Err(error) => error.kind() == ErrorKind::Denied && !whole(&error).contains("hunter2"),
        Ok(()) => false,
    };
    eventually("new connections are denied", denied).await;
}

/// The rights that the documentation names are enough, and without one of them the error says so.
#[tokio::test]
async fn a30_a_missing_right_is_named_and_the_documented_rights_suffice() {
    let server = RedisServer::start();
    let names = Names::random();
    let namespace = names.namespace().name().trim_end_matches('#').to_owned();
    let documentation = include_str!("../../src/lib.rs").lines();
    let lines = documentation.filter_map(|line| line.strip_prefix("//!     ")).filter(|line| line.starts_with('+'));
    let rights: Vec<_> = lines.flat_map(|line| line.split(' ')).collect();
    let set_user = |name: &str, rights: &[&str]| {
        let keys = format!("~{namespace}*");
        let mut command = vec!["ACL", "SETUSER", name, "on", ">hunter2", "resetchannels", &keys, "-@all"];
        command.extend(rights);
        server.cli(&command);
        format!("redis://{name}:hunter2@127.0.0.1:{}", server.port())
    };
    let redis = patient(set_user("enough", &rights)).connect().await.unwrap();
    put(&redis, &names).await.unwrap();
    assert!(is_there(&redis, &names).await.unwrap());
    let (key, token, tags) = (&names.key("a"), LeaseToken::random(), &[names.tag("a"), names.cache()]);
    for retain in [MINUTE, 10 * MINUTE] {
        let lease = Lease { key, token, ttl: MINUTE, claim: Claim::Take, marks: tags, retain };
        redis.lease(lease).await.unwrap();
    }
    assert!(redis.extend(key, token, MINUTE).await.unwrap());
    redis.release(key, token).await.unwrap();
    invalidate(&redis, &names).await.unwrap();
    redis.probe().await.unwrap();
    everything_about_the_log(&redis, &names).await;

    let foreign = Names::random();
    assert_eq!(put(&redis, &foreign).await.unwrap_err().kind(), ErrorKind::Denied);
    for (at, missing) in ["+evalsha", "+mget", "+set"].into_iter().enumerate() {
        let rights: Vec<_> = rights.iter().copied().filter(|right| *right != missing).collect();
        let redis = patient(set_user(&format!("lacks{at}"), &rights)).connect().await.unwrap();
        let error = put(&redis, &names.with_cache("other")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "without {missing}: {}", whole(&error));
        assert!(error.to_string().contains("NOPERM"), "{error}");
    }
}

/// It may be behind: not even a read is asked of it.
#[tokio::test]
async fn a30_a_replica_is_refused_until_it_is_promoted() {
    let (primary, replica) = (RedisServer::start(), RedisServer::start());
    let names = Names::random();
    put(&patient(primary.url()).connect().await.unwrap(), &names).await.unwrap();
    follow(&replica, &primary).await;
    let redis = patient(replica.url()).connect().await.unwrap();
    for refused in [is_there(&redis, &names).await.map(drop), put(&redis, &names).await] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", whole(&error));
        assert!(error.to_string().contains("replica"), "{error}");
    }
    replica.cli(&["REPLICAOF", "NO", "ONE"]);
    let promoted = async || put(&redis, &names).await.is_ok();
    eventually("it is promoted", promoted).await;
}

/// A connection that stood before learns it from the beat, and is given up.
#[tokio::test]
async fn a30_a_beat_on_a_replica_fails() {
    let (primary, other) = (RedisServer::start(), RedisServer::start());
    let redis = patient(primary.url()).connections(1).connect().await.unwrap();
    let names = Names::random();
    let before = redis.beat(&names.log()).await.unwrap().server;
    follow(&primary, &other).await;
    let error = redis.beat(&names.log()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", whole(&error));
    assert!(error.to_string().contains("replica"), "{error}");
    primary.cli(&["REPLICAOF", "NO", "ONE"]);
    let beats = async || redis.beat(&names.log()).await.is_ok();
    eventually("it beats again", beats).await;
    assert_ne!(redis.beat(&names.log()).await.unwrap().server, before, "its history is another one");
}

/// Behind a name that was moved to the new primary, only a new connection leads there.
#[tokio::test]
async fn a30_the_connection_to_a_demoted_primary_is_given_up() {
    let (primary, other) = (RedisServer::start(), RedisServer::start());
    let redis = patient(primary.url()).connections(1).connect().await.unwrap();
    let names = Names::random();
    put(&redis, &names).await.unwrap();
    let connection = || primary.cli(&["CLIENT", "LIST", "TYPE", "normal"]).split_whitespace().next().map(str::to_owned);
    let before = connection();
    follow(&primary, &other).await;
    assert!(put(&redis, &names).await.is_err());
    let error = is_there(&redis, &names).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", whole(&error));
    eventually("the old connection ends", async || connection() != before).await;
}

async fn everything_about_the_log(redis: &Redis, names: &Names) {
    let (log, from, token) = (&names.log(), ProcessId::random(), LeaseToken::random());
    let end = redis.attach(Attach { log, from, max_staleness: MINUTE, keep: false }).await.expect("attach").end;
    let (keys, marks, any_tag) = (&[names.key("a")], &[names.tag("a")], &names.any_tag());
    let ttl = MINUTE;
    for guard in [Guard::Hold { ttl }, Guard::Hold { ttl }, Guard::Open { token, ttl }, Guard::Close { token }] {
        let what = Invalidate { keys, marks, any_tag, guard: Some(guard), log, from };
        redis.invalidate(what).await.expect("invalidate");
    }
    redis.expire(Expire { keys, tags: marks, any_tag, log, from }).await.expect("expire");
    assert_eq!(redis.beat(log).await.expect("beat").max_staleness, MINUTE);
    for wait in [Duration::ZERO, MINUTE] {
        let ask = Follow { log, after: end, wait, most: 100 };
        assert_eq!(redis.follow(ask).await.expect("follow").len(), 5);
    }
    redis.read(Read { key: &keys[0], marks, part: Part::Head }).await.expect("read");
}

async fn follow(replica: &RedisServer, primary: &RedisServer) {
    replica.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    primary.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    replica.cli(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    let follows = async || {
        let info = replica.cli(&["INFO", "replication"]);
        info.contains("master_link_status:up")
    };
    eventually("the replica follows", follows).await;
}

#[tokio::test]
async fn a30_a_server_that_loads_its_data_refuses_for_now() {
    let mut server = RedisServer::builder().arguments(["--enable-debug-command", "local"]).start();
    let names = Names::random();
    put(&patient(server.url()).connect().await.unwrap(), &names).await.unwrap();
    server.cli(&["DEBUG", "POPULATE", "10000", "filler", "64"]);
    server.cli(&["SAVE"]);
    // A tenth of a millisecond for each key: a second in all.
    let slowly = ["--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024"];
    server.restart_with(&slowly);
    let redis = patient(server.url()).connect().await.unwrap();
    let error = is_there(&redis, &names).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{}", whole(&error));
    assert!(error.to_string().contains("LOADING"), "{error}");
    let loaded = async || is_there(&redis, &names).await.unwrap_or(false);
    eventually("it has loaded", loaded).await;
}

#[tokio::test]
async fn a30_a_cluster_is_refused_with_the_reason() {
    let server = RedisServer::builder().arguments(["--cluster-enabled", "yes"]).start();
    let error = connect_error(server.url()).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("cluster mode"), "{error}");
}

#[tokio::test]
async fn a30_a_server_with_no_room_for_more_clients_refuses_for_now() {
    let server = RedisServer::start();
    let taken = patient(server.url()).connections(2).connect().await.unwrap();
    taken.probe().await.unwrap();
    server.cli(&["CONFIG", "SET", "maxclients", "2"]);
    let redis = patient(server.url()).connect().await.unwrap();
    let error = redis.probe().await.unwrap_err();
    assert!(error.is_temporary(), "{}", whole(&error));
    taken.close().await;
    let answers = async || redis.probe().await.is_ok();
    eventually("there is room again", answers).await;
}

#[tokio::test]
async fn a40_nothing_prints_the_password() {
    let mut server = RedisServer::builder().password("hunter2").start();
    let config = RedisConfig::new(server.url());
    let redis = Redis::from_config(&config).await.unwrap();
    let builder = Redis::builder(server.url());
    let mut printed = format!("{config:?} {config:#?} {redis:?} {builder:?}");
    server.kill();
    let error = is_there(&redis, &Names::random()).await.unwrap_err();
    printed.push_str(&whole(&error));
    for url in ["redis://:hunter2@", "redis://:hunter2@host:99999", "hunter2", "redis://:hunter2@nowhere.invalid"] {
        let config = RedisConfig::new(url);
        printed.push_str(&format!("{config:?}"));
        match Redis::connect(url).await {
            Ok(redis) => {
                let error = redis.probe().await.unwrap_err();
                printed.push_str(&format!("{redis:?} {}", whole(&error)));
            }
            Err(error) => printed.push_str(&whole(&error)),
        }
    }
    assert!(!printed.contains("hunter2"), "{printed}");
}
