//! Refresh ahead, a time to live that adapts itself, and loads that need not bring the value again.

use std::{sync::Arc, time::Duration};

use cache_core::{Answer, Load, Overrides, RefreshAhead, Source, backend::Memory};
use tokio::time::advance;

use crate::fleet::{Items, KEY, Origin, Process, until};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(60);
/// When four fifths of it are over.
const DUE: Duration = Duration::from_secs(48);

fn policy() -> Overrides {
    Overrides::new().jitter(0.0).ttl(TTL).refresh_ahead(RefreshAhead::After(0.8))
}

fn cache(process: &Process, policy: Overrides) -> Items {
    process.stack.cache("ahead").overrides(policy).build().unwrap()
}

async fn get(items: &Items, origin: &Arc<Origin>) -> (u64, Source) {
    let load = origin.load();
    seen(items.at(KEY).get_with(|_| load).await.unwrap())
}

fn seen(answer: Answer<u64>) -> (u64, Source) {
    (answer.value, answer.source)
}

async fn idle(items: &Items) {
    until("nothing is under way", || items.in_flight() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_due_is_replaced_behind_the_calls_that_it_answers() {
    for process in [Process::on(&Memory::new()).await, Process::without_l2().await] {
        let (items, origin) = (cache(&process, policy()), Origin::new());
        get(&items, &origin).await;
        origin.commit();
        advance(DUE - SECOND).await;
        assert_eq!((get(&items, &origin).await, items.in_flight()), ((0, Source::L1), 0), "not yet");
        advance(SECOND).await;
        assert_eq!((items.get(KEY).await, items.in_flight()), (Some(0), 0), "who can't load begins nothing");
        let (mut held, load) = origin.held();
        assert_eq!(seen(items.at(KEY).get_with(|_| load).await.unwrap()), (0, Source::L1));
        held.reached().await;
        for _ in 0..10 {
            assert_eq!(get(&items, &origin).await, (0, Source::L1), "one load is under way");
        }
        held.release();
        idle(&items).await;
        assert_eq!(get(&items, &origin).await, (1, Source::L1));
        let stats = items.stats();
        assert_eq!((origin.loads(), stats.refreshes, stats.misses, stats.requests()), (2, 1, 1, 15));
        advance(TTL - SECOND).await;
        assert_eq!(get(&items, &origin).await, (1, Source::L1), "it lives as long as any");
    }
}

#[tokio::test(start_paused = true)]
async fn the_fleet_refreshes_once_and_the_others_take_what_came_of_it() {
    let store = Memory::new();
    let processes = [Process::on(&store).await, Process::on(&store).await, Process::on(&store).await];
    let caches = processes.each_ref().map(|process| cache(process, policy()));
    let origin = Origin::new();
    for items in &caches {
        get(items, &origin).await;
    }
    origin.commit();
    advance(DUE).await;
    for items in &caches {
        assert_eq!(get(items, &origin).await, (0, Source::L1));
    }
    for items in &caches {
        idle(items).await;
        assert_eq!(get(items, &origin).await, (1, Source::L1));
    }
    assert_eq!(origin.loads(), 2);
    let hits: u64 = caches.iter().map(|items| items.stats().requests()).sum();
    assert_eq!(hits, 9, "what is done behind the calls is none");
}

#[tokio::test(start_paused = true)]
async fn what_l2_has_is_refreshed_when_it_is_due() {
    let store = Memory::new();
    let (writer, reader) = (Process::on(&store).await, Process::on(&store).await);
    let (items, origin) = (cache(&reader, policy()), Origin::new());
    get(&cache(&writer, policy()), &origin).await;
    origin.commit();
    advance(DUE).await;
    assert_eq!(get(&items, &origin).await, (0, Source::L2));
    idle(&items).await;
    assert_eq!((get(&items, &origin).await, origin.loads()), ((1, Source::L1), 2));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asks_for_is_not_refreshed() {
    let (items, origin) = (cache(&Process::on(&Memory::new()).await, policy()), Origin::new());
    get(&items, &origin).await;
    advance(TTL).await;
    assert_eq!((items.in_flight(), origin.loads()), (0, 1));
    assert_eq!(get(&items, &origin).await, (0, Source::Loaded));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_is_tried_again_after_a_pause() {
    let (items, origin) = (cache(&Process::on(&Memory::new()).await, policy()), Origin::new());
    get(&items, &origin).await;
    origin.commit();
    advance(DUE).await;
    for _ in 0..10 {
        let failing = items.at(KEY).try_get_with(|_| async { Err::<u64, _>("no rows") });
        assert_eq!(seen(failing.await.unwrap()), (0, Source::L1));
        idle(&items).await;
    }
    assert_eq!(items.stats().load_errors, 1);
    advance(SECOND).await;
    assert_eq!(get(&items, &origin).await, (0, Source::L1));
    idle(&items).await;
    assert_eq!(get(&items, &origin).await, (1, Source::L1));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_ahead_across_an_invalidation_is_stored_nowhere() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let (items, origin) = (cache(&process, policy()), Origin::new());
    get(&items, &origin).await;
    advance(DUE).await;
    let (mut held, load) = origin.held();
    items.get_with(KEY, |_| load).await.unwrap();
    held.reached().await;
    origin.commit();
    items.invalidate(KEY).await.unwrap();
    held.release();
    assert_eq!(get(&items, &origin).await, (1, Source::Loaded));
    idle(&items).await;
    assert_eq!(get(&items, &origin).await, (1, Source::L1));
    let peer = Process::without_l1(&store).await;
    assert_eq!(get(&cache(&peer, policy()), &origin).await, (1, Source::L2));
}

#[tokio::test(start_paused = true)]
async fn refreshes_ahead_are_bounded_in_number_and_the_next_call_finds_it_due_still() {
    let stack = cache_core::Stack::builder("shop").max_refreshes(0).build().await.unwrap();
    let items: Items = stack.cache("ahead").overrides(policy()).build().unwrap();
    let origin = Origin::new();
    get(&items, &origin).await;
    advance(DUE).await;
    assert_eq!((get(&items, &origin).await, get(&items, &origin).await), ((0, Source::L1), (0, Source::L1)));
    assert_eq!((items.in_flight(), origin.loads()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_grows_while_the_content_stays_and_shrinks_when_it_changes() {
    let policy = policy().adaptive(10 * SECOND, 100 * SECOND);
    for process in [Process::on(&Memory::new()).await, Process::without_l2().await] {
        let (items, origin) = (cache(&process, policy), Origin::new());
        let mut lives = Vec::new();
        for changes in [false, false, false, true, true] {
            get(&items, &origin).await;
            idle(&items).await;
            let answer = items.at(KEY).get().await.unwrap();
            lives.push((answer.age + answer.remaining).as_secs());
            if changes {
                origin.commit();
            }
            advance(answer.remaining - SECOND).await;
        }
        get(&items, &origin).await;
        idle(&items).await;
        let last = items.at(KEY).get().await.unwrap();
        lives.push((last.age + last.remaining).as_secs());
        assert_eq!(lives, [60, 90, 100, 100, 50, 25]);
        let stats = items.stats();
        assert_eq!((stats.unchanged, stats.changed), (3, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_names_a_time_to_live_is_believed_more_than_what_adapts() {
    let items = cache(&Process::on(&Memory::new()).await, policy().adaptive(10 * SECOND, 100 * SECOND));
    let load = |load: Load| async move {
        load.ttl(20 * SECOND);
        7
    };
    items.get_with(KEY, load).await.unwrap();
    advance(19 * SECOND).await;
    items.get_with(KEY, load).await.unwrap();
    idle(&items).await;
    assert_eq!(items.at(KEY).get().await.unwrap().remaining, 20 * SECOND);
    assert_eq!(items.stats().unchanged + items.stats().changed, 0);
}

/// What a loader knew of the entry that it was to replace, and what it brought.
async fn conditional(items: &Items, new: Option<u64>) -> (Option<u64>, Option<String>) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let load = |load: Load| async move {
        let _ = tell.send((load.previous(), load.validator()));
        match new {
            Some(value) => {
                load.set_validator(format!("v{value}"));
                load.tag(format!("tag-{value}"));
                value
            }
            None => load.not_modified().expect("there is a previous value"),
        }
    };
    items.get_with(KEY, load).await.unwrap();
    let told = told.await.expect("the loader ran");
    idle(items).await;
    told
}

#[tokio::test(start_paused = true)]
async fn a_loader_learns_what_there_was_and_may_say_that_it_still_holds() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (items, theirs) = (cache(&here, policy()), cache(&peer, policy()));
    assert_eq!(conditional(&items, Some(7)).await, (None, None));
    advance(DUE).await;
    assert_eq!(conditional(&theirs, None).await, (Some(7), Some("v7".into())), "by way of L2");
    assert_eq!(theirs.at(KEY).get().await.unwrap().remaining, TTL);
    assert_eq!(items.at(KEY).get().await.unwrap().remaining, TTL - DUE, "L1 has the one before");
    advance(DUE).await;
    assert_eq!(conditional(&theirs, None).await, (Some(7), Some("v7".into())), "it was kept");
    here.stack.invalidate_tag("tag-7").await.unwrap();
    assert_eq!(theirs.get(KEY).await, None, "and so were its tags");
    assert_eq!(conditional(&items, Some(8)).await, (None, None), "what was revoked is told to nobody");
}

#[tokio::test(start_paused = true)]
async fn a_previous_value_of_another_type_is_none() {
    let items = cache(&Process::on(&Memory::new()).await, policy());
    items.get_with(KEY, |_| async { 1 }).await.unwrap();
    advance(DUE).await;
    items
        .get_with(KEY, |load| async move {
            assert_eq!((load.previous::<String>(), load.not_modified::<String>()), (None, None));
            load.previous::<u64>().unwrap() + 1
        })
        .await
        .unwrap();
    idle(&items).await;
    assert_eq!(items.get(KEY).await, Some(2));
}
