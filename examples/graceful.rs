//! L2 goes away and comes back: callers are answered all the same, by the loader, and soon without even asking L2. Only an
//! invalidation says that it could not reach L2; it is kept and retried, and until then no old copy there is believed.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::time::Duration;

use cache_core::testing::{Faulty, Operation};
use cache_core::{BreakerSettings, BreakerState, ErrorKind, Result, Source, Stack, backend::Memory};
use tokio::time::{interval, timeout};

#[tokio::main]
async fn main() -> Result<()> {
    let l2 = Faulty::new(Memory::new());
    let faults = l2.faults();
    let stack = Stack::builder("example")
        .l2(l2)
        .l2_deadline(Duration::from_millis(100))
        .breaker(BreakerSettings::new().failures(5).pause(Duration::from_millis(200)))
        .build()
        .await?;
    let plans = stack.cache::<u32, String>("plan").build()?;
    plans.get_with(&0, |_| async { "bronze".into() }).await?;
    assert!(stack.health().is_good());

    // Away: five failures open the breaker, and from then on nobody waits for L2.
    faults.fail_all(ErrorKind::Unavailable);
    let before = faults.calls(Operation::Read);
    for id in 1..=10 {
        let answer = plans.at(&id).get_with(|_| async { "gold".into() }).await?;
        assert_eq!((answer.value.as_str(), answer.source), ("gold", Source::Loaded));
    }
    let asked = faults.calls(Operation::Read) - before;
    println!("10 calls were answered while L2 was away, which was asked {asked} times");
    let l2 = stack.health().l2.expect("the stack has an L2");
    assert!(l2.breaker != BreakerState::Closed && l2.openings > 0);

    // An invalidation can't pretend. Here it holds at once; L2 is told when it is back.
    let error = plans.invalidate(&0).await.expect_err("L2 is away");
    println!("{error}");
    assert_eq!(stack.health().queued_invalidations, 1);
    let answer = plans.at(&0).get_with(|_| async { "silver".into() }).await?;
    assert_eq!(answer.value, "silver");

    // Back: the queue is delivered, and the breaker closes.
    faults.heal();
    let mut look = interval(Duration::from_millis(50));
    let recovery = async {
        while !stack.health().is_good() {
            look.tick().await;
        }
    };
    timeout(Duration::from_secs(30), recovery).await.expect("L2 is back");
    println!("back: {:?}", stack.health());
    Ok(())
}
