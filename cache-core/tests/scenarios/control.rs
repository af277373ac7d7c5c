//! Control at run time: other policies, caches switched off, calls past the cache.

use std::time::Duration;

use cache_core::{ErrorKind, Format, Overrides, Policies, Source, Stack, backend::Memory, scope};
use tokio::time::advance;

use crate::fleet::{Items, KEY, Origin, Process, call, hold, settle, stored, until};

const MINUTE: Duration = Duration::from_secs(60);

fn map(ttl: Duration) -> Policies {
    Policies::new().kind("item", Overrides::new().ttl(ttl))
}

async fn source(items: &Items, key: &str) -> Source {
    items.at(key).get_with(|_| async { 0 }).await.unwrap().source
}

#[tokio::test(start_paused = true)]
async fn another_map_is_for_what_is_loaded_from_then_on() {
    let process = Process::with(&Memory::new(), |stack| stack.policies(map(MINUTE))).await;
    let items = process.items();
    let before = items.at("before").get_with(|_| async { 0 }).await.unwrap();
    let other: Items = process.stack.cache("other").build().unwrap();
    assert_eq!(process.stack.reload_policies(map(10 * MINUTE)).unwrap(), ["item"]);
    assert_eq!((items.policy().ttl, other.policy().ttl), (10 * MINUTE, 5 * MINUTE));
    let after = items.at("after").get_with(|_| async { 0 }).await.unwrap();
    assert_eq!((before.remaining, after.remaining), (MINUTE, 10 * MINUTE));
    advance(2 * MINUTE).await;
    assert_eq!(items.get("before").await, None, "what is cached keeps the life that it was given");
    assert_eq!(items.get("after").await, Some(0));
    assert_eq!(process.items().policy(), items.policy(), "the handle that there is");
    let late: Items = process.stack.cache("late").policy("item").build().unwrap();
    assert_eq!(late.policy().ttl, 10 * MINUTE);
    assert!(process.stack.reload_policies(map(10 * MINUTE)).unwrap().is_empty());
}

