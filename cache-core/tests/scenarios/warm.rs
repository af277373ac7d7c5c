//! Warming takes the same path as any read.

use std::time::Duration;

use cache_core::{ErrorKind, Source, backend::Memory, warm::Warmer};
use tokio::{task::JoinSet, time::advance};

use crate::fleet::{Items, KEY, Origin, Process, call, settle, stored};

fn warmer(items: &Items, origin: &std::sync::Arc<Origin>, keys: &'static [&'static str]) -> Warmer {
    let (items, origin) = (items.clone(), origin.clone());
    let warm = move |key: &'static str| {
        let (items, load) = (items.clone(), origin.load());
        async move { items.at(key).get_with(|_| load).await }
    };
    Warmer::new("items", move || async move { Ok::<_, String>(keys) }, move |key: &&'static str| warm(key))
}

#[tokio::test(start_paused = true)]
async fn what_is_warm_already_is_skipped_here_and_in_the_store() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    here.items().insert("here", 1).await.unwrap();
    peer.items().insert("there", 2).await.unwrap();
    here.stack.register(warmer(&here.items(), &origin, &["here", "there", "cold"])).unwrap();
    let report = here.stack.warm("items").await.unwrap();
    assert_eq!((report.warmed, report.skipped, report.failed), (1, 2, 0));
    assert_eq!(origin.loads(), 1);
    assert_eq!(here.items().at("there").get().await.unwrap().source, Source::L1);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_starts_at_once_warms_each_item_once() {
    const KEYS: [&str; 20] =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"];
    let (store, origin) = (Memory::new(), Origin::new());
    let mut runs = JoinSet::new();
    for _ in 0..4 {
        let process = Process::on(&store).await;
        process.stack.register(warmer(&process.items(), &origin, &KEYS)).unwrap();
        runs.spawn(async move { process.stack.warm("items").await.unwrap() });
    }
    let reports = runs.join_all().await;
    assert!(reports.iter().all(|report| report.failed == 0 && report.warmed + report.skipped == KEYS.len()));
    assert_eq!(origin.loads(), KEYS.len());
}

#[tokio::test(start_paused = true)]
async fn warming_puts_nothing_over_an_insert_and_nothing_past_an_invalidation() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    let (mut held, load) = origin.held();
    let leader = call(&here.items(), load);
    held.reached().await;
    // It joins the load that is under way.
    let run = warmer(&here.items(), &origin, &[KEY]).start();
    settle().await;
    here.items().insert(KEY, 7).await.unwrap();
    held.release();
    leader.await.unwrap().unwrap();
    assert_eq!(run.report().await.unwrap().failed, 0);
    assert_eq!(here.items().get(KEY).await, Some(7));
    assert_eq!(stored(&store).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_leaves_nothing_under_way() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let items = here.items();
    let reader = items.clone();
    let warm = move |key: &'static str| {
        let items = reader.clone();
        async move { items.at(key).get_with(|_| std::future::pending()).await }
    };
    let run = Warmer::new("items", || async { Ok::<_, String>(["a", "b", "c"]) }, warm).concurrency(2).start();
    settle().await;
    assert_eq!(items.in_flight(), 2);
    drop(run);
    settle().await;
    assert_eq!(items.in_flight(), 0);
    let started = cache_core::clock::now();
    assert_eq!(peer.items().get_with("a", |_| async { 1 }).await.unwrap(), 1);
    assert_eq!(cache_core::clock::now(), started, "no lease is left");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_panics_fails_or_is_late_says_so() {
    let here = Process::on(&Memory::new()).await;
    let items = here.items();
    let reader = items.clone();
    let warm = move |key: &'static str| {
        let items = reader.clone();
        async move {
            let load = |_| async move {
                assert_ne!(key, "panics", "no rows");
                match key {
                    "fails" => Err("down"),
                    _ => Ok(7),
                }
            };
            items.at(key).try_get_with(load).await
        }
    };
    let keys = || async { Ok::<_, String>(["fine", "panics", "fails"]) };
    let report = Warmer::new("items", keys, warm).concurrency(1).start().report().await.unwrap();
    assert_eq!((report.warmed, report.skipped, report.failed), (1, 0, 2));
    assert!(report.first_error.unwrap().contains("no rows"));

    let late = Warmer::new("late", std::future::pending::<Result<Vec<u64>, String>>, |_| async {
        Err::<cache_core::Answer<u64>, _>("never")
    });
    let error = late.deadline(Duration::from_secs(5)).start().report().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(here.stack.warm("nobody").await.unwrap_err().kind(), ErrorKind::Config);
    advance(Duration::from_secs(60)).await;
    assert_eq!(items.in_flight(), 0);
}
