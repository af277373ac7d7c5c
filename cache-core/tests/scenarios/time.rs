//! Lifetimes: tiny, huge, spread, and never longer than said.

use std::time::Duration;

use cache_core::{
    Answer, ErrorKind, L1, Load, Overrides, Source, Stack,
    backend::Memory,
    testing::{Moment, Operation},
};
use tokio::time::advance;

use crate::fleet::{Items, KEY, Process, hold, pass, settle, stored};

const MS: Duration = Duration::from_millis(1);
const YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

fn exact(process: &Process, ttl: Duration) -> Items {
    process.stack.cache("exact").overrides(Overrides::new().jitter(0.0).ttl(ttl)).build().unwrap()
}

fn seen(answer: Option<Answer<u64>>) -> Option<(u64, Source)> {
    answer.map(|answer| (answer.value, answer.source))
}

#[tokio::test(start_paused = true)]
async fn a24_half_a_second_is_half_a_second() {
    let store = Memory::new();
    let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
    let ttl = Duration::from_millis(500);
    exact(&here, ttl).get_with(KEY, |_| async { 7 }).await.unwrap();
    let answer = exact(&bare, ttl).at(KEY).get().await.unwrap();
    assert!(answer.remaining > Duration::ZERO && answer.remaining <= ttl, "{answer:?}");
    advance(ttl - MS).await;
    assert_eq!(exact(&here, ttl).get(KEY).await, Some(7));
    assert_eq!(exact(&bare, ttl).get(KEY).await, Some(7));
    advance(MS).await;
    assert_eq!(exact(&here, ttl).get(KEY).await, None);
    assert_eq!(exact(&bare, ttl).get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn a24_thirty_years_overflow_nothing() {
    for l2 in [true, false] {
        let store = Memory::new();
        let builder = Stack::builder("shop");
        let stack = if l2 { builder.l2(store.clone()) } else { builder }.build().await.unwrap();
        let items: Items = stack.cache("old").ttl(YEARS).l1_ttl(YEARS).build().unwrap();
        items.insert(KEY, 7).await.unwrap();
        assert_eq!(items.get_with("other", |_| async { 8 }).await.unwrap(), 8);
        advance(YEARS / 2).await;
        assert_eq!((items.get(KEY).await, items.get("other").await), (Some(7), Some(8)), "with L2: {l2}");
        advance(YEARS / 2 + Duration::from_secs(1)).await;
        assert_eq!((items.get(KEY).await, items.get("other").await), (None, None), "with L2: {l2}");
    }
}

#[tokio::test(start_paused = true)]
async fn a24_nothing_lives_for_no_time() {
    let stack = Stack::builder("shop").build().await.unwrap();
    for ttl in [Duration::ZERO, Duration::from_micros(999)] {
        let error = stack.cache::<String, u64>("none").ttl(ttl).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("ttl"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a24_a_call_and_a_loader_may_ask_for_any_lifetime() {
    for ttl in [Duration::ZERO, Duration::from_nanos(1), MS, YEARS, Duration::MAX] {
        let store = Memory::new();
        let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
        let items = here.items();
        let stays = ttl >= MS;
        let answer = items.at("call").ttl(ttl).get_with(|_| async { 1 }).await.unwrap();
        assert_eq!(answer.value, 1, "{ttl:?}");
        let load = |load: Load| async move {
            load.ttl(ttl);
            2
        };
        assert_eq!(items.get_with("loader", load).await.unwrap(), 2, "{ttl:?}");
        assert_eq!(items.at("insert").ttl(ttl).insert(3).await.is_ok(), stays, "{ttl:?}");
        for (key, value) in [("call", 1), ("loader", 2), ("insert", 3)] {
            let expected = stays.then_some(value);
            assert_eq!(items.get(key).await, expected, "{key} {ttl:?}");
            assert_eq!(bare.items().get(key).await, expected, "{key} {ttl:?}");
        }
        assert_eq!(items.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_shortest_lifetime_survives_its_jitter() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let items: Items = here.stack.cache("short").overrides(Overrides::new().ttl(MS).jitter(0.9)).build().unwrap();
    for value in 0..20 {
        items.insert(KEY, value).await.unwrap();
        assert_eq!(items.get(KEY).await, Some(value));
        advance(MS).await;
        assert_eq!(items.get(KEY).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a25_what_is_promoted_ends_with_the_store_and_costs_one_read() {
    let store = Memory::new();
    let (a, b) = (Process::on(&store).await, Process::with(&store, |s| s.l1_ttl(Duration::from_secs(100))).await);
    let ttl = Duration::from_secs(10);
    exact(&a, ttl).insert(KEY, 7).await.unwrap();
    advance(Duration::from_secs(9)).await;
    let items = exact(&b, ttl);
    assert_eq!(seen(items.at(KEY).get().await), Some((7, Source::L2)));
    assert_eq!((b.faults.requests(), b.faults.calls(Operation::Read), b.faults.calls(Operation::Probe)), (2, 1, 1));
    let answer = items.at(KEY).get().await.unwrap();
    assert_eq!((answer.source, answer.age), (Source::L1, Duration::from_secs(9)));
    assert_eq!(answer.remaining, Duration::from_secs(1));
    advance(Duration::from_secs(1)).await;
    assert_eq!(items.get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_load_takes_is_part_of_the_age() {
    let store = Memory::new();
    let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
    let ttl = Duration::from_secs(10);
    let (items, (mut held, stand)) = (exact(&here, ttl), hold());
    let loading = {
        let items = items.clone();
        let load = async move {
            stand.await;
            7
        };
        tokio::spawn(async move { items.at(KEY).get_with(|_| load).await.unwrap() })
    };
    held.reached().await;
    pass(Duration::from_secs(8)).await;
    held.release();
    let answer = loading.await.unwrap();
    assert_eq!((answer.age, answer.remaining), (Duration::from_secs(8), Duration::from_secs(2)));
    let stored = exact(&bare, ttl).at(KEY).get().await.unwrap();
    assert_eq!((stored.age, stored.remaining), (Duration::from_secs(8), Duration::from_secs(2)));
    advance(Duration::from_secs(2)).await;
    assert_eq!(items.get(KEY).await, None);
    assert_eq!(exact(&bare, ttl).get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_takes_longer_than_the_value_lives_is_answered_and_not_stored() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let ttl = Duration::from_secs(5);
    let (items, (mut held, stand)) = (exact(&here, ttl), hold());
    let loading = {
        let items = items.clone();
        let load = async move {
            stand.await;
            7
        };
        tokio::spawn(async move { items.at(KEY).get_with(|_| load).await.unwrap() })
    };
    held.reached().await;
    pass(Duration::from_secs(6)).await;
    held.release();
    let answer = loading.await.unwrap();
    assert_eq!((answer.value, answer.remaining), (7, Duration::ZERO));
    assert_eq!(items.get(KEY).await, None);
    let again = exact(&Process::on(&store).await, ttl).get_with(KEY, |_| async { 8 }).await.unwrap();
    assert_eq!(again, 8, "the lease is free");
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_is_slow_to_answer_lengthens_no_life() {
    let store = Memory::new();
    let here = Process::with(&store, |stack| stack.l2_deadline(Duration::from_secs(30))).await;
    let ttl = Duration::from_secs(4);
    let items = exact(&here, ttl);
    let mut reply = here.faults.hold(Operation::Fill, Moment::After);
    let loading = {
        let items = items.clone();
        tokio::spawn(async move { items.at(KEY).get_with(|_| async { 7 }).await.unwrap() })
    };
    reply.reached().await;
    advance(Duration::from_secs(3)).await;
    reply.release();
    assert_eq!(loading.await.unwrap().remaining, Duration::from_secs(1));
    advance(Duration::from_secs(1)).await;
    assert_eq!(items.get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn a27_what_was_stored_in_one_instant_expires_in_many_and_otherwise_in_every_process() {
    let store = Memory::new();
    let brief = async || Process::with(&store, |stack| stack.l1_ttl(Duration::from_secs(5))).await;
    let (a, b) = (brief().await, brief().await);
    let keyed = |process: &Process| process.stack.cache::<u64, u64>("keyed").build().unwrap();
    for key in 0..1000 {
        keyed(&a).insert(&key, key).await.unwrap();
        keyed(&b).get(&key).await.unwrap();
    }
    // When each leaves L1, of each process; L1 keeps them for 5 s, less a tenth by chance.
    let mut left = [[0; 1000]; 2];
    for step in 0..=52 {
        for (process, left) in [&a, &b].into_iter().zip(&mut left) {
            let cache = keyed(process);
            for (key, left) in (0..).zip(left.iter_mut()) {
                if *left == 0 && cache.at(&key).get().await.unwrap().source == Source::L2 {
                    *left = step;
                }
            }
        }
        let pause = if step == 0 { Duration::from_millis(4500) } else { 10 * MS };
        advance(pause).await;
    }
    for left in &left {
        assert!(left.iter().all(|step| *step > 0), "none outlives its time");
        let most_at_once = (1..=52).map(|step| left.iter().filter(|l| **l == step).count()).max();
        assert!(most_at_once < Some(60), "{most_at_once:?} in one hundredth of the spread");
    }
    let alike = left[0].iter().zip(&left[1]).filter(|(a, b)| a == b).count();
    assert!(alike < 100, "{alike} of 1000 leave both processes together");
}

#[tokio::test(start_paused = true)]
async fn without_l1_every_read_asks_the_store() {
    let store = Memory::new();
    let bare = Process::without_l1(&store).await;
    let items = bare.items();
    for _ in 0..3 {
        assert_eq!(items.get_with(KEY, |_| async { 7 }).await.unwrap(), 7);
    }
    assert_eq!(items.stats().loads, 1);
    assert_eq!(bare.faults.calls(Operation::Read), 3);
    assert_eq!(bare.stack.l1_size(), (0, 0));
    items.invalidate(KEY).await.unwrap();
    assert_eq!(items.get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn without_any_tier_calls_still_share_their_loads() {
    let stack = Stack::builder("shop").l1(L1::entries(0)).build().await.unwrap();
    let items: Items = stack.cache("item").build().unwrap();
    let (mut held, stand) = hold();
    let first = {
        let items = items.clone();
        let load = async move {
            stand.await;
            7
        };
        tokio::spawn(async move { items.get_with(KEY, |_| load).await.unwrap() })
    };
    held.reached().await;
    let second = {
        let items = items.clone();
        tokio::spawn(async move { items.at(KEY).get_with(|_| async { 8 }).await.unwrap() })
    };
    settle().await;
    held.release();
    assert_eq!(first.await.unwrap(), 7);
    assert_eq!(second.await.unwrap().source, Source::Joined);
    assert_eq!(items.get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_weighed_l1_takes_nothing_that_is_larger_than_all_of_it() {
    let store = Memory::new();
    let here = Process::with(&store, |stack| stack.l1(L1::weight(10_000))).await;
    let texts = here.stack.cache::<u64, String>("text").build().unwrap();
    texts.insert(&0, "x".repeat(20_000)).await.unwrap();
    for key in 1..100 {
        texts.insert(&key, "x".repeat(500)).await.unwrap();
    }
    let (entries, weight) = here.stack.l1_size();
    assert!(entries <= 10 && weight <= 10_000, "{entries} entries, {weight} bytes");
    assert_eq!(texts.get(&0).await.map(|text| text.len()), Some(20_000), "the store has it");
}

#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_may_live_shorter() {
    let here = Process::without_l1(&Memory::new()).await;
    let overrides = Overrides::new().jitter(0.0).ttl(Duration::from_secs(60)).negative_ttl(Duration::from_secs(5));
    let rows = here.stack.cache::<u64, Option<u64>>("row").overrides(overrides).build().unwrap();
    rows.get_with(&1, |_| async { None }).await.unwrap();
    rows.get_with(&2, |_| async { Some(2) }).await.unwrap();
    rows.insert(&3, None).await.unwrap();
    assert_eq!(rows.at(&1).get().await.unwrap().remaining, Duration::from_secs(5));
    assert_eq!(rows.at(&3).get().await.unwrap().remaining, Duration::from_secs(5));
    advance(Duration::from_secs(5)).await;
    assert_eq!((rows.get(&1).await, rows.get(&2).await, rows.get(&3).await), (None, Some(Some(2)), None));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_lives_longer_than_its_policy_says_keeps_its_tags_alive() {
    let store = Memory::new();
    let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
    let hours = Duration::from_secs(10 * 3600);
    here.items().at("call").tag("t").ttl(hours).get_with(|_| async { 1 }).await.unwrap();
    here.items().at("insert").tag("u").ttl(hours).insert(2).await.unwrap();
    let load = |load: Load| async move {
        load.tag("v");
        load.ttl(hours);
        3
    };
    here.items().get_with("loader", load).await.unwrap();
    let load = |load: Load| async move {
        load.ttl(hours);
        4
    };
    here.items().at("both").tag("w").get_with(load).await.unwrap();
    advance(hours - MS).await;
    let items = bare.items();
    assert_eq!(items.get("call").await, Some(1));
    assert_eq!(items.get("insert").await, Some(2));
    assert_eq!(items.get("loader").await, Some(3));
    assert_eq!(items.get("both").await, Some(4));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_outlives_its_policy_is_revoked_by_its_tags_all_the_same() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let items = here.items();
    let long = |load: Load| load.ttl(Duration::from_secs(36_000));
    let load = move |load: Load| async move {
        long(load);
        1
    };
    items.at(KEY).tag("t").get_with(load).await.unwrap();
    assert_eq!(stored(&store).await, Some(1));
    peer.stack.invalidate_tag("t").await.unwrap();
    assert_eq!(stored(&store).await, None);
    // And when that happens while it loads.
    let (mut held, stand) = hold();
    let loading = {
        let items = peer.items();
        let load = move |load: Load| async move {
            stand.await;
            long(load);
            2
        };
        tokio::spawn(async move { items.at(KEY).tag("t").get_with(load).await.unwrap() })
    };
    held.reached().await;
    here.stack.invalidate_tag("t").await.unwrap();
    here.items().at("other").tag("t").insert(1).await.unwrap();
    held.release();
    loading.await.unwrap();
    assert_eq!(stored(&store).await, None);
}
