//! Warming: entries are loaded before they are asked for, at start, on demand by name, and on a schedule. It is done by
//! ordinary reads, so nothing is loaded that is warm already, and nothing twice in the fleet.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::{io, time::Duration};

use cache_core::{Cache, Result, Stack, warm::Warmer};
use tokio::time::interval;

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("example").build().await?;
    let plans = stack.cache::<u32, String>("plan").build()?;
    let warmer = warmer(&plans);
    stack.register(warmer.clone())?;

    // At start, in the background, with its progress.
    let run = warmer.start();
    let mut progress = run.progress();
    let half = progress.wait_for(|progress| progress.warmed >= 100).await;
    println!("on the way: {:?}", half.map(|progress| *progress));
    let report = run.report().await?;
    assert_eq!((report.warmed, report.skipped, report.failed), (200, 0, 0));

    // On demand, by name: from an endpoint for operators, or after a deployment.
    let report = stack.warm("popular-plans").await?;
    assert_eq!((report.warmed, report.skipped), (0, 200));

    // On an event: the price list was replaced.
    plans.invalidate_all().await?;
    assert_eq!(stack.warm("popular-plans").await?.warmed, 200);

    // On a schedule: a task that never ends in a service, and after three rounds here.
    let mut schedule = interval(Duration::from_millis(10));
    for round in 1..=3 {
        schedule.tick().await;
        plans.invalidate(&round).await?;
        for report in stack.warm_all().await {
            let report = report?;
            assert_eq!((report.warmed, report.skipped), (1, 199));
            println!("round {round}: `{}` took {:?}", report.name, report.took);
        }
    }
    Ok(())
}

/// A list of what to warm, and how to warm one of it.
fn warmer(plans: &Cache<u32, String>) -> Warmer {
    let plans = plans.clone();
    let popular = || async { Ok::<_, io::Error>(1..=200) };
    let warm = move |id: u32| {
        let plans = plans.clone();
        async move { plans.at(&id).get_with(|_| async move { format!("plan {id}") }).await }
    };
    Warmer::new("popular-plans", popular, warm).concurrency(8).deadline(Duration::from_secs(30))
}
