//! A service over a real database: it warms up, takes a load, survives a stampede, sees an update at once, and says in
//! numbers what the cache was good for.
//!
//! ```text
//! cargo run --release --example quickstart
//! REDIS_URL=redis://127.0.0.1:6379 cargo run --release --example quickstart     # twice: the second run finds L2 warm
//! ```
//!
//! It ends with an error if a promise was not kept.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

mod database;
mod load;
mod popularity;
mod service;
mod stampede;
mod summary;
mod update;

use std::{convert::Infallible, env, error::Error, process::ExitCode, sync::Arc, time::Duration};

use cache_core::{L1, Policies, Stack, backend::Memory, warm::Warmer};
use cache_redis::{Redis, RedisConfig};

use crate::{
    database::{Database, Directory},
    popularity::{Popularity, Request},
    summary::Summary,
};

/// How many entries are warmed at start.
const WARMED: usize = 200;

/// The database keeps every core of a small machine busy at times, and Redis may have to wait its turn.
const L2_DEADLINE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let directory = Directory::create()?;
    let db = Database::create(&directory)?;
    let popularity = Arc::new(Popularity::new());

    let stack = stack().await?;
    stack.install()?;
    stack.register(warmer(&db, &popularity))?;

    let warm_up = stack.warm("most-popular").await?;
    let load = load::run(&db, &popularity).await?;
    let stampede = stampede::run(&db).await?;
    let update = update::run(&stack, &db).await?;
    stack.shutdown().await?;

    let l2 = stack.health().l2.map_or("none", |l2| l2.backend);
    let summary = Summary { l2, keys: popularity.len(), warm_up, load, stampede, update };
    println!("{summary}");
    Ok(verdict(&summary))
}

/// The tiers: L1 holds about half of what there is, so that L2 has something to do.
async fn stack() -> Result<Stack, Box<dyn Error>> {
    let builder = Stack::builder("quickstart")
        .l1(L1::entries(2_000))
        .l2_deadline(L2_DEADLINE)
        .policies(Policies::from_toml(include_str!("cache.toml"))?.with_env()?);
    let builder = match env::var_os("REDIS_URL") {
        Some(_) => {
            let mut config = RedisConfig::from_env()?;
            config.response_timeout = L2_DEADLINE;
            builder.l2(Redis::from_config(&config).await?)
        }
        None => builder.l2(Memory::new()),
    };
    let stack = builder.build().await?;
    match stack.health().l2.and_then(|l2| l2.last_error) {
        // A service would go on without it; here there would be nothing to see.
        Some(error) => Err(error.into()),
        None => Ok(stack),
    }
}

/// Warms what is asked for most, by asking for it.
fn warmer(db: &Database, popularity: &Arc<Popularity>) -> Warmer {
    let (db, popularity) = (db.clone(), Arc::clone(popularity));
    let list = move || {
        let list = popularity.most_popular(WARMED);
        async { Ok::<_, Infallible>(list) }
    };
    let warm = move |request: Request| {
        let db = db.clone();
        async move { request.ask(&db).await }
    };
    Warmer::new("most-popular", list, warm)
}

fn verdict(summary: &Summary) -> ExitCode {
    let broken = summary.broken_promises();
    for promise in &broken {
        eprintln!("NOT KEPT: {promise}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
