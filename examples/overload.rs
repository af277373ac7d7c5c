//! A slow origin is not hammered: so many loads run at once, those beyond wait, and of those only so many.

#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use cache_core::{Result, Stack};

static RUNNING: AtomicU32 = AtomicU32::new(0);

async fn slow(id: u64) -> u64 {
    assert!(RUNNING.fetch_add(1, Ordering::SeqCst) < 4);
    tokio::time::sleep(Duration::from_millis(2)).await;
    RUNNING.fetch_sub(1, Ordering::SeqCst);
    id
}

#[tokio::main]
async fn main() -> Result<()> {
    // Four loads at once, in all caches of this process; as many as that wait, and not a thousand more.
    let stack = Stack::builder("shop").max_loads(4).max_waiting_loads(1000).build().await?;
    let reports = stack.cache::<u64, u64>("report").build()?;
    let tasks: Vec<_> = (0..100)
        .map(|id| {
            tokio::spawn({
                let reports = reports.clone();
                async move { reports.get_with(&id, |_| slow(id)).await }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it ends")?;
    }
    println!("{} of {} loads waited for room", reports.stats().load_waits, reports.stats().loads);
    Ok(())
}
