//! A17: real processes on one server.
//!
//! A process of the fleet is this very test program, started once more for the same test with [`MEMBER`] set. It says
//! what it does by counters on the server.

use std::{
    env,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bb8_redis::redis::{self, FromRedisValue};
use cache_core::Stack;
use cache_redis::{Redis, testing::RedisServer};
use tokio::{
    runtime::Runtime,
    task::{JoinSet, spawn_blocking},
    time::interval,
};

use crate::{Items, items, until};

/// Holds the server's URL in a member's environment.
const MEMBER: &str = "CACHE_TEST_MEMBER";
const MEMBERS: usize = 4;
const CALLERS: usize = 25;
const KEY: &str = "k";

#[test]
fn a17_four_processes_load_once() {
    let test = "fleet::a17_four_processes_load_once";
    if let Ok(url) = env::var(MEMBER) {
        return member(&url);
    }
    let server = RedisServer::start();
    Runtime::new().unwrap().block_on(async {
        let fleet = Fleet::start(&server, test);
        fleet.all_but_the_holder_wait().await;
        fleet.let_loads_end();
        let answers = fleet.answers().await;
        assert_eq!(answers.len(), MEMBERS * CALLERS);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(count(&server, "loads"), 1);
    });
    assert_eq!(server.cli(&["KEYS", "*:lease"]), "");
}

#[test]
fn a17_one_takes_over_when_the_holder_is_killed() {
    let test = "fleet::a17_one_takes_over_when_the_holder_is_killed";
    if let Ok(url) = env::var(MEMBER) {
        return member(&url);
    }
    let server = RedisServer::start();
    Runtime::new().unwrap().block_on(async {
        let mut fleet = Fleet::start(&server, test);
        fleet.all_but_the_holder_wait().await;
        let dead = fleet.kill_the_holder();
        // Nobody waits longer than a lease lives, or they would all load by themselves in the end.
        until("another one loads", async || count(&server, "loads") == 2).await;
        fleet.let_loads_end();
        let answers = fleet.answers().await;
        assert_eq!(answers.len(), (MEMBERS - 1) * CALLERS);
        assert!(answers.iter().all(|answer| *answer == answers[0] && *answer != dead), "{answers:?} after {dead}");
        assert_eq!(count(&server, "loads"), 2, "one took over");
    });
    assert_eq!(server.cli(&["KEYS", "*:lease"]), "");
}

/// Members of a fleet. Those that are left when it is dropped are killed.
struct Fleet<'s> {
    server: &'s RedisServer,
    members: Vec<Child>,
}

impl<'s> Fleet<'s> {
    fn start(server: &'s RedisServer, test: &str) -> Self {
        let member = || {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", test, "--nocapture"])
                .env(MEMBER, server.url())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        };
        Self { server, members: (0..MEMBERS).map(|_| member()).collect() }
    }

    async fn all_but_the_holder_wait(&self) {
        until("one loads, and the others wait", async || {
            count(self.server, "loads") == 1 && count(self.server, "waiting") as usize == MEMBERS - 1
        })
        .await;
    }

    fn let_loads_end(&self) {
        let _ = self.server.cli(&["SET", "test:go", "1"]);
    }

    /// Says who it was.
    fn kill_the_holder(&mut self) -> u64 {
        let holder = count(self.server, "holder");
        let place = self.members.iter().position(|member| u64::from(member.id()) == holder).unwrap();
        let mut member = self.members.swap_remove(place);
        member.kill().unwrap();
        member.wait().unwrap();
        holder
    }

    /// What the callers of all members were given.
    async fn answers(mut self) -> Vec<u64> {
        until("all members have ended", async || {
            self.members.iter_mut().all(|member| member.try_wait().unwrap().is_some())
        })
        .await;
        for member in &mut self.members {
            assert!(member.wait().unwrap().success());
        }
        let answers = self.server.cli(&["LRANGE", "test:answers", "0", "-1"]);
        answers.lines().map(|answer| answer.parse().unwrap()).collect()
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for member in &mut self.members {
            // It may have ended by itself.
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

fn count(server: &RedisServer, name: &str) -> u64 {
    server.cli(&["GET", &format!("test:{name}")]).parse().unwrap_or(0)
}

/// What a process of the fleet does: its callers ask for one key at once, and it reports what they were given.
fn member(url: &str) {
    Runtime::new().unwrap().block_on(async {
        let redis = Redis::connect(url).await.unwrap();
        // They wait as long as the test does.
        let stack = Stack::builder("shop").l2(redis).lease_wait(Duration::from_secs(120)).build().await.unwrap();
        let items = items(&stack);
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (items, url) = (items.clone(), url.to_owned());
            callers.spawn(async move { items.get_with(KEY, |_| load(url)).await.unwrap() });
        }
        let reporter = tokio::spawn(report_waiting(items, url.to_owned()));
        for answer in callers.join_all().await {
            say::<u64>(url, &["RPUSH", "test:answers", &answer.to_string()]).await;
        }
        reporter.abort();
    });
}

/// A load that ends when the test says so; its value tells whose it is.
async fn load(url: String) -> u64 {
    let me = u64::from(std::process::id());
    say::<()>(&url, &["SET", "test:holder", &me.to_string()]).await;
    say::<u64>(&url, &["INCR", "test:loads"]).await;
    let mut ticks = interval(Duration::from_millis(20));
    while say::<Option<String>>(&url, &["GET", "test:go"]).await.is_none() {
        ticks.tick().await;
    }
    me
}

async fn report_waiting(items: Items, url: String) {
    let mut ticks = interval(Duration::from_millis(10));
    while items.stats().lease_waits == 0 {
        ticks.tick().await;
    }
    say::<u64>(&url, &["INCR", "test:waiting"]).await;
}

/// Sends a command past the cache.
async fn say<T: FromRedisValue + Send + 'static>(url: &str, command: &[&str]) -> T {
    let client = redis::Client::open(url).unwrap();
    let mut line = redis::cmd(command[0]);
    line.arg(&command[1..]);
    spawn_blocking(move || line.query(&mut client.get_connection().unwrap()).unwrap()).await.unwrap()
}
