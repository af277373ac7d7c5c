//! The races between L1, the shared store, the origin and processes, each built from gates.
//!
//! Those that need the log or guards are in files of their own; `cache_core::consistency::races` has the whole list.

use std::time::Duration;

use cache_core::{
    ErrorKind, L1, Load, Overrides, Source,
    backend::Memory,
    testing::{Moment, Operation},
};
use tokio::time::advance;

use crate::{
    coherence::{How, TAG, tagged, tagged_call},
    fleet::{Items, KEY, Origin, Process, call, evict, hold, namespace, settle, stored, until},
};

#[tokio::test(start_paused = true)]
async fn race_01_a_stale_fill_is_refused() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, load) = origin.held();
    let loading = call(&here.items(), load);
    held.reached().await;
    origin.commit();
    peer.items().invalidate(KEY).await.unwrap();
    held.release();
    loading.await.unwrap().unwrap();
    assert_eq!(here.faults.calls(Operation::Fill), 1, "it tried");
    assert_eq!(stored(&store).await, None);
    assert_eq!(peer.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn race_02_a_stale_value_is_not_admitted_here() {
    for how in How::ALL {
        let origin = Origin::new();
        let here = Process::on(&Memory::new()).await;
        let (mut held, load) = origin.held();
        let loading = tagged_call(&here.items(), load);
        held.reached().await;
        how.invalidate(&here).await.unwrap();
        held.release();
        loading.await.unwrap();
        assert_eq!(here.items().get(KEY).await, None, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn race_03_an_invalidation_between_a_fill_and_its_reply() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let here = Process::on(&store).await;
        let mut reply = here.faults.hold(Operation::Fill, Moment::After);
        let loading = tagged_call(&here.items(), origin.load());
        reply.reached().await;
        how.invalidate(&here).await.unwrap();
        reply.release();
        loading.await.unwrap();
        assert_eq!(here.items().get(KEY).await, None, "{how:?}");
        assert_eq!(stored(&store).await, None, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn race_04_a_reply_that_is_older_than_an_invalidation_and_arrives_after_it() {
    for how in How::ALL {
        for look_up in [true, false] {
            let (store, origin) = (Memory::new(), Origin::new());
            let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
            tagged(&peer.items(), origin.load()).await;
            origin.commit();
            let mut reply = here.faults.hold(Operation::Read, Moment::After);
            let reader = {
                let (items, load) = (here.items(), origin.load());
                tokio::spawn(async move {
                    match look_up {
                        true => items.get(KEY).await,
                        false => Some(tagged(&items, load).await),
                    }
                })
            };
            reply.reached().await;
            how.invalidate(&here).await.unwrap();
            reply.release();
            // It asked before, and may be given either.
            reader.await.unwrap();
            assert_eq!(here.items().get(KEY).await, None, "{how:?} {look_up}");
            assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?} {look_up}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn race_05_a_promotion_overlaps_an_invalidation() {
    for how in How::ALL {
        for moment in [Moment::Before, Moment::After] {
            let (store, origin) = (Memory::new(), Origin::new());
            let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
            tagged(&peer.items(), origin.load()).await;
            origin.commit();
            let mut gate = here.faults.hold(Operation::Invalidate, moment);
            let invalidation = how.begin(&here);
            gate.reached().await;
            let mut reply = here.faults.hold(Operation::Read, Moment::After);
            let reader = tagged_call(&here.items(), origin.load());
            reply.reached().await;
            gate.release();
            invalidation.await.unwrap().unwrap();
            let late = tagged_call(&here.items(), origin.load());
            settle().await;
            reply.release();
            reader.await.unwrap();
            assert_eq!(late.await.unwrap(), 1, "{how:?} {moment:?}");
            assert_eq!(here.items().get(KEY).await, Some(1), "{how:?} {moment:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn race_06_a_late_reader_does_not_join_an_old_flight() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    let (mut old, load) = origin.held();
    let early = call(&here.items(), load);
    old.reached().await;
    origin.commit();
    here.items().invalidate(KEY).await.unwrap();
    let (mut new, load) = origin.held();
    let late = call(&here.items(), load);
    // Its own loader runs while the old one stands still.
    new.reached().await;
    new.release();
    assert_eq!(late.await.unwrap().unwrap(), 1);
    old.release();
    assert_eq!(early.await.unwrap().unwrap(), 0);
    assert_eq!(here.items().get(KEY).await, Some(1));
    assert_eq!(stored(&store).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn race_06_a_late_reader_is_not_given_what_only_the_loader_knows_to_be_revoked() {
    let origin = Origin::new();
    let here = Process::on(&Memory::new()).await;
    let (mut held, load) = origin.held();
    let early = {
        let items = here.items();
        let load = |handle: Load| async move {
            let value = load.await;
            handle.tag(TAG);
            value
        };
        tokio::spawn(async move { items.get_with(KEY, load).await.unwrap() })
    };
    held.reached().await;
    origin.commit();
    here.stack.invalidate_tag(TAG).await.unwrap();
    // Nobody knows yet that the flight is revoked, so it is joined.
    let late = call(&here.items(), origin.load());
    settle().await;
    held.release();
    assert_eq!(early.await.unwrap(), 0);
    assert_eq!(late.await.unwrap().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn race_08_a_reader_promotes_between_the_local_drop_and_the_store() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let here = Process::on(&store).await;
        tagged(&here.items(), origin.load()).await;
        origin.commit();
        let mut gate = here.faults.hold(Operation::Invalidate, Moment::Before);
        let invalidation = how.begin(&here);
        gate.reached().await;
        let answer = here.items().at(KEY).tag(TAG).get().await.unwrap();
        assert_eq!((answer.value, answer.source), (0, Source::L2), "{how:?}: dropped here, and promoted again");
        gate.release();
        invalidation.await.unwrap().unwrap();
        assert_eq!(here.items().get(KEY).await, None, "{how:?}");
    }
}

/// Its own message may come late or never: it does not wait for it.
#[tokio::test(start_paused = true)]
async fn race_09_a_process_need_not_hear_of_its_own_invalidation() {
    for how in How::ALL {
        let origin = Origin::new();
        let here = Process::on(&Memory::new()).await;
        tagged(&here.items(), origin.load()).await;
        here.faults.hang(Operation::Follow);
        here.faults.hang(Operation::Beat);
        origin.commit();
        how.invalidate(&here).await.unwrap();
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}");
    }
}

/// What is announced is that it is revoked, not that something was there.
#[tokio::test(start_paused = true)]
async fn race_16_an_invalidation_of_what_the_store_has_lost_is_heard_all_the_same() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    call(&here.items(), origin.load()).await.unwrap().unwrap();
    store.lose("shop:item:{k}:v1");
    assert_eq!(stored(&store).await, None);
    assert_eq!(here.items().get(KEY).await, Some(0));
    origin.commit();
    peer.items().invalidate(KEY).await.unwrap();
    settle().await;
    assert_eq!(here.items().get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn race_17_a_tag_is_invalidated_during_a_load() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, load) = origin.held();
    let loading = tagged_call(&here.items(), load);
    held.reached().await;
    origin.commit();
    peer.stack.invalidate_tag(TAG).await.unwrap();
    // Another entry brings the tag's mark back before the fill.
    peer.items().at("other").tag(TAG).insert(1).await.unwrap();
    held.release();
    loading.await.unwrap();
    assert_eq!(stored(&store).await, None);
    assert_eq!(tagged(&peer.items(), origin.load()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn race_18_a_lost_mark_never_comes_round_again() {
    let store = Memory::new();
    let here = Process::without_l1(&store).await;
    here.items().at(KEY).tag(TAG).insert(0).await.unwrap();
    for _ in 0..100 {
        evict(&store, &[namespace().tag(TAG)]).await;
        here.items().at("other").tag(TAG).insert(1).await.unwrap();
        assert_eq!(here.items().get(KEY).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn race_19_a_mark_in_use_is_not_forgotten_and_a_lost_one_costs_a_load() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::without_l1(&store).await;
    let items = here.items();
    tagged(&items, origin.load()).await;
    // A later entry with the same tag finds its mark alive until the end.
    advance(Duration::from_secs(299)).await;
    items.at("other").tag(TAG).insert(1).await.unwrap();
    advance(Duration::from_secs(299)).await;
    assert_eq!(items.get("other").await, Some(1));
    evict(&store, &[namespace().tag(TAG)]).await;
    assert_eq!(items.get("other").await, None);
    let loads = origin.loads();
    tagged(&items, origin.load()).await;
    assert_eq!(tagged(&items, origin.load()).await, 0);
    assert_eq!(origin.loads(), loads + 1);
}

#[tokio::test(start_paused = true)]
async fn race_21_a_reader_that_names_a_tag_more_misses() {
    let store = Memory::new();
    let (old, new) = (Process::without_l1(&store).await, Process::without_l1(&store).await);
    old.items().at(KEY).tag("a").insert(1).await.unwrap();
    assert_eq!(new.items().at(KEY).tag("a").tag("b").get().await, None);
    let value = new.items().at(KEY).tag("a").tag("b").get_with(|_| async { 2 }).await.unwrap();
    assert_eq!((value.value, value.source), (2, Source::Loaded));
    // One that names fewer has nothing against more.
    assert_eq!(old.items().at(KEY).tag("a").get().await.unwrap().value, 2);
    old.stack.invalidate_tag("b").await.unwrap();
    assert_eq!(old.items().at(KEY).tag("a").get().await, None);
}

#[tokio::test(start_paused = true)]
async fn race_22_any_tag_invalidated_during_a_load_refuses_tags_that_come_late() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, stand) = hold();
    let loading = {
        let items = here.items();
        let load = |load: Load| async move {
            stand.await;
            load.tag("vip");
            0
        };
        tokio::spawn(async move { items.get_with(KEY, load).await.unwrap() })
    };
    held.reached().await;
    peer.stack.invalidate_tag("vip").await.unwrap();
    // Its mark is there again, fresh, when the fill comes.
    peer.items().at("other").tag("vip").insert(1).await.unwrap();
    held.release();
    loading.await.unwrap();
    assert_eq!(stored(&store).await, None);
    assert_eq!(here.items().get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn race_31_l1_ends_with_the_store_however_late_it_was_asked() {
    let store = Memory::new();
    let ttl = Duration::from_secs(60);
    let long = |process: &Process| -> Items {
        let overrides = Overrides::new().jitter(0.0).ttl(ttl).l1_ttl(ttl);
        process.stack.cache("long").overrides(overrides).build().unwrap()
    };
    let (a, b) = (Process::on(&store).await, Process::on(&store).await);
    long(&a).insert(KEY, 7).await.unwrap();
    advance(Duration::from_secs(59)).await;
    let mut reply = b.faults.hold(Operation::Read, Moment::After);
    let reader = {
        let items = long(&b);
        tokio::spawn(async move { items.get(KEY).await })
    };
    reply.reached().await;
    advance(Duration::from_millis(200)).await;
    reply.release();
    assert_eq!(reader.await.unwrap(), Some(7));
    let answer = long(&b).at(KEY).get().await.unwrap();
    assert_eq!(answer.source, Source::L1);
    assert!(answer.remaining <= Duration::from_millis(800), "{answer:?}");
    advance(Duration::from_millis(800)).await;
    assert_eq!(long(&b).get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn race_33_a_cached_nothing_gives_way_to_a_create() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let rows = |process: &Process| process.stack.cache::<String, Option<u64>>("row").build().unwrap();
    assert_eq!(rows(&here).get_with(KEY, |_| async { None }).await.unwrap(), None);
    assert_eq!(rows(&here).get(KEY).await, Some(None), "that there is nothing is cached");
    rows(&peer).invalidate(KEY).await.unwrap();
    assert_eq!(rows(&peer).get_with(KEY, |_| async { Some(7) }).await.unwrap(), Some(7));
    // The load of a nothing that overlaps the create does not come back either.
    rows(&here).invalidate(KEY).await.unwrap();
    let (mut held, stand) = hold();
    let nothing = {
        let rows = rows(&here);
        let load = async move {
            stand.await;
            None
        };
        tokio::spawn(async move { rows.get_with(KEY, |_| load).await })
    };
    held.reached().await;
    rows(&peer).invalidate(KEY).await.unwrap();
    held.release();
    nothing.await.unwrap().unwrap();
    assert_eq!(rows(&here).get_with(KEY, |_| async { Some(8) }).await.unwrap(), Some(8));
}

#[tokio::test(start_paused = true)]
async fn race_36_of_two_inserts_at_once_l1_keeps_what_the_store_has_or_nothing() {
    for first_to_return in [0, 1] {
        let store = Memory::new();
        let here = Process::on(&store).await;
        let mut replies = Vec::new();
        let mut inserts = Vec::new();
        for value in [1, 2] {
            let mut reply = here.faults.hold(Operation::Put, Moment::After);
            let items = here.items();
            inserts.push(tokio::spawn(async move { items.insert(KEY, value).await }));
            reply.reached().await;
            replies.push(reply);
        }
        replies.remove(first_to_return).release();
        inserts.remove(first_to_return).await.unwrap().unwrap();
        replies.remove(0).release();
        inserts.remove(0).await.unwrap().unwrap();
        assert_eq!(stored(&store).await, Some(2));
        assert_eq!(here.items().get(KEY).await, Some(2));
    }
}

#[tokio::test(start_paused = true)]
async fn race_43_an_invalidation_of_an_absent_entry_ends_its_lease() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, load) = origin.held();
    let loading = call(&here.items(), load);
    held.reached().await;
    origin.commit();
    assert_eq!(stored(&store).await, None, "nothing but the lease is there");
    peer.items().invalidate(KEY).await.unwrap();
    // So a new load need not wait for the old one.
    assert_eq!(peer.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
    held.release();
    loading.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn race_44_a_loader_that_lost_its_lease_is_fenced_off() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, load) = origin.held();
    let slow = call(&here.items(), load);
    held.reached().await;
    here.faults.fail(Operation::Extend, ErrorKind::Unavailable);
    advance(Duration::from_secs(3)).await;
    origin.commit();
    assert_eq!(peer.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
    held.release();
    assert_eq!(slow.await.unwrap().unwrap(), 0);
    assert_eq!(stored(&store).await, Some(1));
    assert_eq!(here.items().get(KEY).await, Some(1), "nor is it kept in L1");
}

#[tokio::test(start_paused = true)]
async fn race_46_a_fill_without_a_reply_is_harmless_whether_or_not_it_took_effect() {
    for took_effect in [true, false] {
        let (store, origin) = (Memory::new(), Origin::new());
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        match took_effect {
            true => here.faults.lose_reply(Operation::Fill, ErrorKind::Timeout),
            false => here.faults.fail(Operation::Fill, ErrorKind::Timeout),
        }
        assert_eq!(here.items().get_with(KEY, |_| origin.load()).await.unwrap(), 0);
        assert_eq!(stored(&store).await.is_some(), took_effect);
        origin.commit();
        here.items().invalidate(KEY).await.unwrap();
        assert_eq!(here.items().get(KEY).await, None);
        assert_eq!(peer.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn race_46_a_fill_that_takes_effect_after_its_deadline_finds_its_lease_gone() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let mut late = here.faults.hold(Operation::Fill, Moment::Before);
    let slow = call(&here.items(), origin.load());
    late.reached().await;
    origin.commit();
    peer.items().invalidate(KEY).await.unwrap();
    late.release();
    assert_eq!(slow.await.unwrap().unwrap(), 0);
    assert_eq!(stored(&store).await, None);
    assert_eq!(here.items().get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn race_46_an_invalidation_whose_reply_is_lost_is_an_error_and_retried() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        tagged(&here.items(), origin.load()).await;
        here.faults.lose_reply(Operation::Invalidate, ErrorKind::Timeout);
        assert_eq!(how.invalidate(&here).await.unwrap_err().kind(), ErrorKind::Timeout, "{how:?}");
        origin.commit();
        assert_eq!(tagged(&peer.items(), origin.load()).await, 1, "{how:?}: it took effect");
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}");
        here.faults.heal();
        until("it got through", || here.stack.health().queued_invalidations == 0).await;
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn race_47_an_invalidation_that_fails_half_way_is_made_whole() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    tagged(&here.items(), origin.load()).await;
    here.faults.hang(Operation::Invalidate);
    assert_eq!(here.items().invalidate(KEY).await.unwrap_err().kind(), ErrorKind::Timeout);
    // The caller of another one leaves before it knows.
    let tag = How::Tag.begin(&here);
    settle().await;
    tag.abort();
    until("both are queued", || here.stack.health().queued_invalidations == 2).await;
    origin.commit();
    here.faults.heal();
    until("both got through", || here.stack.health().queued_invalidations == 0).await;
    assert_eq!(stored(&store).await, None);
    assert_eq!(tagged(&peer.items(), origin.load()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn race_48_clearing_overlaps_loads_of_many_keys() {
    for how in [How::Cache, How::Everything] {
        let (store, origin) = (Memory::new(), Origin::new());
        let here = Process::on(&store).await;
        let (mut stands, mut loads) = (Vec::new(), Vec::new());
        for key in ["a", "b", "c"] {
            let (mut held, load) = origin.held();
            let items = here.items();
            loads.push(tokio::spawn(async move { items.get_with(key, |_| load).await.unwrap() }));
            held.reached().await;
            stands.push(held);
        }
        origin.commit();
        how.invalidate(&here).await.unwrap();
        drop(stands);
        for load in loads {
            assert_eq!(load.await.unwrap(), 0);
        }
        for key in ["a", "b", "c"] {
            assert_eq!(here.items().get_with(key, |_| origin.load()).await.unwrap(), 1, "{how:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn race_49_a_fleet_whose_every_entry_was_revoked_loads_each_once() {
    const KEYS: usize = 50;
    let (store, origin) = (Memory::new(), Origin::new());
    let fleet = [Process::on(&store).await, Process::on(&store).await, Process::on(&store).await];
    for round in 1..=2 {
        let mut calls = tokio::task::JoinSet::new();
        for process in fleet.iter().cycle().take(2 * fleet.len()) {
            for key in 0..KEYS {
                let (items, origin) = (process.items(), origin.clone());
                calls.spawn(async move { items.get_with(&key.to_string(), |_| origin.load()).await.unwrap() });
            }
        }
        calls.join_all().await;
        assert_eq!(origin.loads(), round * KEYS);
        fleet[0].stack.invalidate_all().await.unwrap();
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn race_50_what_was_stored_together_does_not_expire_together() {
    let store = Memory::new();
    let here = Process::with(&store, |stack| stack.l1(L1::entries(0))).await;
    let items = here.stack.cache::<u64, u64>("item").ttl(Duration::from_secs(1000)).build().unwrap();
    let mut remaining = Vec::new();
    for key in 0..1000 {
        items.insert(&key, key).await.unwrap();
        remaining.push(items.at(&key).get().await.unwrap().remaining);
    }
    let (shortest, longest) = (remaining.iter().min().unwrap(), remaining.iter().max().unwrap());
    assert!(*longest <= Duration::from_secs(1000));
    assert!(*shortest >= Duration::from_secs(900));
    assert!(*longest - *shortest > Duration::from_secs(80), "they are spread over most of the jitter");
    remaining.sort();
    let most_at_once = remaining.chunk_by(|a, b| *b - *a < Duration::from_millis(1)).map(<[_]>::len).max();
    assert!(most_at_once < Some(20), "{most_at_once:?}");
}

#[tokio::test(start_paused = true)]
async fn race_51_a_load_that_fails_after_an_invalidation_of_its_tag_resurrects_nothing() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    tagged(&here.items(), origin.load()).await;
    // The bytes stay where they are: only the mark is gone.
    peer.stack.invalidate_tag(TAG).await.unwrap();
    advance(Duration::from_secs(5)).await;
    for _ in 0..3 {
        let failed = here.items().at(KEY).tag(TAG).try_get_with(|_| async { Err::<u64, _>("down") }).await;
        assert_eq!(failed.unwrap_err().loader(), Some(&"down"));
    }
    assert_eq!(stored(&store).await, None);
}

#[tokio::test(start_paused = true)]
async fn race_54_two_versions_live_side_by_side_and_an_invalidation_covers_both() {
    let store = Memory::new();
    let (old, new) = (Process::without_l1(&store).await, Process::without_l1(&store).await);
    let v1: Items = old.stack.cache("user").version(1).build().unwrap();
    let v2: cache_core::Cache<String, String> = new.stack.cache("user").version(2).build().unwrap();
    for by_old in [true, false] {
        v1.insert(KEY, 1).await.unwrap();
        v2.insert(KEY, "two".to_owned()).await.unwrap();
        assert_eq!((v1.get(KEY).await, v2.get(KEY).await.as_deref()), (Some(1), Some("two")), "no ping-pong");
        match by_old {
            true => v1.invalidate(KEY).await.unwrap(),
            false => v2.invalidate(KEY).await.unwrap(),
        }
        assert_eq!((v1.get(KEY).await, v2.get(KEY).await), (None, None), "by the old one: {by_old}");
    }
    // It ends the load of the other version too.
    let (mut held, stand) = hold();
    let load = async move {
        stand.await;
        0
    };
    let loading = call(&v1, load);
    held.reached().await;
    v2.invalidate(KEY).await.unwrap();
    held.release();
    loading.await.unwrap().unwrap();
    assert_eq!(v1.get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_older_reply_does_not_replace_what_a_refresh_has_brought() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    peer.items().get_with(KEY, |_| origin.load()).await.unwrap();
    origin.commit();
    let mut reply = here.faults.hold(Operation::Read, Moment::After);
    let look_up = {
        let items = here.items();
        tokio::spawn(async move { items.get(KEY).await })
    };
    reply.reached().await;
    assert_eq!(here.items().at(KEY).refresh_with(|_| origin.load()).await.unwrap().value, 1);
    reply.release();
    assert_eq!(look_up.await.unwrap(), Some(0));
    assert_eq!(here.items().get(KEY).await, Some(1));
}
