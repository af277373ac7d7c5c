//! Being told what happens, as it happens. Nothing waits for a subscriber: one that is behind is told how much it missed.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use cache_core::{Result, Stack, events::Kind};

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("shop").build().await?;
    let plans = stack.cache::<u64, String>("plan").build()?;

    // All that happens in the stack, but for hits, in a task of its own. Keys are told because they are asked for here.
    let mut events = stack.events(1024).without_hits().with_keys();
    let reporter = tokio::spawn(async move {
        let mut loads = 0;
        while let Some(event) = events.recv().await {
            let (cache, key) = (event.cache.unwrap_or_default(), event.key.unwrap_or_default());
            println!("{cache} {key}: {:?}, {} missed before", event.kind, event.missed);
            loads += u32::from(matches!(event.kind, Kind::Loaded { .. }));
        }
        loads
    });
    for id in [7, 8, 7, 7] {
        plans.get_with(&id, |_| async { "gold".into() }).await?;
    }
    plans.invalidate(&7).await?;

    // What happens in one cache: with room for two, of ten hits eight are missed.
    let mut events = plans.events(2);
    for _ in 0..10 {
        plans.get(&8).await;
    }
    assert_eq!(events.missed(), 8);
    assert!(events.try_recv().is_some() && events.try_recv().is_some());
    plans.get(&8).await;
    assert_eq!(events.recv().await.map(|event| event.missed), Some(8));

    stack.shutdown().await?;
    assert_eq!(reporter.await.expect("it ends with the stack"), 2);
    Ok(())
}
