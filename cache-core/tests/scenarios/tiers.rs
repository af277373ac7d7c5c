//! Caches that use one tier of their stack alone.

use std::time::Duration;

use cache_core::{Overrides, Source, Tiers, backend::Memory};
use tokio::time::{advance, pause};

use crate::fleet::{Items, KEY, Process, stored, until};

fn items(process: &Process, tiers: Tiers) -> Items {
    process.stack.cache("item").overrides(Overrides::new().jitter(0.0).tiers(tiers)).build().unwrap()
}

async fn load(items: &Items, value: u64) -> (u64, Source) {
    let answer = items.at(KEY).get_with(|_| async move { value }).await.unwrap();
    (answer.value, answer.source)
}

#[tokio::test]
async fn l1_alone_asks_the_store_for_nothing() {
    let store = Memory::new();
    let (one, two) = (Process::on(&store).await, Process::on(&store).await);
    let (mine, others) = (items(&one, Tiers::L1), items(&two, Tiers::L1));
    assert_eq!(load(&mine, 1).await, (1, Source::Loaded));
    assert_eq!(load(&others, 2).await, (2, Source::Loaded));
    assert_eq!(load(&mine, 3).await, (1, Source::L1));
    mine.insert(KEY, 4).await.unwrap();
    assert_eq!((mine.get(KEY).await, others.get(KEY).await, stored(&store).await), (Some(4), Some(2), None));
}

#[tokio::test]
async fn l1_alone_hears_of_invalidations_elsewhere() {
    let store = Memory::new();
    let (one, two) = (Process::on(&store).await, Process::on(&store).await);
    let (mine, others) = (items(&one, Tiers::L1), items(&two, Tiers::L1));
    load(&mine, 1).await;
    load(&others, 1).await;
    others.invalidate(KEY).await.unwrap();
    assert_eq!(others.get(KEY).await, None);
    while mine.get(KEY).await.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(load(&mine, 2).await, (2, Source::Loaded));
}

#[tokio::test]
async fn l1_alone_keeps_its_time_to_live_while_it_is_in_step() {
    pause();
    let process = Process::on(&Memory::new()).await;
    let items = items(&process, Tiers::L1);
    load(&items, 1).await;
    for _ in 0..20 {
        advance(Duration::from_secs(1)).await;
        until("in step with the log", || {
            process.stack.health().proof_age.is_some_and(|age| age < Duration::from_secs(1))
        })
        .await;
    }
    assert_eq!(load(&items, 2).await, (1, Source::L1));
}

#[tokio::test]
async fn l2_alone_keeps_nothing_here() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let items = items(&process, Tiers::L2);
    assert_eq!(load(&items, 1).await, (1, Source::Loaded));
    assert_eq!(load(&items, 2).await, (1, Source::L2));
    assert_eq!(load(&items, 2).await, (1, Source::L2));
    items.insert(KEY, 3).await.unwrap();
    assert_eq!((stored(&store).await, items.stats().l1_hits), (Some(3), 0));
    assert_eq!(load(&items, 4).await, (3, Source::L2));
    items.invalidate(KEY).await.unwrap();
    assert_eq!(load(&items, 5).await, (5, Source::Loaded));
}

#[tokio::test]
async fn l2_alone_without_a_store_caches_nothing_and_loads_once_for_all_who_ask_at_once() {
    let process = Process::without_l2().await;
    let items = items(&process, Tiers::L2);
    let (one, two) = tokio::join!(load(&items, 1), load(&items, 2));
    assert_eq!((one, two), ((1, Source::Loaded), (1, Source::Joined)));
    assert_eq!(load(&items, 3).await, (3, Source::Loaded));
}
