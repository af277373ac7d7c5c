//! 15,000 users at once on one process and a Redis that is killed in the middle and comes back: what they notice of it.
//!
//! `USERS=15000 LENGTH=60 cargo run --release --example load_test --features test-util`: the length is in seconds. It needs
//! a `redis-server` on the PATH, which it starts and ends itself, prints a table, and draws `load_test.svg` in the folder that
//! cargo builds in. It ends with an error unless every call was answered, and in time, with no more loads at once than there may
//! be, and, in a run of a minute or more, unless the hit rate is above 90 %.

#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

mod chart;
mod origin;
mod report;

use std::{env, sync::Arc, time::Duration};

use cache_core::{Cache, L1, Overrides, RefreshAhead, Stack};
use cache_redis::{Redis, testing::RedisServer};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    origin::Origin,
    report::{Phase, Report},
};

const KEYS: usize = 5_000;
/// How long a user waits before the next call, on average.
const THINK: Duration = Duration::from_secs(2);
/// The most loads at once.
const MAX_LOADS: usize = 64;
/// What callers are promised: a load ends within it, waiting for room included.
const DEADLINE: Duration = Duration::from_secs(2);

type Items = Cache<usize, u64>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let users = variable("USERS", 15_000);
    let length = Duration::from_secs(variable("LENGTH", 60) as u64);
    let server = RedisServer::start();
    let stack = Stack::builder("shop")
        .l1(L1::entries(KEYS as u64 / 2))
        .l2(Redis::connect(server.url()).await?)
        .max_staleness(Duration::from_secs(3))
        .max_loads(MAX_LOADS)
        .build()
        .await?;
    let policy = Overrides::new()
        .ttl(Duration::from_secs(60))
        .refresh_ahead(RefreshAhead::XFetch { beta: 1.0 })
        .stale_while_revalidate(Duration::from_secs(30))
        .hard_timeout(DEADLINE);
    let items: Items = stack.cache("item").overrides(policy).build()?;
    let (origin, report) = (Arc::new(Origin::new(KEYS)), Arc::new(Report::new()));

    let mut tasks = JoinSet::new();
    for user in 0..users {
        tasks.spawn(use_it(user as u64, items.clone(), Arc::clone(&origin), Arc::clone(&report)));
    }
    tasks.spawn(change_it(items.clone(), Arc::clone(&origin)));
    tasks.spawn(sample(items.clone(), Arc::clone(&origin), Arc::clone(&report)));

    sleep(length.mul_f64(0.4)).await;
    let mut server = blocking(server, RedisServer::kill).await?;
    report.enter(Phase::Away);
    sleep(length.mul_f64(0.2)).await;
    server = blocking(server, RedisServer::restart).await?;
    report.enter(Phase::Back);
    sleep(length.mul_f64(0.4)).await;
    tasks.shutdown().await;
    drop(server);

    report.print(users);
    let drawing = chart::draw(&report.seconds());
    let path =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), std::path::PathBuf::from).join("load_test.svg");
    std::fs::create_dir_all(path.parent().expect("it has a folder"))?;
    std::fs::write(&path, drawing)?;
    println!("the timeline is in {}", path.display());
    report.check(MAX_LOADS, DEADLINE).map_err(Into::into)
}

/// A user's calls: some key, the popular ones most, then a pause.
async fn use_it(user: u64, items: Items, origin: Arc<Origin>, report: Arc<Report>) {
    let mut dice = origin::Dice::new(user);
    // They did not all come at the same moment.
    sleep(THINK.mul_f64(dice.unit())).await;
    loop {
        let key = origin.popular(dice.unit());
        let began = cache_core::clock::now();
        let loads = Arc::clone(&origin);
        let answer = items.try_get_with(&key, |_| async move { loads.load(key).await }).await;
        report.called(began.elapsed(), answer.is_ok());
        sleep(THINK.mul_f64(-(1.0 - dice.unit()).ln())).await;
    }
}

/// Ten changes a second.
async fn change_it(items: Items, origin: Arc<Origin>) {
    let mut dice = origin::Dice::new(u64::MAX);
    loop {
        let key = origin.popular(dice.unit());
        origin.change(key);
        // While Redis is away it is queued, and told later.
        let _ = items.invalidate(&key).await;
        sleep(Duration::from_millis(100)).await;
    }
}

/// Each second's figures.
async fn sample(items: Items, origin: Arc<Origin>, report: Arc<Report>) {
    let mut before = items.stats();
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = items.stats();
        report.second(now - before, origin.most_at_once());
        before = now;
    }
}

async fn blocking(
    mut server: RedisServer,
    work: impl FnOnce(&mut RedisServer) + Send + 'static,
) -> Result<RedisServer, tokio::task::JoinError> {
    let done = tokio::task::spawn_blocking(move || {
        work(&mut server);
        server
    });
    done.await
}

fn variable(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
