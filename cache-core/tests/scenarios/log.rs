//! What the processes of a fleet hear of each other, and what holds while they don't.

use std::{sync::Arc, time::Duration};

use cache_core::{
    Cache, ErrorKind, L1, Source, Stack,
    backend::{Memory, Position},
    testing::{Faulty, Moment, Operation},
};
use tokio::time::advance;

use crate::{
    coherence::{How, TAG, tagged, tagged_call},
    fleet::{Items, KEY, LONG, Origin, Process, call, namespace, pass, settle, stored, until},
};

/// `max_staleness` of a default stack.
const X: Duration = Duration::from_secs(1);
const BIT: Duration = Duration::from_millis(1);

/// Two processes that both have version 0 in L1, and the origin at version 1.
async fn warm() -> (Memory, Arc<Origin>, Process, Process) {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    assert_eq!(tagged(&here.items(), origin.load()).await, 0);
    assert_eq!(tagged(&peer.items(), origin.load()).await, 0);
    assert_eq!(source(&here.items()).await, Some(Source::L1));
    origin.commit();
    (store, origin, here, peer)
}

async fn source(items: &Items) -> Option<Source> {
    items.at(KEY).get().await.map(|answer| answer.source)
}

/// Cuts a process off from everything that keeps it in step.
fn cut_off_from_the_log(process: &Process) {
    for operation in [Operation::Attach, Operation::Beat, Operation::Follow] {
        process.faults.fail(operation, ErrorKind::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn a05_a_peer_drops_what_was_invalidated_and_writes_nothing() {
    for how in How::ALL {
        let (_store, origin, here, peer) = warm().await;
        let before = here.faults.requests();
        how.invalidate(&peer).await.unwrap();
        settle().await;
        assert_eq!(here.faults.requests(), before, "{how:?}: it only listens");
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}, with no time gone by");
    }
}

#[tokio::test(start_paused = true)]
async fn a06_without_the_log_nothing_stale_is_served_beyond_the_bound() {
    for how in How::ALL {
        let (_store, origin, here, peer) = warm().await;
        cut_off_from_the_log(&here);
        settle().await;
        // A message may be in hand already; what is read from now on never arrives.
        pass(Duration::from_millis(1100)).await;
        how.invalidate(&peer).await.unwrap();
        pass(X + BIT).await;
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}: still cut off");
        here.faults.heal();
        pass(3 * X).await;
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}: connected again");
        assert!(here.stack.health().proof_age.unwrap() <= X, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn race_07_a_flight_that_is_not_proven_is_not_joined() {
    let (store, origin) = (Memory::new(), Origin::new());
    let patient = |stack: cache_core::StackBuilder| stack.lease_wait(Duration::from_millis(1));
    let (here, peer) = (Process::with(&store, patient).await, Process::on(&store).await);
    let (mut held, load) = origin.held();
    let early = tagged_call(&here.items(), load);
    held.reached().await;
    cut_off_from_the_log(&here);
    pass(Duration::from_millis(1100)).await;
    origin.commit();
    How::Key.invalidate(&peer).await.unwrap();
    pass(X + BIT).await;
    let late = tagged_call(&here.items(), origin.load());
    until("it loads by itself", || origin.loads() == 2).await;
    assert_eq!(late.await.unwrap(), 1, "the load under way began before the invalidation");
    assert!(here.items().stats().joins_refused > 0);
    held.release();
    assert_eq!(early.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn race_10_an_entry_that_is_not_proven_is_validated_and_not_moved() {
    let (_store, _origin, here, _peer) = warm().await;
    cut_off_from_the_log(&here);
    pass(3 * X).await;
    let before = (here.items().stats(), here.faults.calls(Operation::Read));
    for _ in 0..10 {
        assert_eq!(source(&here.items()).await, Some(Source::L1));
    }
    let after = here.items().stats() - before.0;
    assert_eq!((after.validated, after.l2_hits, after.misses), (1, 0, 0), "one comparison for all of them");
    assert_eq!(here.faults.calls(Operation::Read) - before.1, 1);
}

#[tokio::test(start_paused = true)]
async fn the_loss_of_the_log_is_no_storm() {
    const KEYS: u64 = 200;
    let store = Memory::new();
    let here = Process::with(&store, |stack| stack.l1(L1::entries(10_000))).await;
    let items: Cache<u64, u64> = here.stack.cache("item").build().unwrap();
    for key in 0..KEYS {
        items.get_with(&key, |_| async move { key }).await.unwrap();
    }
    cut_off_from_the_log(&here);
    pass(3 * X).await;
    let before = here.faults.requests();
    for _ in 0..50 {
        for key in 0..KEYS {
            assert_eq!(items.get(&key).await, Some(key));
        }
        advance(X / 50).await;
    }
    let requests = here.faults.requests() - before;
    assert!(requests <= 2 * KEYS as usize, "{requests} requests for {KEYS} keys in one span of max_staleness");
}

#[tokio::test(start_paused = true)]
async fn race_11_a_heartbeat_proves_what_was_so_when_it_was_sent() {
    let store = Memory::new();
    let here = Process::with(&store, |stack| stack.l2_deadline(LONG)).await;
    let (origin, peer) = (Origin::new(), Process::on(&store).await);
    tagged(&here.items(), origin.load()).await;
    let mut beat = here.faults.hold(Operation::Beat, Moment::After);
    here.faults.hang(Operation::Follow);
    beat.reached().await;
    pass(Duration::from_millis(1100)).await;
    origin.commit();
    How::Key.invalidate(&peer).await.unwrap();
    pass(X).await;
    beat.release();
    settle().await;
    assert_eq!(tagged(&here.items(), origin.load()).await, 1, "the answer is new, what it says is old");
}

#[tokio::test(start_paused = true)]
async fn race_12_a_message_that_never_comes_is_noticed_by_the_heartbeat() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let origin = Origin::new();
    tagged(&here.items(), origin.load()).await;
    // The blocking read is answered by nobody any more; heartbeats go on, and catch up.
    here.faults.hang(Operation::Follow);
    pass(Duration::from_millis(1100)).await;
    origin.commit();
    How::Key.invalidate(&peer).await.unwrap();
    pass(X + BIT).await;
    assert_eq!(tagged(&here.items(), origin.load()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn race_13_what_was_missed_during_a_cut_is_replayed_and_nothing_else_is_dropped() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let items = here.items();
    for key in ["a", "b"] {
        items.get_with(key, |_| async { 0 }).await.unwrap();
    }
    cut_off_from_the_log(&here);
    pass(Duration::from_millis(1100)).await;
    peer.items().invalidate("a").await.unwrap();
    here.faults.heal();
    pass(X).await;
    assert_eq!(items.get("a").await, None);
    assert_eq!(items.at("b").get().await.unwrap().source, Source::L1);
    assert_eq!((here.stack.health().flushes, items.stats().validated), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a07_an_invalidation_right_after_the_build_is_heard() {
    let (store, origin) = (Memory::new(), Origin::new());
    let peer = Process::on(&store).await;
    tagged(&peer.items(), origin.load()).await;
    let here = Process::on(&store).await;
    assert_eq!(tagged(&here.items(), origin.load()).await, 0);
    origin.commit();
    How::Tag.invalidate(&peer).await.unwrap();
    settle().await;
    assert_eq!(tagged(&here.items(), origin.load()).await, 1);
}

/// A stack that was built while its store was away took its first attachment for a proof of what it had loaded before, and
/// served that for as long as it lived, although it had been invalidated meanwhile.
#[tokio::test(start_paused = true)]
async fn a06_what_came_before_the_first_attachment_is_not_proven_by_it() {
    let (store, origin) = (Memory::new(), Origin::new());
    let faulty = Faulty::new(store.clone());
    let faults = faulty.faults();
    for operation in [Operation::Attach, Operation::Beat, Operation::Follow] {
        faults.fail(operation, ErrorKind::Unavailable);
    }
    let stack = Stack::builder("shop").l2(faulty).build().await.unwrap();
    let (here, peer) = (Process { stack, faults }, Process::on(&store).await);
    assert_eq!(tagged(&here.items(), origin.load()).await, 0);
    origin.commit();
    How::Key.invalidate(&peer).await.unwrap();
    here.faults.heal();
    pass(X + BIT).await;
    assert_eq!(tagged(&here.items(), origin.load()).await, 1);
    pass(X).await;
    assert_eq!(tagged(&here.items(), origin.load()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a10_what_was_invalidated_after_a_snapshot_is_not_served_from_it() {
    for how in How::ALL {
        let (store, origin, here, peer) = warm().await;
        let snapshot = store.snapshot();
        how.invalidate(&peer).await.unwrap();
        assert_eq!(tagged(&here.items(), origin.load()).await, 1);
        store.restart_from(&snapshot);
        pass(X).await;
        // Those who were there notice by themselves; a newcomer attaches first, and would hide that they didn't.
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}: the namespace was renewed");
        let flushes = here.stack.health().flushes;
        assert_eq!(stored(&store).await, Some(1), "{how:?}: a newcomer trusts what was stored since");
        pass(X).await;
        assert_eq!(here.stack.health().flushes, flushes, "{how:?}: once");
        assert_eq!(tagged(&peer.items(), origin.load()).await, 1, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_kept_warm_survives_another_server() {
    let store = Memory::new();
    let here = Process::with(&store, |stack| stack.keep_warm_on_failover().l1(L1::entries(0))).await;
    here.items().insert(KEY, 7).await.unwrap();
    store.restart_from(&store.snapshot());
    pass(X).await;
    assert_eq!(here.items().get(KEY).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a15_a_fill_is_announced_to_nobody_and_an_insert_to_all() {
    let (_store, origin, here, peer) = warm().await;
    let other = peer.items();
    other.get_with("other", |_| async { 1 }).await.unwrap();
    settle().await;
    assert_eq!(source(&here.items()).await, Some(Source::L1), "a fill changes nothing for others");
    other.insert(KEY, 5).await.unwrap();
    settle().await;
    assert_eq!(here.items().at(KEY).get().await.map(|answer| (answer.value, answer.source)), Some((5, Source::L2)));
    drop(origin);
}

#[tokio::test(start_paused = true)]
async fn race_28_a_log_that_is_lost_trimmed_or_forged_empties_l1_and_no_more() {
    type Mishap = fn(&Memory);
    let mishaps: [(&str, Mishap); 4] = [
        ("lost", |store| store.lose_log(&namespace().log())),
        ("without its predecessor", |store| store.append_to_log(&namespace().log(), None, &[])),
        ("with a predecessor that is none", |store| {
            let nowhere = Position { millis: u64::MAX, sequence: 0 };
            store.append_to_log(&namespace().log(), Some(nowhere), &["shop:item:{k}:v1"]);
        }),
        ("of another tongue", |store| {
            store.append_to_log(&namespace().log(), None, &["", "shop:#log", "\u{0}", "mall:item:{k}:v1"]);
        }),
    ];
    for (what, mishap) in mishaps {
        let (store, _origin, here, _peer) = warm().await;
        mishap(&store);
        pass(X).await;
        assert!(here.stack.health().flushes >= 1, "{what}");
        assert_eq!(source(&here.items()).await, Some(Source::L2), "{what}: what L2 has is good");
        pass(X).await;
        assert_eq!(source(&here.items()).await, Some(Source::L1), "{what}: and life goes on");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_can_not_read_the_log_gives_up_what_it_has_and_is_in_step_again() {
    let (_store, origin, here, peer) = warm().await;
    here.faults.fail(Operation::Follow, ErrorKind::Unavailable);
    pass(Duration::from_millis(1100)).await;
    How::Key.invalidate(&peer).await.unwrap();
    pass(2 * X).await;
    let health = here.stack.health();
    assert!(health.proof_age.unwrap() <= X && health.flushes >= 1, "{health:?}");
    assert_eq!(tagged(&here.items(), origin.load()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn many_things_are_invalidated_in_one_call_and_one_message() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let fill = async |process: &Process| {
        for key in ["a", "b", "c", "d"] {
            let tag = if key == "c" { "t" } else { "u" };
            process.items().at(key).tag(tag).get_with(|_| async { 0 }).await.unwrap();
        }
    };
    fill(&here).await;
    fill(&peer).await;
    let before = here.faults.requests();
    here.stack.invalidation().keys(&here.items(), ["a", "b"]).tag("t").send().await.unwrap();
    assert_eq!(here.faults.requests() - before, 1);
    settle().await;
    for process in [&here, &peer] {
        let items = process.items();
        for key in ["a", "b", "c"] {
            assert_eq!(items.get(key).await, None, "{key}");
        }
        assert_eq!(items.at("d").get().await.unwrap().source, Source::L1);
    }
    here.stack.invalidation().send().await.unwrap();
    assert_eq!(here.faults.calls(Operation::Invalidate), 1, "nothing to do");
    let error = here.stack.invalidation().key(&peer.items(), "d").send().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("another stack"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_invalidations_is_one_call_and_holds_here_at_once() {
    let (store, origin, here, peer) = warm().await;
    for _ in 0..1000 {
        here.stack.invalidation().key(&here.items(), KEY).tag(TAG).send_soon().unwrap();
    }
    assert_eq!(here.items().get(KEY).await, None, "it is gone here, and L2 not believed");
    assert_eq!(stored(&store).await, Some(0), "L2 has not heard of it");
    pass(Duration::from_millis(100)).await;
    assert_eq!((here.faults.calls(Operation::Invalidate), here.stack.health().queued_invalidations), (1, 0));
    assert_eq!(tagged(&peer.items(), origin.load()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_fell_behind_a_trimmed_log_drops_everything_once() {
    let (store, origin, here, peer) = warm().await;
    cut_off_from_the_log(&here);
    pass(Duration::from_millis(1100)).await;
    How::Key.invalidate(&peer).await.unwrap();
    peer.items().invalidate("another").await.unwrap();
    store.trim_log(&namespace().log());
    here.faults.heal();
    pass(X).await;
    assert_eq!(here.stack.health().flushes, 1);
    assert_eq!(tagged(&here.items(), origin.load()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_validated_read_is_current_whatever_the_log_does() {
    for how in How::ALL {
        let (_store, origin, here, peer) = warm().await;
        cut_off_from_the_log(&here);
        here.faults.hang(Operation::Follow);
        pass(Duration::from_millis(1100)).await;
        let validated = async || here.items().at(KEY).tag(TAG).validated().get_with(|_| origin.load()).await.unwrap();
        assert_eq!((validated().await.value, validated().await.source), (0, Source::L1), "{how:?}: nothing changed");
        how.invalidate(&peer).await.unwrap();
        assert_eq!(validated().await.value, 1, "{how:?}");
        assert_eq!(here.items().get(KEY).await, Some(1), "{how:?}: and what it found is there for others");
    }
}

#[tokio::test(start_paused = true)]
async fn a_validated_read_joins_no_flight_and_loads_where_l2_can_not_be_asked() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::with(&store, |stack| stack.lease_wait(Duration::from_millis(1))).await;
    let (mut held, load) = origin.held();
    let early = call(&here.items(), load);
    held.reached().await;
    origin.commit();
    let answer = here.items().at(KEY).validated().get_with(|_| origin.load()).await.unwrap();
    assert_eq!((answer.value, answer.source), (1, Source::Loaded));
    held.release();
    early.await.unwrap().unwrap();
    origin.commit();
    here.faults.fail_all(ErrorKind::Unavailable);
    let answer = here.items().at(KEY).validated().get_with(|_| origin.load()).await.unwrap();
    assert_eq!((answer.value, answer.source), (2, Source::Loaded));
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_can_wait_for_the_whole_fleet() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::with(&store, |stack| stack.max_staleness(5 * X)).await;
    let peer = Process::on(&store).await;
    tagged(&here.items(), origin.load()).await;
    cut_off_from_the_log(&here);
    pass(Duration::from_millis(1100)).await;
    origin.commit();
    let begun = cache_core::clock::now();
    peer.items().at(KEY).invalidate_everywhere().await.unwrap();
    assert!(cache_core::clock::now() - begun >= 5 * X, "the fleet's longest counts");
    assert_eq!(tagged(&here.items(), origin.load()).await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_loaded_while_l2_is_away_is_kept_for_the_bound_and_no_longer() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let origin = Origin::new();
    here.faults.fail_all(ErrorKind::Unavailable);
    pass(2 * X).await;
    assert_eq!(here.items().get_with(KEY, |_| origin.load()).await.unwrap(), 0);
    origin.commit();
    assert_eq!(here.items().get_with(KEY, |_| origin.load()).await.unwrap(), 0, "it is fresh enough");
    pass(X + BIT).await;
    assert_eq!(here.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_bound_is_checked_at_build_time() {
    let build = |longest| cache_core::Stack::builder("shop").max_staleness(longest).build();
    let error = build(Duration::from_millis(9)).await.unwrap_err();
    assert!(error.to_string().contains("max_staleness is 9ms"), "{error}");
    build(Duration::from_millis(10)).await.unwrap();
}
