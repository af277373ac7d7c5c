//! Those who subscribe are told what happens; nobody else pays for it.

use std::{future::pending, time::Duration};

use cache_core::{
    BreakerSettings, BreakerState, ErrorKind, L1, Overrides, Source,
    backend::Memory,
    events::{Event, Events, Kind},
};
use tokio::time::advance;

use crate::fleet::{Items, KEY, Process, call, hold, settle, until};

/// What was told up to now. Kinds that tell a time are compared without it.
fn told(events: &mut Events) -> Vec<Kind> {
    all(events).into_iter().map(|event| event.kind).collect()
}

fn all(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.try_recv()).collect()
}

const LOADED: Kind = Kind::Loaded { took: Duration::ZERO };
const L1_HIT: Kind = Kind::Hit { source: Source::L1 };
const L2_HIT: Kind = Kind::Hit { source: Source::L2 };

#[tokio::test(start_paused = true)]
async fn a_subscriber_is_told_what_happens_in_its_order() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let items = process.items();
    let mut events = process.stack.events(100);
    items.get_with(KEY, |_| async { 7 }).await.unwrap();
    items.get_with(KEY, |_| async { 7 }).await.unwrap();
    items.at(KEY).get().await.unwrap();
    assert_eq!(told(&mut events), [Kind::Miss, LOADED, L1_HIT, L1_HIT]);

    items.invalidate(KEY).await.unwrap();
    let fails = items.at(KEY).default_on_error(1).try_get_with(|_| async { Err::<u64, _>("no rows") }).await;
    fails.unwrap();
    assert_eq!(
        told(&mut events),
        [Kind::Invalidated, Kind::Miss, Kind::LoadFailed { took: Duration::ZERO }, Kind::Default]
    );

    Process::on(&store).await.items().insert(KEY, 8).await.unwrap();
    until("it is there", || process.stack.health().is_good()).await;
    items.get(KEY).await.unwrap();
    assert!(told(&mut events).contains(&L2_HIT));

    let (mut held, stand) = hold();
    items.invalidate(KEY).await.unwrap();
    let load = call(&items, async move {
        stand.await;
        7
    });
    held.reached().await;
    let joined = call(&items, pending());
    settle().await;
    held.release();
    load.await.unwrap().unwrap();
    joined.await.unwrap().unwrap();
    assert_eq!(told(&mut events), [Kind::Invalidated, Kind::Miss, LOADED, Kind::Joined]);
    process.stack.invalidate_tag("org:7").await.unwrap();
    items.invalidate_all().await.unwrap();
    process.stack.invalidation().key(&items, KEY).cache(&items).send().await.unwrap();
    assert_eq!(told(&mut events), [Kind::Invalidated; 4]);
    items
        .many([KEY, "other"])
        .get_with(|keys| async move { keys.into_iter().map(|key| (key, 1)) })
        .await
        .into_result()
        .unwrap();
    assert_eq!(items.get_many([KEY, "other"]).await.len(), 2);
    let mut kinds = told(&mut events);
    kinds.sort_by_key(|kind| format!("{kind:?}"));
    assert_eq!(kinds, [L1_HIT, L1_HIT, LOADED, LOADED, Kind::Miss, Kind::Miss]);
    assert_eq!(events.missed(), 0);
}

#[tokio::test(start_paused = true)]
async fn stale_answers_and_what_is_loaded_behind_them_are_told() {
    let process = Process::on(&Memory::new()).await;
    let minute = Duration::from_secs(60);
    let policy = Overrides::new().jitter(0.0).ttl(minute).stale_while_revalidate(minute);
    let items: Items = process.stack.cache("lenient").overrides(policy).build().unwrap();
    items.get_with(KEY, |_| async { 1 }).await.unwrap();
    advance(minute + Duration::from_secs(1)).await;
    let mut events = process.stack.events(100);
    items.get_with(KEY, |_| async { 2 }).await.unwrap();
    until("it is replaced", || items.stats().loads == 2).await;
    settle().await;
    assert_eq!(told(&mut events), [Kind::Stale, Kind::Refresh, LOADED]);
}

#[tokio::test(start_paused = true)]
async fn keys_are_told_to_those_who_ask_and_entries_are_told_apart_without() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let (mut discreet, mut curious) = (process.stack.events(100), process.stack.events(100).with_keys());
    for key in ["a b", "c", "a b"] {
        items.get_with(key, |_| async { 7 }).await.unwrap();
    }
    process.stack.invalidate_tag("org:7").await.unwrap();
    let (discreet, curious) = (all(&mut discreet), all(&mut curious));
    assert!(discreet.iter().all(|event| event.key.is_none()));
    assert!(!format!("{discreet:?}").contains("a%20b"));
    let keys: Vec<_> = curious.iter().filter_map(|event| event.key.as_deref()).collect();
    assert_eq!(keys, ["a%20b", "a%20b", "c", "c", "a%20b", "shop:#{org%3A7}"]);
    let entries: Vec<_> = discreet.iter().map(|event| event.entry).collect();
    assert_eq!((entries[0], entries[1], entries[5]), (entries[4], entries[4], None));
    assert!(entries[0].is_some() && entries[0] != entries[2]);
    assert!(discreet[..5].iter().all(|event| event.cache.as_deref() == Some("item")));
}

