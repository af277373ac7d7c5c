//! Stale windows: what grew old may be served, what was invalidated never.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cache_core::{Answer, ErrorKind, LoadError, Overrides, Source, backend::Memory, testing::Operation};
use tokio::time::advance;

use crate::fleet::{Held, Items, KEY, Origin, Process, cache_error, call, hold, settle, until};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(30);
const BIT: Duration = Duration::from_millis(1);

fn policy() -> Overrides {
    Overrides::new().jitter(0.0).ttl(TTL)
}

fn cache(process: &Process, policy: Overrides) -> Items {
    process.stack.cache("stale").overrides(policy).build().unwrap()
}

/// Old values answer while new ones are loaded.
fn revalidating(process: &Process) -> Items {
    cache(process, policy().stale_while_revalidate(WINDOW))
}

/// Old values answer where loads fail.
fn lenient(process: &Process) -> Items {
    cache(process, policy().stale_if_error(WINDOW))
}

async fn get(items: &Items, origin: &Arc<Origin>) -> (u64, Source) {
    let load = origin.load();
    seen(items.at(KEY).get_with(|_| load).await.unwrap())
}

fn seen(answer: Answer<u64>) -> (u64, Source) {
    (answer.value, answer.source)
}

type Failed = LoadError<&'static str>;

async fn fail(items: &Items) -> Result<Answer<u64>, Failed> {
    items.at(KEY).try_get_with(|_| async { Err("no rows") }).await
}

#[tokio::test(start_paused = true)]
async fn an_old_value_answers_at_once_and_one_load_replaces_it() {
    for process in [Process::on(&Memory::new()).await, Process::without_l2().await] {
        let (items, origin) = (revalidating(&process), Origin::new());
        get(&items, &origin).await;
        origin.commit();
        advance(TTL).await;
        let (mut held, load) = origin.held();
        assert_eq!(seen(items.at(KEY).get_with(|_| load).await.unwrap()), (0, Source::Stale));
        held.reached().await;
        for _ in 0..10 {
            assert_eq!(get(&items, &origin).await, (0, Source::Stale), "one load is under way");
        }
        held.release();
        until("it is replaced", || items.in_flight() == 0).await;
        assert_eq!(get(&items, &origin).await, (1, Source::L1));
        assert_eq!(origin.loads(), 2);
        let stats = items.stats();
        assert_eq!((stats.stale_hits, stats.refreshes, stats.misses, stats.requests()), (11, 1, 1, 13));
    }
}

