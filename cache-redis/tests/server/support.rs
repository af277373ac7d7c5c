//! The operations of a backend in the few forms that tests need.

use std::time::Duration;

use cache_core::{
    Bytes, Result,
    backend::{Backend, Claim, FillReply, Found, Invalidate, Lease, LeaseReply, Part, Put, Read},
    key::{EntryKey, Log, Mark, Namespace},
    testing::Names,
    token::{EntryId, LeaseToken, ProcessId},
};
use cache_redis::{Builder, Redis, testing::RedisServer};
use tokio::time::{interval, timeout};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A server, a client of it, and names.
pub(crate) async fn start() -> (RedisServer, Redis, Names) {
    let server = RedisServer::start();
    let redis = patient(server.url()).connect().await.expect("connect");
    (server, redis, Names::random())
}

/// A client that waits as long as a busy machine may take.
pub(crate) fn patient(url: String) -> Builder {
    Redis::builder(url).connect_timeout(MINUTE / 2).response_timeout(MINUTE / 2)
}

pub(crate) async fn read(redis: &Redis, key: &EntryKey, marks: &[Mark]) -> Result<Found> {
    redis.read(Read { key, marks, part: Part::Whole }).await
}

pub(crate) async fn is_there(redis: &Redis, names: &Names) -> Result<bool> {
    let found = read(redis, &names.key("a"), &names.marks()).await?;
    Ok(found.entry.is_some())
}

pub(crate) async fn put(redis: &Redis, names: &Names) -> Result<()> {
    let frame = &Bytes::from_static(b"frame");
    put_at(redis, &names.key("a"), &names.marks(), frame, MINUTE).await.map(drop)
}

pub(crate) async fn put_at(
    redis: &Redis,
    key: &EntryKey,
    marks: &[Mark],
    frame: &Bytes,
    ttl: Duration,
) -> Result<EntryId> {
    let id = EntryId::random();
    let (log, from) = (&log_of(key), ProcessId::random());
    let reply = redis.put(Put { key, id, marks, frame, ttl, retain: ttl, log, from }).await?;
    assert_eq!(reply, FillReply::Stored);
    Ok(id)
}

/// The log of the namespace in which a key is.
pub(crate) fn log_of(key: &EntryKey) -> Log {
    let namespace = key.cache().name().split(':').next().expect("a name has a first part");
    Namespace::new(namespace).expect("it is one").log()
}

pub(crate) async fn take(redis: &Redis, names: &Names) -> Result<()> {
    lease(redis, &names.key("a"), Claim::Take, &names.marks()).await.map(drop)
}

pub(crate) async fn lease(
    redis: &Redis,
    key: &EntryKey,
    claim: Claim,
    marks: &[Mark],
) -> Result<(LeaseToken, LeaseReply)> {
    let token = LeaseToken::random();
    let ask = Lease { key, token, ttl: MINUTE, claim, marks, retain: MINUTE };
    redis.lease(ask).await.map(|reply| (token, reply))
}

pub(crate) async fn invalidate(redis: &Redis, names: &Names) -> Result<()> {
    let (keys, marks, any_tag) = (&[names.key("a")], &[names.tag("a")], &names.any_tag());
    let (log, from) = (&names.log(), ProcessId::random());
    redis.invalidate(Invalidate { keys, marks, any_tag, guard: None, log, from }).await.map(drop)
}

/// Polls `condition` until it holds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let poll = async {
        let mut pace = interval(Duration::from_millis(5));
        while !condition().await {
            pace.tick().await;
        }
    };
    timeout(MINUTE / 2, poll).await.unwrap_or_else(|_| panic!("in 30 s: {what}"));
}
