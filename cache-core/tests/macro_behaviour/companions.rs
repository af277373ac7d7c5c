//! What goes with a function, and the settings of its cache.

use std::{sync::Arc, time::Duration};

use cache_core::{Cache, Error, ErrorKind, Policies, Source, Stack, cached, policy::Overrides};

use super::{Runs, stack};

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

#[tokio::test]
async fn get_finds_what_is_cached_and_loads_nothing() {
    let runs = Runs::default();
    assert_eq!(counted::get(1, "e", &runs).await, None);
    assert_eq!(counted(1, "e", &runs).await.unwrap(), 1);
    assert_eq!(counted::get(1, "e", &runs).await, Some(1));
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn insert_spares_the_load() {
    let runs = Runs::default();
    counted::insert(1, "f", &runs, 70).await.unwrap();
    assert_eq!(counted(1, "f", &runs).await.unwrap(), 70);
    assert_eq!(runs.count(), 0);
}

type Fallible = Result<u32, Error>;

#[cached]
async fn aliased(value: u32) -> Fallible {
    Ok(value)
}

#[tokio::test]
async fn a_result_behind_an_alias_is_given_and_taken_as_a_whole() {
    assert!(aliased::get(1).await.is_none());
    assert_eq!(aliased(1).await.unwrap(), 1);
    assert_eq!(aliased::get(1).await.unwrap().unwrap(), 1);
    aliased::insert(2, Ok(20)).await.unwrap();
    assert_eq!(aliased(2).await.unwrap(), 20);
    let error = aliased::insert(3, Err(aliased::cache().unwrap_err())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(aliased::cache().unwrap_err().to_string().contains("under another name"));
}

#[cached(tags = ["org:{org}"], stack = stack, skip(stack))]
async fn of_org(org: u32, stack: &Stack) -> String {
    org.to_string()
}

#[tokio::test]
async fn what_is_inserted_has_the_tags_of_what_is_loaded() {
    let stack = stack().await;
    of_org::insert(7, &stack, "seven".to_owned()).await.unwrap();
    assert_eq!(of_org(7, &stack).await, "seven");
    stack.invalidate_tag("org:7").await.unwrap();
    assert_eq!(of_org(7, &stack).await, "7");
}

#[cached(stale_while_revalidate = "1h", stack = stack, skip(stack, runs))]
async fn stock(article: &str, stack: &Stack, runs: &Runs) -> usize {
    runs.add();
    article.len()
}

#[tokio::test]
async fn expire_leaves_the_value_for_the_stale_window() {
    let (stack, runs) = (stack().await, Runs::default());
    assert_eq!(stock("nut", &stack, &runs).await, 3);
    stock::expire("nut", &stack, &runs).await.unwrap();
    assert_eq!(stock::explain("nut", &stack, &runs).await.source, Source::Stale);
    while runs.count() < 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn warm_calls_the_function_for_what_is_not_cached() {
    let (stack, runs) = (stack().await, Runs::default());
    stock("bolt", &stack, &runs).await;
    let articles = ["bolt", "nut", "screw"].map(|article| (article.to_owned(), stack.clone(), Arc::new(runs.clone())));
    let report = stock::warm(articles).await.unwrap();
    assert_eq!((report.warmed, report.skipped, report.failed), (2, 1, 0), "{report:?}");
    assert!(report.name.ends_with("::stock"), "{report:?}");
    assert_eq!(stock::get("screw", &stack, &runs).await, Some(5));
    assert_eq!(runs.count(), 3);
}

#[cached]
async fn checked(id: u32) -> Result<u32, &'static str> {
    if id == 0 { Err("no such row") } else { Ok(id) }
}

#[tokio::test]
async fn a_call_that_fails_is_counted_by_warm() {
    let report = checked::warm(0..10).await.unwrap();
    assert_eq!((report.warmed, report.failed), (9, 1), "{report:?}");
    assert!(report.first_error.unwrap().contains("returned an error"));
}

#[cached]
async fn without_arguments() -> u32 {
    7
}

#[tokio::test]
async fn a_function_without_arguments_is_warmed_by_nothing() {
    assert_eq!(without_arguments::warm([()]).await.unwrap().warmed, 1);
    assert_eq!(without_arguments::cache().unwrap().get(&without_arguments::key()).await, Some(7));
}

#[tokio::test]
async fn the_handle_is_typed_by_the_signature() {
    let stack = stack().await;
    let sizes: Cache<String, usize> = stock::cache(&stack).unwrap();
    let runs = Runs::default();
    assert_eq!(stock("bolt", &stack, &runs).await, 4);
    assert_eq!(sizes.get("bolt").await, Some(4));
    stack.invalidation().key(&sizes, &stock::key("bolt", &stack, &runs)).send().await.unwrap();
    assert_eq!(sizes.get("bolt").await, None);
    let pairs: Cache<(u32, String), u32> = counted::cache().unwrap();
    assert_eq!(counted::key(1, "g", &runs), (1, "g".to_owned()));
    assert_eq!(pairs.name(), "macro_behaviour::companions::counted");
}

#[tokio::test]
async fn the_statistics_are_those_of_the_functions_cache() {
    let (stack, runs) = (stack().await, Runs::default());
    assert_eq!(stock::stats(&stack).requests(), 0);
    for _ in 0..3 {
        stock("bolt", &stack, &runs).await;
    }
    let stats = stock::stats(&stack);
    assert_eq!((stats.misses, stats.l1_hits, stats.loads), (1, 2, 1));
}

struct App {
    stack: Stack,
}

/// A key of its own, and a stack that comes out of a part of an argument.
#[cached(key = name.to_lowercase(), stack = &app.stack)]
async fn by_lower_case<'a>(name: &'a str, (app, suffix): (Arc<App>, &'static str)) -> String {
    format!("{name}{suffix}")
}

#[tokio::test]
async fn companions_go_with_a_key_of_its_own() {
    let app = Arc::new(App { stack: stack().await });
    let of = |suffix| (Arc::clone(&app), suffix);
    by_lower_case::insert("ADA", of("!"), "Ada".to_owned()).await.unwrap();
    assert_eq!(by_lower_case("ada", of("?")).await, "Ada");
    assert_eq!(by_lower_case::get("aDa", of("")).await.as_deref(), Some("Ada"));
    assert!(by_lower_case::key("ADA", of("")) == by_lower_case::key("ada", of("")));
    assert_eq!(by_lower_case::stats(of("")).l1_hits, 2);
    by_lower_case::expire("ada", of("")).await.unwrap();
    assert_eq!(by_lower_case::get("ada", of("")).await, None);
}