#[tokio::test(start_paused = true)]
async fn past_the_window_a_call_waits_for_the_load() {
    let (items, origin) = (revalidating(&Process::on(&Memory::new()).await), Origin::new());
    get(&items, &origin).await;
    origin.commit();
    advance(TTL + WINDOW).await;
    assert_eq!(get(&items, &origin).await, (1, Source::Loaded));
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_in_l2_answers_too_and_is_loaded_once_in_the_fleet() {
    let store = Memory::new();
    let (a, b, c) = (Process::on(&store).await, Process::on(&store).await, Process::on(&store).await);
    let origin = Origin::new();
    get(&revalidating(&a), &origin).await;
    origin.commit();
    advance(TTL + SECOND).await;
    let (mut held, load) = origin.held();
    let answer = revalidating(&b).at(KEY).get_with(|_| load).await.unwrap();
    assert_eq!((answer.age, answer.remaining), (TTL + SECOND, Duration::ZERO));
    assert_eq!(seen(answer), (0, Source::Stale));
    held.reached().await;
    let waits = || revalidating(&c).stats().lease_waits + revalidating(&a).stats().lease_waits;
    assert_eq!(get(&revalidating(&c), &origin).await, (0, Source::Stale));
    assert_eq!(get(&revalidating(&a), &origin).await, (0, Source::Stale));
    until("both ask for the lease", || waits() >= 2).await;
    held.release();
    let is_done = || [&a, &b, &c].iter().all(|process| revalidating(process).in_flight() == 0);
    until("all have the new value", is_done).await;
    for process in [&a, &b, &c] {
        assert_eq!(get(&revalidating(process), &origin).await, (1, Source::L1));
    }
    assert_eq!(origin.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_old_value_answers_only_who_would_load() {
    let process = Process::on(&Memory::new()).await;
    let (items, origin) = (revalidating(&process), Origin::new());
    get(&items, &origin).await;
    origin.commit();
    advance(TTL).await;
    assert_eq!(items.get(KEY).await, None, "nobody would replace it");
    let load = origin.load();
    assert_eq!(seen(items.at(KEY).validated().get_with(|_| load).await.unwrap()), (1, Source::Loaded));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_across_an_invalidation_is_stored_nowhere() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let (items, origin) = (revalidating(&process), Origin::new());
    get(&items, &origin).await;
    advance(TTL).await;
    let (mut held, load) = origin.held();
    items.get_with(KEY, |_| load).await.unwrap();
    held.reached().await;
    origin.commit();
    items.invalidate(KEY).await.unwrap();
    held.release();
    assert_eq!(get(&items, &origin).await, (1, Source::Loaded));
    until("the refresh has ended", || items.in_flight() == 0).await;
    assert_eq!(get(&items, &origin).await, (1, Source::L1));
    assert_eq!(get(&revalidating(&Process::without_l1(&store).await), &origin).await, (1, Source::L2));
}

#[tokio::test(start_paused = true)]
async fn an_old_value_answers_where_the_load_fails() {
    for process in [Process::on(&Memory::new()).await, Process::without_l2().await] {
        let (items, origin) = (lenient(&process), Origin::new());
        get(&items, &origin).await;
        advance(TTL).await;
        assert_eq!(seen(fail(&items).await.unwrap()), (0, Source::Stale));
        let panicked = items.at(KEY).get_with(|_| async { panic!("no luck") });
        assert_eq!(seen(panicked.await.unwrap()), (0, Source::Stale));
        let stats = items.stats();
        assert_eq!((stats.stale_on_error, stats.load_errors), (1, 1), "a load that failed is not repeated at once");
        advance(SECOND).await;
        assert_eq!(get(&items, &origin).await, (0, Source::Loaded));
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_value_of_l2_answers_where_the_load_fails() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    get(&lenient(&here), &Origin::new()).await;
    advance(TTL).await;
    assert_eq!(seen(fail(&lenient(&peer)).await.unwrap()), (0, Source::Stale));
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_for_a_load_that_fails_have_the_old_value() {
    let (items, origin) = (lenient(&Process::on(&Memory::new()).await), Origin::new());
    get(&items, &origin).await;
    advance(TTL).await;
    let (mut held, stand) = hold();
    let fails = async move {
        stand.await;
        panic!("no luck")
    };
    let first = call(&items, fails);
    held.reached().await;
    let others: Vec<_> = (0..10).map(|_| call(&items, origin.load())).collect();
    settle().await;
    held.release();
    for call in [first].into_iter().chain(others) {
        assert_eq!(call.await.unwrap().unwrap(), 0);
    }
    assert_eq!(origin.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn loads_that_fail_are_tried_again_ever_less_often() {
    let (items, origin) = (lenient(&Process::on(&Memory::new()).await), Origin::new());
    get(&items, &origin).await;
    advance(TTL).await;
    let mut tries = Vec::new();
    for at in 0..WINDOW.as_millis() as u64 / 100 {
        let before = items.stats().loads;
        assert_eq!(seen(fail(&items).await.unwrap()), (0, Source::Stale));
        if items.stats().loads > before {
            tries.push(at * 100);
        }
        advance(Duration::from_millis(100)).await;
    }
    assert_eq!(tries, [0, 200, 600, 1400, 3000, 6200, 12_600, 25_400]);
}

/// In every way in which it may be revoked, and wherever the old value lies.
#[tokio::test(start_paused = true)]
async fn a13_what_was_invalidated_answers_no_failed_load() {
    for way in ["key", "tag", "cache", "everything"] {
        let store = Memory::new();
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        for items in [lenient(&here), lenient(&peer)] {
            items.at(KEY).tag("t").get_with(|_| async { 0 }).await.unwrap();
        }
        advance(TTL).await;
        match way {
            "key" => lenient(&here).invalidate(KEY).await,
            "tag" => here.stack.invalidate_tag("t").await,
            "cache" => lenient(&here).invalidate_all().await,
            _ => here.stack.invalidate_all().await,
        }
        .unwrap();
        settle().await;
        for process in [&here, &peer, &Process::on(&store).await] {
            assert!(matches!(fail(&lenient(process)).await, Err(LoadError::Loader(_))), "{way}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a13_what_is_invalidated_while_the_load_runs_does_not_answer_for_it() {
    let (items, origin) = (lenient(&Process::on(&Memory::new()).await), Origin::new());
    get(&items, &origin).await;
    advance(TTL).await;
    let (mut held, stand) = hold();
    let failing = tokio::spawn({
        let items = items.clone();
        async move {
            let load = async move {
                stand.await;
                Err::<u64, _>("no rows")
            };
            items.try_get_with(KEY, |_| load).await
        }
    });
    held.reached().await;
    items.invalidate(KEY).await.unwrap();
    held.release();
    assert!(matches!(failing.await.unwrap(), Err(LoadError::Loader(_))));
}

/// The peer's invalidation never arrives here, so after `max_staleness` nobody knows whether there was one.
#[tokio::test(start_paused = true)]
async fn a13_an_old_value_that_may_have_been_invalidated_answers_no_failed_load() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let (items, origin) = (lenient(&here), Origin::new());
    get(&items, &origin).await;
    advance(TTL - SECOND).await;
    settle().await;
    here.faults.fail_all(ErrorKind::Unavailable);
    advance(SECOND).await;
    assert_eq!(seen(fail(&items).await.unwrap()), (0, Source::Stale), "as current as a second ago");
    advance(2 * SECOND).await;
    assert!(matches!(fail(&items).await, Err(LoadError::Loader(_))));
}

#[tokio::test(start_paused = true)]
async fn a23_a_refresh_that_fails_is_followed_by_another() {
    let process = Process::with(&Memory::new(), |stack| stack.max_refreshes(2)).await;
    let items = cache(&process, policy().stale_while_revalidate(WINDOW).hard_timeout(SECOND));
    let loads = Arc::new(AtomicUsize::new(0));
    get(&items, &Origin::new()).await;
    advance(TTL).await;
    for (pause, nth) in [200, 400, 800].into_iter().zip(0..) {
        let begun = Arc::clone(&loads);
        let load = async move {
            begun.fetch_add(1, Ordering::SeqCst);
            match nth {
                0 => panic!("no luck"),
                1 => Err("no rows"),
                _ => std::future::pending().await,
            }
        };
        let answer = items.at(KEY).try_get_with(|_| load).await.unwrap();
        assert_eq!(seen(answer), (0, Source::Stale));
        until("the refresh has ended", || items.in_flight() == 0).await;
        assert_eq!(loads.load(Ordering::SeqCst), nth + 1);
        advance(Duration::from_millis(pause)).await;
    }
    assert_eq!(get(&items, &Origin::new()).await, (0, Source::Stale));
    until("the last one replaces it", || items.stats().fills == 2).await;
}

#[tokio::test(start_paused = true)]
async fn a23_refreshes_are_bounded_in_number() {
    let process = Process::with(&Memory::new(), |stack| stack.max_refreshes(2)).await;
    let items = revalidating(&process);
    let keys = ["a", "b", "c", "d"];
    for key in keys {
        items.get_with(key, |_| async { 0 }).await.unwrap();
    }
    advance(TTL).await;
    let (mut held, loads): (Vec<Held>, Vec<_>) = keys.iter().map(|_| hold()).unzip();
    for (key, stand) in keys.into_iter().zip(loads) {
        let load = async move {
            stand.await;
            1
        };
        let answer = items.at(key).get_with(|_| load).await.unwrap();
        assert_eq!(seen(answer), (0, Source::Stale), "{key}");
    }
    assert_eq!((items.in_flight(), items.stats().refreshes), (2, 2));
    held[0].reached().await;
    held[1].reached().await;
    drop(held);
    until("they have ended", || items.in_flight() == 0).await;
    for key in ["c", "d"] {
        assert_eq!(items.at(key).get_with(|_| async { 1 }).await.unwrap().source, Source::Stale);
    }
    until("the others have their turn", || items.stats().fills == 8).await;
}

#[tokio::test(start_paused = true)]
async fn a23_a_shutdown_waits_for_a_refresh() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let (items, origin) = (revalidating(&process), Origin::new());
    get(&items, &origin).await;
    origin.commit();
    advance(TTL).await;
    let (mut held, load) = origin.held();
    items.get_with(KEY, |_| load).await.unwrap();
    held.reached().await;
    let stack = process.stack.clone();
    let shutdown = tokio::spawn(async move { stack.shutdown().await });
    settle().await;
    held.release();
    shutdown.await.unwrap().unwrap();
    assert_eq!(get(&revalidating(&Process::on(&store).await), &origin).await, (1, Source::L2));
}

/// Everywhere, and with one load in the fleet to replace it.
#[tokio::test(start_paused = true)]
async fn what_expires_softly_is_stale_and_not_revoked() {
    for by_tag in [false, true] {
        let store = Memory::new();
        let fleet = [Process::on(&store).await, Process::on(&store).await, Process::on(&store).await];
        let origin = Origin::new();
        for process in &fleet[..2] {
            let load = origin.load();
            revalidating(process).at(KEY).tag("t").get_with(|_| load).await.unwrap();
        }
        origin.commit();
        match by_tag {
            true => fleet[0].stack.expire_tag("t").await.unwrap(),
            false => revalidating(&fleet[0]).expire(KEY).await.unwrap(),
        }
        settle().await;
        let (mut held, load) = origin.held();
        let answer = revalidating(&fleet[0]).at(KEY).tag("t").get_with(|_| load).await.unwrap();
        assert_eq!((seen(answer.clone()), answer.remaining), ((0, Source::Stale), Duration::ZERO));
        held.reached().await;
        for process in &fleet[1..] {
            assert_eq!(revalidating(process).get(KEY).await, None);
            let load = origin.load();
            let answer = revalidating(process).at(KEY).tag("t").get_with(|_| load).await.unwrap();
            assert_eq!(seen(answer), (0, Source::Stale), "by tag: {by_tag}");
        }
        held.release();
        until("it is replaced", || fleet.iter().all(|process| revalidating(process).in_flight() == 0)).await;
        for process in &fleet {
            assert_eq!(revalidating(process).get(KEY).await, Some(1), "by tag: {by_tag}");
        }
        assert_eq!(origin.loads(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_expires_softly_without_a_window_is_loaded_anew() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let origin = Origin::new();
    for process in [&here, &peer] {
        get(&cache(process, policy()), &origin).await;
    }
    origin.commit();
    cache(&here, policy()).expire(KEY).await.unwrap();
    settle().await;
    assert_eq!(get(&cache(&here, policy()), &origin).await, (1, Source::Loaded));
    assert_eq!(get(&cache(&peer, policy()), &origin).await, (1, Source::L2));
}

#[tokio::test(start_paused = true)]
async fn what_expired_softly_answers_a_failed_load_and_what_was_then_revoked_does_not() {
    let process = Process::on(&Memory::new()).await;
    let items = lenient(&process);
    items.at(KEY).tag("t").get_with(|_| async { 0 }).await.unwrap();
    process.stack.expire_tag("t").await.unwrap();
    assert_eq!(seen(fail(&items).await.unwrap()), (0, Source::Stale));
    process.stack.invalidate_tag("t").await.unwrap();
    assert!(fail(&items).await.is_err());
}

/// What it read may be older than the expiration.
#[tokio::test(start_paused = true)]
async fn a_load_that_is_under_way_is_stale_when_it_lands() {
    for by_tag in [false, true] {
        let store = Memory::new();
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        let (items, origin) = (revalidating(&here), Origin::new());
        let (mut held, load) = origin.held();
        let first = tokio::spawn({
            let items = items.clone();
            async move { items.at(KEY).tag("t").get_with(|_| load).await }
        });
        held.reached().await;
        origin.commit();
        match by_tag {
            true => peer.stack.expire_tag("t").await.unwrap(),
            false => revalidating(&peer).expire(KEY).await.unwrap(),
        }
        settle().await;
        held.release();
        assert_eq!(first.await.unwrap().unwrap().value, 0);
        for process in [&here, &peer] {
            let load = origin.load();
            let answer = revalidating(process).at(KEY).tag("t").get_with(|_| load).await.unwrap();
            assert!(answer.source == Source::Stale || answer.value == 1, "by tag: {by_tag}, {answer:?}");
            until("it is replaced", || revalidating(process).in_flight() == 0).await;
            assert_eq!(revalidating(process).get(KEY).await, Some(1), "by tag: {by_tag}");
        }
    }
}

/// Reading in L2 that an entry expired softly says that it was not revoked, and not that it is current.
#[tokio::test(start_paused = true)]
async fn what_expired_unheard_of_is_not_taken_for_fresh() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let items = lenient(&here);
    items.at(KEY).tag("t").get_with(|_| async { 0 }).await.unwrap();
    for operation in [Operation::Follow, Operation::Beat, Operation::Attach] {
        here.faults.fail(operation, ErrorKind::Unavailable);
    }
    settle().await;
    peer.stack.expire_tag("t").await.unwrap();
    advance(2 * SECOND).await;
    for _ in 0..2 {
        let answer = items.at(KEY).tag("t").try_get_with(|_| async { Err::<u64, _>("no rows") }).await.unwrap();
        assert_eq!(seen(answer), (0, Source::Stale));
        assert_eq!(items.get(KEY).await, None);
    }
    assert_eq!(items.stats().loads, 2, "a load that failed is not repeated at once");
}

/// A stale value is brought from L2, and revoked by its key before the load behind it fails.
#[tokio::test(start_paused = true)]
async fn a13_what_was_revoked_while_it_was_brought_answers_no_failed_load() {
    let store = Memory::new();
    let (other, here) = (Process::on(&store).await, Process::on(&store).await);
    let both = |process: &Process| cache(process, policy().stale_while_revalidate(WINDOW).stale_if_error(WINDOW));
    get(&both(&other), &Origin::new()).await;
    advance(TTL).await;
    let items = both(&here);
    let mut gate = here.faults.hold(Operation::Read, cache_core::testing::Moment::After);
    let reading = tokio::spawn({
        let items = items.clone();
        async move { fail(&items).await }
    });
    gate.reached().await;
    here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
    items.invalidate(KEY).await.unwrap_err();
    gate.release();
    assert_eq!(seen(reading.await.unwrap().unwrap()), (0, Source::Stale), "it began before");
    until("all flights have landed", || items.in_flight() == 0).await;
    assert!(fail(&items).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn several_things_expire_in_one_message() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    for key in ["a", "b", "c", "d"] {
        let tags: &[&str] = if key == "c" { &["t"] } else { &[] };
        revalidating(&peer).at(key).tags(tags.iter().copied()).get_with(|_| async { 0 }).await.unwrap();
    }
    let before = here.faults.calls(Operation::Expire);
    here.stack.invalidation().keys(&revalidating(&here), ["a", "b"]).tag("t").soft().send().await.unwrap();
    assert_eq!(here.faults.calls(Operation::Expire), before + 1);
    settle().await;
    for (key, source) in [("a", Source::Stale), ("b", Source::Stale), ("c", Source::Stale), ("d", Source::L1)] {
        let answer = revalidating(&peer).at(key).get_with(|_| async { 1 }).await.unwrap();
        assert_eq!((key, answer.source), (key, source));
    }
}

#[tokio::test(start_paused = true)]
async fn an_expiration_that_l2_does_not_hear_of_is_queued_as_an_invalidation() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let origin = Origin::new();
    get(&revalidating(&here), &origin).await;
    get(&revalidating(&peer), &origin).await;
    origin.commit();
    here.faults.fail(Operation::Expire, ErrorKind::Unavailable);
    let error = revalidating(&here).expire(KEY).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("queued"), "{error}");
    assert_eq!(revalidating(&here).get(KEY).await, None, "it is stale here");
    until("it was retried", || here.stack.health().queued_invalidations == 0).await;
    settle().await;
    assert_eq!(get(&revalidating(&peer), &origin).await, (1, Source::Loaded));
}

#[tokio::test(start_paused = true)]
async fn what_can_not_expire_softly_is_said() {
    let process = Process::on(&Memory::new()).await;
    let items = revalidating(&process);
    let invalidation = || process.stack.invalidation().soft();
    for (error, advice) in [
        (invalidation().cache(&items).send().await.unwrap_err(), "tag"),
        (invalidation().key(&items, KEY).hold_off(SECOND).send().await.unwrap_err(), "hold-off"),
        (invalidation().key(&items, KEY).send_soon().unwrap_err(), "send"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(advice), "{error}");
    }
}

fn hasty(process: &Process) -> Items {
    cache(process, policy().stale_if_error(WINDOW).soft_timeout(SECOND))
}

#[tokio::test(start_paused = true)]
async fn an_old_value_answers_where_the_load_is_slow_and_the_load_goes_on() {
    for process in [Process::on(&Memory::new()).await, Process::without_l2().await] {
        let (items, origin) = (hasty(&process), Origin::new());
        get(&items, &origin).await;
        origin.commit();
        advance(TTL).await;
        let (mut held, load) = origin.held();
        let began = cache_core::clock::now();
        let (first, second) = (call(&items, load), call(&items, origin.load()));
        assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), (0, 0));
        assert_eq!(cache_core::clock::now() - began, SECOND);
        held.reached().await;
        assert_eq!(items.in_flight(), 1, "nobody waits, and it goes on");
        held.release();
        until("it has landed", || items.in_flight() == 0).await;
        assert_eq!(get(&items, &origin).await, (1, Source::L1));
        assert_eq!(origin.loads(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_load_is_waited_for_where_nothing_could_answer() {
    let (items, origin) = (hasty(&Process::on(&Memory::new()).await), Origin::new());
    let (mut held, load) = origin.held();
    let cold = call(&items, load);
    held.reached().await;
    advance(2 * SECOND).await;
    held.release();
    assert_eq!(cold.await.unwrap().unwrap(), 0);
}

/// At first it is not proven, and then it is.
#[tokio::test(start_paused = true)]
async fn a_load_that_is_slow_and_then_fails_is_answered_by_what_could_not_answer_before() {
    let process = Process::on(&Memory::new()).await;
    let (items, origin) = (hasty(&process), Origin::new());
    get(&items, &origin).await;
    advance(TTL).await;
    settle().await;
    process.faults.fail_all(ErrorKind::Unavailable);
    advance(2 * SECOND).await;
    let (mut held, stand) = hold();
    let slow = tokio::spawn({
        let items = items.clone();
        async move {
            let load = async move {
                stand.await;
                Err::<u64, _>("no rows")
            };
            items.at(KEY).try_get_with(|_| load).await
        }
    });
    held.reached().await;
    advance(2 * SECOND).await;
    settle().await;
    assert!(!slow.is_finished(), "nothing is proven");
    held.release();
    assert!(matches!(slow.await.unwrap(), Err(LoadError::Loader(_))));
}

/// What proves that all invalidations have arrived proves nothing of what one of them revokes.
#[tokio::test(start_paused = true)]
async fn a13_what_is_revoked_by_the_message_that_proves_it_answers_nobody() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (items, origin) = (hasty(&here), Origin::new());
    get(&items, &origin).await;
    advance(TTL).await;
    settle().await;
    for operation in [Operation::Follow, Operation::Beat, Operation::Attach] {
        here.faults.fail(operation, ErrorKind::Unavailable);
    }
    advance(SECOND).await;
    settle().await;
    peer.stack.invalidate_all().await.unwrap();
    advance(2 * SECOND).await;
    let (mut held, load) = origin.held();
    let gate = here.faults.hold(Operation::Read, cache_core::testing::Moment::Before);
    let slow = call(&items, load);
    settle().await;
    here.faults.heal();
    advance(SECOND / 2).await;
    until("it is in step again", || here.stack.health().proof_age.unwrap() < SECOND).await;
    advance(SECOND).await;
    settle().await;
    assert!(!slow.is_finished());
    gate.release();
    held.reached().await;
    held.release();
    assert_eq!(slow.await.unwrap().unwrap(), 0);
    assert_eq!(origin.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a13_what_was_invalidated_answers_for_no_slow_load() {
    let (items, origin) = (hasty(&Process::on(&Memory::new()).await), Origin::new());
    get(&items, &origin).await;
    origin.commit();
    advance(TTL).await;
    items.invalidate(KEY).await.unwrap();
    let (mut held, load) = origin.held();
    let slow = call(&items, load);
    held.reached().await;
    advance(2 * SECOND).await;
    settle().await;
    assert!(!slow.is_finished());
    held.release();
    assert_eq!(slow.await.unwrap().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_past_the_hard_timeout_fails_and_frees_its_place() {
    let policy = policy().stale_if_error(WINDOW).soft_timeout(SECOND).hard_timeout(2 * SECOND);
    let (items, origin) = (cache(&Process::on(&Memory::new()).await, policy), Origin::new());
    get(&items, &origin).await;
    advance(TTL).await;
    let answer = items.at(KEY).get_with(|_| std::future::pending()).await.unwrap();
    assert_eq!(seen(answer), (0, Source::Stale));
    advance(SECOND).await;
    until("it was cancelled", || items.in_flight() == 0).await;
    assert_eq!(items.stats().load_errors, 1);
    let error = items.get_with("cold", |_| std::future::pending()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoadTimeout);
}

#[tokio::test(start_paused = true)]
async fn a28_grace_ends_at_its_absolute_bound_however_often_loads_fail() {
    for process in [Process::on(&Memory::new()).await, Process::without_l2().await] {
        let (items, origin) = (lenient(&process), Origin::new());
        get(&items, &origin).await;
        let mut age = Duration::ZERO;
        while age + SECOND < TTL + WINDOW {
            advance(SECOND).await;
            age += SECOND;
            assert_eq!(fail(&items).await.unwrap().value, 0, "{age:?}");
        }
        advance(SECOND - BIT).await;
        assert_eq!(seen(fail(&items).await.unwrap()), (0, Source::Stale));
        advance(BIT).await;
        assert!(matches!(fail(&items).await, Err(LoadError::Loader(_))));
    }
}

/// Another process may have stored it with longer windows, or shorter ones.
#[tokio::test(start_paused = true)]
async fn a28_each_call_keeps_to_its_own_window_and_to_the_entrys_end() {
    let store = Memory::new();
    let (long, short) = (Process::on(&store).await, Process::on(&store).await);
    let (long, short) =
        (cache(&long, policy().stale_if_error(2 * WINDOW)), cache(&short, policy().stale_if_error(WINDOW)));
    long.get_with(KEY, |_| async { 0 }).await.unwrap();
    short.get_with("other", |_| async { 0 }).await.unwrap();
    advance(TTL + WINDOW).await;
    assert!(fail(&short).await.is_err());
    assert_eq!(seen(fail(&long).await.unwrap()), (0, Source::Stale));
    let other = long.try_get_with("other", |_| async { Err::<u64, _>("no rows") }).await;
    assert!(other.is_err(), "it ended in L2");
}

#[tokio::test(start_paused = true)]
async fn a_forced_refresh_that_fails_says_so() {
    let (items, origin) = (lenient(&Process::on(&Memory::new()).await), Origin::new());
    get(&items, &origin).await;
    let error = items.at(KEY).refresh_with(|_| async { panic!("no luck") }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    let timeout = cache(&Process::on(&Memory::new()).await, policy().hard_timeout(SECOND).stale_if_error(WINDOW));
    let error =
        cache_error(timeout.try_get_with(KEY, |_| std::future::pending::<Result<u64, ()>>()).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::LoadTimeout, "there is nothing that could stand in");
}

#[tokio::test(start_paused = true)]
async fn a_window_costs_a_hit_no_call_to_l2() {
    let process = Process::on(&Memory::new()).await;
    let (items, origin) = (revalidating(&process), Origin::new());
    get(&items, &origin).await;
    let before = process.faults.calls(Operation::Read);
    assert_eq!(get(&items, &origin).await, (0, Source::L1));
    assert_eq!(process.faults.calls(Operation::Read), before);
}
