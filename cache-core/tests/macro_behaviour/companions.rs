//! What goes with a function, and the settings of its cache.

use std::time::Duration;

use cache_core::{Error, Policies, Source, Stack, cached, policy::Overrides};

use super::Runs;

#[cached(skip(runs))]
async fn counted(id: u32, name: &str, runs: &Runs) -> Result<u32, Error> {
    let _ = (id, name);
    Ok(runs.add())
}

#[tokio::test]
async fn invalidate_drops_the_entry_of_these_arguments() {
    let runs = Runs::default();
    assert_eq!(counted(1, "a", &runs).await.unwrap(), 1);
    assert_eq!(counted(2, "a", &runs).await.unwrap(), 2);
    counted::invalidate(1, "a", &runs).await.unwrap();
    assert_eq!(counted(1, "a", &runs).await.unwrap(), 3);
    assert_eq!(counted(2, "a", &runs).await.unwrap(), 2);
}

#[tokio::test]
async fn refresh_loads_and_stores() {
    let runs = Runs::default();
    assert_eq!(counted(1, "b", &runs).await.unwrap(), 1);
    assert_eq!(counted::refresh(1, "b", &runs).await.unwrap(), 2);
    assert_eq!(counted(1, "b", &runs).await.unwrap(), 2);
}

#[tokio::test]
async fn uncached_is_the_function_itself() {
    let runs = Runs::default();
    assert_eq!(counted::uncached(1, "c", &runs).await.unwrap(), 1);
    assert_eq!(counted(1, "c", &runs).await.unwrap(), 2);
    assert_eq!(counted::uncached(1, "c", &runs).await.unwrap(), 3);
    assert_eq!(counted(1, "c", &runs).await.unwrap(), 2);
}

#[tokio::test]
async fn explain_says_where_a_value_came_from() {
    let runs = Runs::default();
    let loaded = counted::explain(1, "d", &runs).await;
    assert_eq!((loaded.source, loaded.value.unwrap()), (Source::Loaded, 1));
    let hit = counted::explain(1, "d", &runs).await;
    assert_eq!((hit.source, hit.value.unwrap()), (Source::L1, 1));
    assert!(hit.remaining > Duration::ZERO);
}

#[cached(ttl = 300)]
async fn seconds() -> u8 {
    0
}

#[cached(ttl = 0.5)]
async fn fraction() -> u8 {
    0
}

#[cached(ttl = "1h 30m")]
async fn text() -> u8 {
    0
}

const LIFETIME: Duration = Duration::from_secs(7200);

#[cached(ttl = LIFETIME * 2)]
async fn expression() -> u8 {
    0
}

#[tokio::test]
async fn a_ttl_bounds_what_remains() {
    let remaining = [
        (seconds::explain().await.remaining, Duration::from_secs(300)),
        (fraction::explain().await.remaining, Duration::from_millis(500)),
        (text::explain().await.remaining, Duration::from_secs(5400)),
        (expression::explain().await.remaining, Duration::from_secs(14_400)),
    ];
    for (remaining, ttl) in remaining {
        // Jitter shortens it, and so does a slow machine.
        assert!(remaining <= ttl && (remaining > ttl / 2 || ttl < Duration::from_secs(1)), "{remaining:?} of {ttl:?}");
    }
}

#[cached(policy = "slow data", stack = stack, skip(stack))]
async fn of_a_kind(stack: &Stack) -> u8 {
    0
}

#[tokio::test]
async fn a_policy_is_found_by_its_kind() {
    let hour = Duration::from_secs(3600);
    let policies = Policies::new().kind("slow data", Overrides::new().ttl(hour).jitter(0.0));
    let stack = Stack::builder("test").policies(policies).build().await.unwrap();
    let remaining = of_a_kind::explain(&stack).await.remaining;
    assert!(remaining <= hour && remaining > hour / 2, "{remaining:?}");
}