/// A load keeps the policy that it began with, so that an entry agrees with itself in all tiers.
#[tokio::test(start_paused = true)]
async fn a_load_under_way_keeps_its_policy() {
    let process = Process::with(&Memory::new(), |stack| stack.policies(map(MINUTE))).await;
    let items = process.items();
    let (mut held, stand) = hold();
    let load = call(&items, async move {
        stand.await;
        7
    });
    held.reached().await;
    process.stack.reload_policies(map(10 * MINUTE)).unwrap();
    held.release();
    assert_eq!(load.await.unwrap().unwrap(), 7);
    assert_eq!(items.at(KEY).get().await.unwrap().remaining, MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_map_that_does_not_fit_changes_nothing() {
    let stack = Stack::builder("shop").policies(map(MINUTE)).build().await.unwrap();
    let items: Items = stack.cache("item").build().unwrap();
    let _lasting: Items = stack.cache("lasting").l1_ttl(4 * MINUTE).build().unwrap();
    let own: cache_core::Result<Items> = stack.cache("own").codec(cache_core::codec::Json).build();

    let short = map(2 * MINUTE).kind("lasting", Overrides::new().ttl(MINUTE));
    let invalid = map(2 * MINUTE).kind("unused", Overrides::new().jitter(2.0));
    let faults = [
        (short, "kind \"lasting\": l1_ttl is 4m, longer than its ttl of 1m"),
        (invalid, "kinds.unused: jitter is 2"),
        #[cfg(feature = "postcard")]
        (
            map(2 * MINUTE).kind("lasting", Overrides::new().codec(Format::Postcard)),
            "\"lasting\" was built with the codec `json`, and can't change to `postcard` while it runs",
        ),
    ];
    for (policies, complaint) in faults {
        let error = stack.reload_policies(policies).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(complaint), "{error}");
        assert_eq!(items.policy().ttl, MINUTE);
        let late: Items = stack.cache("late").policy("item").build().unwrap();
        assert_eq!(late.policy().ttl, MINUTE);
    }
    drop(own.unwrap());
    let named = map(MINUTE).kind("item", Overrides::new().codec(Format::Json));
    stack.reload_policies(named).expect("the same codec by its name");
}

#[tokio::test(start_paused = true)]
async fn another_bound_for_loads_is_for_those_that_begin_then() {
    let process = Process::on(&Memory::new()).await;
    let (items, origin) = (process.items(), Origin::new());
    let bound = |most| Policies::new().kind("item", Overrides::new().max_loads(most));
    let begin = |key: &'static str| {
        let (held, load) = origin.held();
        let items = items.clone();
        (held, tokio::spawn(async move { items.get_with(key, |_| load).await.unwrap() }))
    };
    process.stack.reload_policies(bound(1)).unwrap();
    let (mut first, one) = begin("one");
    first.reached().await;
    let (second, two) = begin("two");
    until("it waits", || items.stats().load_waits == 1).await;
    process.stack.reload_policies(Policies::new()).unwrap();
    let (mut third, three) = begin("three");
    third.reached().await;
    drop((first, second, third));
    assert_eq!((one.await.unwrap(), two.await.unwrap(), three.await.unwrap()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cache_is_switched_off_and_on_by_the_map() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (items, origin) = (here.items(), Origin::new());
    for key in [KEY, "other"] {
        items.get_with(key, |_| origin.load()).await.unwrap();
    }
    let off = || Policies::new().kind("item", Overrides::new().enabled(false));
    for policies in [off(), Policies::new().enabled(false)] {
        here.stack.reload_policies(policies).unwrap();
        assert!(!items.is_enabled());
        let loads = origin.loads();
        for _ in 0..3 {
            assert_eq!(items.get_with(KEY, |_| origin.load()).await.unwrap(), 0);
            assert_eq!(items.get(KEY).await, None);
        }
        assert_eq!(origin.loads(), loads + 3, "every call loads");
        assert_eq!(peer.items().get(KEY).await, Some(0), "others go on");
    }
    items.invalidate("other").await.unwrap();
    here.stack.reload_policies(Policies::new()).unwrap();
    assert_eq!(source(&items, KEY).await, Source::L2);
    assert_eq!(source(&items, KEY).await, Source::L1);
    assert_eq!(source(&items, "other").await, Source::Loaded, "it was invalidated meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_switch_by_hand_outlives_another_map() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    items.insert(KEY, 7).await.unwrap();
    items.set_enabled(false);
    process.stack.reload_policies(map(MINUTE)).unwrap();
    assert_eq!(items.get(KEY).await, None);
    items.set_enabled(true);
    assert_eq!(items.get(KEY).await, Some(7));
    process.stack.reload_policies(Policies::new().enabled(false)).unwrap();
    items.set_enabled(true);
    assert_eq!(items.get(KEY).await, None, "it switches on nothing that the map switches off");
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_when_the_cache_is_switched_off_is_not_served_from_l1() {
    let process = Process::on(&Memory::new()).await;
    let (items, origin) = (process.items(), Origin::new());
    let (mut held, load) = origin.held();
    let load = call(&items, load);
    held.reached().await;
    items.set_enabled(false);
    held.release();
    assert_eq!(load.await.unwrap().unwrap(), 0);
    settle().await;
    assert_eq!(items.get(KEY).await, None);
    items.set_enabled(true);
    assert_eq!(items.at(KEY).get().await.unwrap().source, Source::L2);
}

/// Else the value that it was to replace would be back with the cache.
#[tokio::test(start_paused = true)]
async fn an_insert_while_the_cache_is_off_leaves_no_older_value() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let items = process.items();
    items.insert(KEY, 1).await.unwrap();
    items.set_enabled(false);
    items.insert(KEY, 2).await.unwrap();
    assert_eq!(stored(&store).await, None);
    items.set_enabled(true);
    assert_eq!(items.get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn one_call_goes_past_the_cache() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let items = process.items();
    items.insert(KEY, 1).await.unwrap();
    let answer = items.at(KEY).bypass().get_with(|_| async { 2 }).await.unwrap();
    assert_eq!((answer.value, answer.source, answer.remaining), (2, Source::Loaded, Duration::ZERO));
    assert_eq!(items.at(KEY).bypass().get().await, None);
    items.at("new").bypass().get_with(|_| async { 2 }).await.unwrap();
    assert_eq!((items.get(KEY).await, items.get("new").await), (Some(1), None));
    let failed = items.at(KEY).bypass().try_get_with(|_| async { Err("no rows") }).await;
    assert!(failed.is_err());
}

#[tokio::test(start_paused = true)]
async fn all_calls_of_a_task_go_past_the_cache_or_load_anew() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let (items, origin) = (process.items(), Origin::new());
    let get = async || items.at(KEY).get_with(|_| origin.load()).await.unwrap();
    get().await;
    let commit = origin.commit();
    let bypassed = scope::bypass(async { (get().await, items.get(KEY).await, items.contains_key(KEY).await) }).await;
    assert_eq!((bypassed.0.value, bypassed.1, bypassed.2), (commit, None, false));
    assert_eq!((get().await.value, stored(&store).await), (0, Some(0)), "nothing was stored");

    let refreshed = scope::refresh(async { (get().await, get().await, items.get(KEY).await) }).await;
    assert_eq!((refreshed.0.source, refreshed.1.source, refreshed.2), (Source::Loaded, Source::Loaded, None));
    assert_eq!(get().await.source, Source::L1);
    assert_eq!((get().await.value, stored(&store).await), (commit, Some(commit)));
    assert!(scope::refresh(items.get_many([KEY])).await.is_empty(), "nor many keys at once");
    scope::bypass(items.invalidate(KEY)).await.unwrap();
    assert_eq!(stored(&store).await, None, "an invalidation is what it always is");
}
