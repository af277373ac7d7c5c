//! Many reads at once: they share commands, and nothing else.
//!
//! A server that is stopped makes them gather: the first is on its way, the others wait for its place.

use std::collections::BTreeMap;

use cache_core::{
    Bytes, ErrorKind, Result,
    backend::{Backend, Found},
    key::{EntryKey, Mark},
    testing::Names,
};
use cache_redis::{Redis, testing::RedisServer};
use tokio::{
    task::{JoinHandle, yield_now},
    time::timeout,
};

use crate::support::{MINUTE, eventually, is_there, patient, put_at, read};

/// The most reads that go together.
const MOST: usize = 256;

struct Scene {
    server: RedisServer,
    redis: Redis,
    names: Names,
    /// Those of every entry, and tags that some have in common: made once, as in a stack.
    scopes: Vec<Mark>,
    tags: Vec<Mark>,
}

type Reading = JoinHandle<Result<Found>>;

impl Scene {
    /// Of one connection, so that all reads gather for it.
    async fn start() -> Self {
        Self::with(1).await
    }

    async fn with(connections: u32) -> Self {
        let server = RedisServer::start();
        let redis = patient(server.url()).connections(connections).connect().await.expect("connect");
        let names = Names::random();
        let tags = (0..7).map(|tag| names.tag(&format!("of {tag}"))).collect();
        Self { server, redis, scopes: names.marks(), tags, names }
    }

    fn key(&self, number: usize) -> EntryKey {
        self.names.key(&number.to_string())
    }

    fn marks(&self, number: usize) -> Vec<Mark> {
        let tag = Some(&self.tags[number % self.tags.len()]).filter(|_| !number.is_multiple_of(3));
        self.scopes.iter().chain(tag).cloned().collect()
    }

    async fn fill(&self, count: usize) {
        for number in 0..count {
            let frame = Bytes::from(format!("frame of {number}"));
            put_at(&self.redis, &self.key(number), &self.marks(number), &frame, MINUTE).await.expect("put");
        }
    }

    fn read(&self, number: usize) -> Reading {
        let (redis, key, marks) = (self.redis.clone(), self.key(number), self.marks(number));
        tokio::spawn(async move { read(&redis, &key, &marks).await })
    }

    /// Stops the server, and has all of them asked for.
    async fn gather(&self, numbers: impl Iterator<Item = usize>) -> BTreeMap<usize, Reading> {
        // The connection stands, and knows what time it is there.
        self.read(0).await.expect("no panic").expect("an answer");
        self.server.cli(&["CONFIG", "RESETSTAT"]);
        self.server.stop();
        let readings = numbers.map(|number| (number, self.read(number))).collect();
        // In this one thread each has had its turn by then.
        for _ in 0..10 {
            yield_now().await;
        }
        readings
    }

    fn calls(&self, command: &str) -> usize {
        self.told("commandstats", &format!("cmdstat_{command}:calls="))
    }

    /// What the server tells of itself; nothing is zero.
    fn told(&self, section: &str, of: &str) -> usize {
        let told = self.server.cli(&["INFO", section]);
        let number = told.lines().find_map(|line| line.strip_prefix(of));
        number.and_then(|number| number.split(',').next()?.trim().parse().ok()).unwrap_or_default()
    }

    fn assert_found(&self, number: usize, found: &Found) {
        let entry = found.entry.as_ref().unwrap_or_else(|| panic!("{number} is there"));
        assert_eq!(entry.frame, format!("frame of {number}"));
        let epochs: Vec<_> = found.epochs.iter().map(|epoch| epoch.expect("each mark is there")).collect();
        assert_eq!(entry.epochs, epochs, "{number}");
        assert!(entry.remaining.is_some_and(|left| !left.is_zero() && left <= MINUTE));
    }
}

#[tokio::test]
async fn reads_that_gather_are_answered_each_with_its_own() {
    const COUNT: usize = 600;
    let scene = Scene::start().await;
    scene.fill(COUNT).await;
    let readings = scene.gather(0..COUNT).await;
    scene.server.cont();
    for (number, reading) in readings {
        scene.assert_found(number, &reading.await.unwrap().unwrap());
    }
    let commands = (COUNT - 1).div_ceil(MOST);
    assert_eq!(scene.calls("mget"), 1 + commands);
    let marks = scene.marks(0).len() + commands * (scene.scopes.len() + scene.tags.len());
    assert_eq!(scene.told("stats", "keyspace_hits:"), COUNT + marks, "each command asks for each of its marks once");
}

#[tokio::test]
async fn one_read_at_a_time_is_one_command_each() {
    let scene = Scene::start().await;
    scene.fill(3).await;
    scene.server.cli(&["CONFIG", "RESETSTAT"]);
    for number in [0, 1, 2, 0] {
        scene.assert_found(number, &scene.read(number).await.unwrap().unwrap());
    }
    assert_eq!(scene.calls("mget"), 4);
}

#[tokio::test]
async fn what_is_missing_or_none_of_ours_spoils_nothing_for_the_others() {
    let scene = Scene::start().await;
    scene.fill(20).await;
    scene.server.cli(&["DEL", scene.key(5).name()]);
    for number in [6, 7] {
        scene.server.cli(&["DEL", scene.key(number).name()]);
    }
    scene.server.cli(&["RPUSH", scene.key(6).name(), "a", "list"]);
    scene.server.cli(&["SET", scene.key(7).name(), "garbage"]);
    let lost = scene.names.tag("of 2");
    scene.server.cli(&["DEL", lost.name()]);
    for (number, reading) in scene.gather(0..20).await.into_iter().inspect(|_| scene.server.cont()) {
        let found = reading.await.unwrap().unwrap();
        match number {
            5 | 6 => assert!(found.entry.is_none(), "{number}"),
            7 => assert!(found.entry.is_some_and(|entry| entry.epochs.is_empty() && entry.remaining.is_none())),
            _ if scene.marks(number).contains(&lost) => assert_eq!(found.epochs[2], None, "{number}"),
            _ => scene.assert_found(number, &found),
        }
    }
}

