//! Where all else fails: a default value for a call whose load fails, and a breaker for a store that fails now and then.

use std::time::Duration;

use cache_core::testing::Faulty;
use cache_core::{BreakerSettings, BreakerState, ErrorKind, Result, Source, Stack, backend::Memory};

#[tokio::main]
async fn main() -> Result<()> {
    let l2 = Faulty::new(Memory::new());
    let faults = l2.faults();
    // Five failures in a row open the breaker; so does a share of 40 % of 20 or more calls of the last 10 seconds. It closes
    // when two probes in a row succeeded.
    let breaker = BreakerSettings::new().failures(5).error_rate(0.4, Duration::from_secs(10), 20).probes(2);
    let stack = Stack::builder("shop").l2(l2).breaker(breaker).build().await?;
    let rates = stack.cache::<String, f64>("rate").build()?;

    // The call is answered, and is told how; nobody else is, and nothing is stored.
    let closed = || async { Err::<f64, _>("the bank is closed") };
    let answer = rates.at("EUR").default_on_error(1.0).try_get_with(|_| closed()).await;
    assert!(answer.is_ok_and(|answer| (answer.value, answer.source) == (1.0, Source::Default)));
    assert!(rates.try_get_with("EUR", |_| closed()).await.is_err());

    // Every other insert fails: never two in a row.
    for number in 0..40 {
        match number % 2 {
            0 => faults.heal(),
            _ => faults.fail_all(ErrorKind::Unavailable),
        }
        // Some fail, which is what this is about.
        let _ = rates.insert("USD", f64::from(number)).await;
    }
    assert_ne!(stack.health().l2.map(|l2| l2.breaker), Some(BreakerState::Closed));
    Ok(())
}
