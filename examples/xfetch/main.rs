//! A simulated day of refreshes ahead by XFetch: four processes, a few popular keys, loads that take a second. It prints how
//! often a value was loaded in each of its times to live, and how many reads found it expired.

#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::time::Duration;

use cache_core::{Cache, Overrides, RefreshAhead, Result, Stack, Stats, backend::Memory};

const DAY: Duration = Duration::from_secs(24 * 3600);
const TTL: Duration = Duration::from_secs(300);
const LOAD: Duration = Duration::from_secs(1);
const PROCESSES: usize = 4;
const KEYS: u32 = 4;
/// Of each key in each process.
const PACE: Duration = Duration::from_millis(500);

async fn user(items: Cache<u32, u32>, key: u32, phase: Duration) -> Result<()> {
    tokio::time::sleep(phase).await;
    let end = tokio::time::Instant::now() + DAY;
    while tokio::time::Instant::now() < end {
        let load = |_| async move {
            tokio::time::sleep(LOAD).await;
            key
        };
        items.get_with(&key, load).await?;
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    let store = Memory::new();
    let (mut tasks, mut caches) = (Vec::new(), Vec::new());
    for process in 0..PROCESSES {
        // Rare heartbeats: a day has many of them.
        let stack = Stack::builder("shop").l2(store.clone()).max_staleness(Duration::from_secs(60)).build().await?;
        let policy = Overrides::new().ttl(TTL).refresh_ahead(RefreshAhead::XFetch { beta: 1.0 });
        let items = stack.cache::<u32, u32>("item").overrides(policy).build()?;
        for key in 0..KEYS {
            let phase =
                PACE * u32::try_from(process).expect("few") / PROCESSES as u32 + Duration::from_millis(key.into());
            tasks.push(tokio::spawn(user(items.clone(), key, phase)));
        }
        caches.push((stack, items));
    }
    for task in tasks {
        task.await.expect("it ends")?;
    }
    let stats: Stats = caches.iter().map(|(_, items)| items.stats()).sum();
    // The first reads of all, with which the day begins, find nothing that could have expired.
    let late = (stats.misses + stats.joined).saturating_sub(u64::from(KEYS) * PROCESSES as u64);
    let lives = f64::from(KEYS) * DAY.as_secs_f64() / TTL.as_secs_f64();
    let (loads, expired) = (stats.loads as f64 / lives, 100.0 * late as f64 / stats.requests() as f64);
    println!(
        "{} reads of {KEYS} keys in {PROCESSES} processes, a load takes {LOAD:?}, the ttl is {TTL:?}",
        stats.requests()
    );
    println!("{loads:.3} loads per ttl and key; {expired:.4} % of the reads found the entry expired");
    assert!(loads <= 1.1 && expired < 0.1);
    Ok(())
}
