//! The fields of the policy, as options.

use std::time::Duration;

use cache_core::{Adaptive, Format, Policies, Policy, RefreshAhead, Source, Stack, Tiers, cached, policy::Overrides};

use super::{Runs, stack};

const HOUR: Duration = Duration::from_secs(3600);

#[cached(
    ttl = "1h",
    l1_ttl = 30,
    negative_ttl = 0.5,
    jitter = 0,
    stale_while_revalidate = "5m",
    stale_if_error = HOUR * 24,
    soft_timeout = 0.25,
    hard_timeout = "2s 500ms",
    codec = "json",
    refresh_ahead = 0.75,
    adaptive = "10s..2h",
    error_backoff = 1,
    max_loads = 8,
    max_value_size = 4096,
    tiers = "l1",
    compression = "none",
    compress_above = 100,
    enabled = true
)]
async fn with_all(id: u32) -> Option<u32> {
    Some(id)
}

#[test]
fn each_option_sets_its_field() {
    let cache = with_all::cache().unwrap();
    let mut expected = Policy::default();
    expected.ttl = HOUR;
    expected.l1_ttl = Some(Duration::from_secs(30));
    expected.negative_ttl = Some(Duration::from_millis(500));
    expected.jitter = 0.0;
    expected.stale_while_revalidate = Some(Duration::from_secs(300));
    expected.stale_if_error = Some(24 * HOUR);
    expected.soft_timeout = Some(Duration::from_millis(250));
    expected.hard_timeout = Duration::from_millis(2500);
    expected.codec = Some(Format::Json);
    expected.refresh_ahead = Some(RefreshAhead::After(0.75));
    expected.adaptive = Some("10s..2h".parse().unwrap());
    expected.error_backoff = Some(Duration::from_secs(1));
    expected.max_loads = Some(8);
    expected.max_value_size = 4096;
    expected.tiers = Tiers::L1;
    expected.compress_above = 100;
    assert_eq!(*cache.policy(), expected);
}

fn spread() -> f64 {
    0.25
}

#[cached(
    jitter = spread(),
    codec = Format::default(),
    hard_timeout = crate::settings::HOUR,
    refresh_ahead = "xfetch 2",
    adaptive = HOUR / 60..2 * HOUR,
    max_loads = Runs::default().count() + 2,
    tiers = Tiers::L2,
    enabled = !cfg!(test)
)]
async fn with_expressions() -> u32 {
    7
}

#[test]
fn expressions_are_evaluated_for_the_cache() {
    let cache = with_expressions::cache().unwrap();
    let Policy { jitter, codec, hard_timeout, ttl, .. } = *cache.policy();
    assert_eq!((jitter, codec, hard_timeout), (0.25, Some(Format::Json), HOUR));
    assert_eq!(ttl, Policy::default().ttl);
    let Policy { refresh_ahead, adaptive, max_loads, tiers, enabled, .. } = *cache.policy();
    assert_eq!(refresh_ahead, Some(RefreshAhead::XFetch { beta: 2.0 }));
    assert_eq!(adaptive, Some(Adaptive { shortest: HOUR / 60, longest: 2 * HOUR }));
    assert_eq!((max_loads, tiers, enabled), (Some(2), Tiers::L2, false));
}

#[cached(cache = "plan", l1_ttl = "10s", stack = stack, skip(stack))]
async fn plan(id: u32, stack: &Stack) -> u32 {
    id
}

#[tokio::test]
async fn the_attribute_wins_over_the_map_field_by_field() {
    let map = Overrides::new().ttl(HOUR).l1_ttl(Duration::from_secs(60)).jitter(0.0);
    let stack = Stack::builder("test").policies(Policies::new().kind("plan", map)).build().await.unwrap();
    let cache = plan::cache(&stack).unwrap();
    let Policy { ttl, l1_ttl, jitter, .. } = *cache.policy();
    assert_eq!((ttl, l1_ttl, jitter), (HOUR, Some(Duration::from_secs(10)), 0.0));
}

#[cached(ttl = "1m", stale_while_revalidate = "1m", jitter = 0, stack = stack, skip(stack, runs))]
async fn price(id: u32, stack: &Stack, runs: &Runs) -> u32 {
    id + runs.add()
}

#[tokio::test(start_paused = true)]
async fn an_old_value_is_served_while_the_function_runs_behind() {
    let (stack, runs) = (stack().await, Runs::default());
    assert_eq!(price(100, &stack, &runs).await, 101);
    tokio::time::advance(Duration::from_secs(90)).await;
    let stale = price::explain(100, &stack, &runs).await;
    assert_eq!((stale.value, stale.source), (101, Source::Stale));
    while runs.count() < 2 {
        tokio::task::yield_now().await;
    }
}

#[cached(ttl = "1m", stale_if_error = "1h", jitter = 0, stack = stack, skip(stack, runs))]
async fn rate(id: u32, stack: &Stack, runs: &Runs) -> Result<u32, &'static str> {
    if runs.add() > 1 { Err("no rates today") } else { Ok(id) }
}

#[tokio::test(start_paused = true)]
async fn an_old_value_stands_in_for_an_error() {
    let (stack, runs) = (stack().await, Runs::default());
    assert_eq!(rate(7, &stack, &runs).await, Ok(7));
    tokio::time::advance(Duration::from_secs(90)).await;
    assert_eq!(rate(7, &stack, &runs).await, Ok(7));
    assert_eq!(runs.count(), 2);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(rate(7, &stack, &runs).await, Err("no rates today"));
}

#[cached(ttl = "1h", negative_ttl = "1s", jitter = 0, stack = stack, skip(stack, runs))]
async fn found(id: u32, stack: &Stack, runs: &Runs) -> Option<u32> {
    (runs.add() > 1).then_some(id)
}

#[tokio::test(start_paused = true)]
async fn nothing_may_live_shorter() {
    let (stack, runs) = (stack().await, Runs::default());
    assert_eq!(found(7, &stack, &runs).await, None);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(found(7, &stack, &runs).await, Some(7));
}

#[cached(hard_timeout = "1s", stack = stack, skip(stack))]
async fn endless(stack: &Stack) -> Result<u32, cache_core::Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_body_that_hangs_is_cut_off() {
    let error = endless(&stack().await).await.unwrap_err();
    assert_eq!(error.kind(), cache_core::ErrorKind::LoadTimeout);
}