#[tokio::test]
async fn who_leaves_takes_nobodys_answer_along() {
    const COUNT: usize = 200;
    // The one whose turn it is; one that waits; many.
    for leaves in [|number| number == 0, |number| number == 100, |number: usize| !number.is_multiple_of(5)] {
        let scene = Scene::start().await;
        scene.fill(COUNT).await;
        let readings = scene.gather(0..COUNT).await;
        for (number, reading) in &readings {
            if leaves(*number) {
                reading.abort();
            }
        }
        yield_now().await;
        scene.server.cont();
        for (number, reading) in readings {
            match reading.await {
                Ok(found) => scene.assert_found(number, &found.unwrap()),
                Err(left) => assert!(left.is_cancelled() && leaves(number), "{number}"),
            }
        }
        scene.assert_found(7, &scene.read(7).await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_fails_those_on_it_and_behind_it_and_no_later_one() {
    let mut scene = Scene::start().await;
    scene.fill(100).await;
    let readings = scene.gather(0..100).await;
    scene.server.kill();
    for (number, reading) in readings {
        let outcome = timeout(MINUTE / 4, reading).await.expect("at once, not at a deadline").unwrap();
        assert_eq!(outcome.expect_err("nobody answers").kind(), ErrorKind::Unavailable, "{number}");
    }
    scene.server.restart();
    eventually("it recovers", async || is_there(&scene.redis, &scene.names).await.is_ok()).await;
    scene.fill(1).await;
    scene.assert_found(0, &scene.read(0).await.unwrap().unwrap());
}

#[tokio::test]
async fn what_the_server_refuses_to_one_it_refuses_to_no_other() {
    let mut scene = Scene::start().await;
    let (ours, others) = (scene.names.clone(), Names::random());
    let prefix = format!("~{}*", ours.namespace().name().trim_end_matches('#'));
    scene.server.cli(&["ACL", "SETUSER", "own", "on", ">hunter2", &prefix, "+@all"]);
    scene.fill(30).await;
    let url = format!("redis://own:hunter2@127.0.0.1:{}", scene.server.port());
    scene.redis = patient(url).connections(1).connect().await.unwrap();
    let mut readings = scene.gather(0..30).await;
    let denied = {
        let (redis, key) = (scene.redis.clone(), others.key("a"));
        tokio::spawn(async move { read(&redis, &key, &[]).await })
    };
    readings.extend((30..40).map(|number| (number, scene.read(number % 30))));
    yield_now().await;
    scene.server.cont();
    assert_eq!(denied.await.unwrap().unwrap_err().kind(), ErrorKind::Denied);
    for (number, reading) in readings {
        scene.assert_found(number % 30, &reading.await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn an_entry_that_was_large_is_read_apart_from_small_ones() {
    let scene = Scene::start().await;
    scene.fill(20).await;
    let large = Bytes::from(vec![7; 8 << 20]);
    put_at(&scene.redis, &scene.key(20), &scene.marks(20), &large, MINUTE).await.unwrap();
    assert_eq!(scene.read(20).await.unwrap().unwrap().entry.unwrap().frame, large);
    // Once it is known: one for the first of the small ones, one for all others of them, and one for each large one.
    let mut readings = scene.gather(0..20).await;
    let larges: Vec<_> = (0..3).map(|_| scene.read(20)).collect();
    yield_now().await;
    scene.server.cont();
    for reading in larges {
        assert_eq!(reading.await.unwrap().unwrap().entry.unwrap().frame, large);
    }
    for (number, reading) in std::mem::take(&mut readings) {
        scene.assert_found(number, &reading.await.unwrap().unwrap());
    }
    assert_eq!(scene.calls("mget"), 2 + 3);
}

#[tokio::test]
async fn where_there_are_three_connections_large_entries_have_one_for_themselves() {
    let scene = Scene::with(3).await;
    scene.fill(20).await;
    let large = Bytes::from(vec![7; 1 << 20]);
    put_at(&scene.redis, &scene.key(20), &scene.marks(20), &large, MINUTE).await.unwrap();
    scene.read(20).await.unwrap().unwrap();
    // The next connection of the pool is again the one that this read was on.
    for _ in 0..2 {
        scene.redis.probe().await.unwrap();
    }
    let readings = scene.gather(0..=20).await;
    scene.server.cont();
    for (_, reading) in readings {
        assert!(reading.await.unwrap().unwrap().entry.is_some());
    }
    // Of each connection the server tells the last command.
    let clients = scene.server.cli(&["CLIENT", "LIST"]);
    assert_eq!(clients.lines().filter(|client| client.contains(" cmd=mget ")).count(), 3, "{clients}");
}

#[tokio::test]
async fn what_waits_when_the_client_is_closed_is_answered_and_nothing_after() {
    let scene = Scene::start().await;
    scene.fill(10).await;
    let readings = scene.gather(0..10).await;
    scene.redis.close().await;
    scene.server.cont();
    for (number, reading) in readings {
        scene.assert_found(number, &reading.await.unwrap().unwrap());
    }
    assert_eq!(scene.read(0).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
}