#[tokio::test(start_paused = true)]
async fn who_is_behind_is_told_how_much_was_missed() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    items.insert(KEY, 7).await.unwrap();
    let (mut slow, mut quick) = (items.events(3), items.events(100));
    for _ in 0..10 {
        items.get(KEY).await.unwrap();
    }
    assert_eq!((slow.missed(), quick.missed()), (7, 0), "each has room of its own");
    assert_eq!(all(&mut slow).iter().map(|event| event.missed).collect::<Vec<_>>(), [0, 0, 0]);
    items.get(KEY).await.unwrap();
    items.get(KEY).await.unwrap();
    assert_eq!(all(&mut slow).iter().map(|event| event.missed).collect::<Vec<_>>(), [7, 0]);
    assert_eq!(all(&mut quick).len(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_to_what_it_says() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let others: Items = process.stack.cache("other").build().unwrap();
    let (mut of_items, mut without_hits) = (items.events(100), process.stack.events(100).without_hits());
    for cache in [&items, &others] {
        cache.get_with(KEY, |_| async { 7 }).await.unwrap();
        cache.get(KEY).await.unwrap();
    }
    process.stack.invalidate_all().await.unwrap();
    assert_eq!(told(&mut of_items), [Kind::Miss, LOADED, L1_HIT]);
    assert_eq!(told(&mut without_hits), [Kind::Miss, LOADED, Kind::Miss, LOADED, Kind::Invalidated]);
    drop(of_items);
    others.get(KEY).await;
    assert_eq!(told(&mut without_hits).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_l1_drops_is_told() {
    let process = Process::with(&Memory::new(), |stack| stack.l1(L1::entries(10))).await;
    let items = process.items();
    let mut events = process.stack.events(1000).with_keys();
    for key in 0..100 {
        items.insert(&key.to_string(), key).await.unwrap();
        // Evicts what is over.
        let _ = process.stack.l1_size();
    }
    let evicted: Vec<_> = all(&mut events).into_iter().filter(|event| event.kind == Kind::Evicted).collect();
    assert!(evicted.len() >= 80, "{}", evicted.len());
    assert!(evicted.iter().all(|event| event.key.is_some() && event.entry.is_some()));
    assert_eq!(evicted.len() as u64, items.stats().evictions);
}

#[tokio::test(start_paused = true)]
async fn the_states_of_the_breaker_and_what_others_invalidate_are_told() {
    let store = Memory::new();
    let breaker = BreakerSettings::new().failures(1).pause(Duration::from_secs(1));
    let process = Process::with(&store, |stack| stack.breaker(breaker).l1(L1::entries(0))).await;
    let items = process.items();
    let mut events = process.stack.events(1000);
    let mut states = move || {
        let kinds = told(&mut events).into_iter();
        let states = kinds.filter_map(|kind| if let Kind::Breaker(state) = kind { Some(state) } else { None });
        states.collect::<Vec<_>>()
    };
    process.faults.fail_all(ErrorKind::Unavailable);
    items.get(KEY).await;
    assert_eq!(states(), [BreakerState::Open]);
    let may_probe = || process.stack.health().l2.unwrap().breaker == BreakerState::HalfOpen;
    until("a probe may go", may_probe).await;
    items.get(KEY).await;
    assert_eq!(states(), [BreakerState::HalfOpen, BreakerState::Open]);
    process.faults.heal();
    until("a probe may go", may_probe).await;
    items.get(KEY).await;
    assert_eq!(states(), [BreakerState::HalfOpen, BreakerState::Closed]);

    let mut events = process.stack.events(1000).without_hits();
    let mut heard = Vec::new();
    Process::on(&store).await.items().invalidate(KEY).await.unwrap();
    until("it is heard of", || {
        heard.extend(told(&mut events));
        heard.contains(&Kind::Heard)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_with_its_stack() {
    let process = Process::on(&Memory::new()).await;
    let mut events = process.stack.events(10);
    process.items().insert(KEY, 1).await.unwrap();
    process.items().get(KEY).await;
    process.stack.shutdown().await.unwrap();
    assert_eq!(events.recv().await.map(|event| event.kind), Some(L1_HIT), "what was told is received yet");
    assert!(events.recv().await.is_none());
    assert!(process.stack.events(10).recv().await.is_none(), "nothing will happen any more");
}
