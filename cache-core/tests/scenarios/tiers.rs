//! Caches that use one tier of their stack alone.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use cache_core::{ErrorKind, Overrides, Source, Tiers, backend::Memory};
use tokio::time::{advance, pause};

use crate::fleet::{Items, KEY, Origin, Process, call, settle, stored, until};

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

/// A caller who is dropped at its first wait would leave an insert half done if there were such a wait.
#[tokio::test(start_paused = true)]
async fn l1_alone_is_written_to_when_it_is_first_polled() {
    let process = Process::without_l2().await;
    let items = process.items();
    assert!(at_once(items.insert(KEY, 1)).unwrap().is_ok());
    assert_eq!(items.get(KEY).await, Some(1));
    assert!(at_once(items.invalidate(KEY)).unwrap().is_ok());
    assert_eq!((items.get(KEY).await, items.stats().invalidations), (None, 1));
    process.stack.shutdown().await.unwrap();
    assert_eq!(at_once(items.insert(KEY, 2)).unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_insert_into_l1_alone_supersedes_a_load_in_flight() {
    let process = Process::without_l2().await;
    let (items, origin) = (process.items(), Origin::new());
    let (mut held, load) = origin.held();
    let loading = call(&items, load);
    held.reached().await;
    items.insert(KEY, 7).await.unwrap();
    held.release();
    assert_eq!(loading.await.unwrap().unwrap(), 0, "who had joined it is answered");
    settle().await;
    assert_eq!(items.get(KEY).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn an_insert_into_l1_alone_that_fails_or_is_off_leaves_no_older_value() {
    let process = Process::without_l2().await;
    let items = process.items();
    items.insert(KEY, 1).await.unwrap();
    assert_eq!(items.at(KEY).ttl(Duration::ZERO).insert(2).await.unwrap_err().kind(), ErrorKind::Codec);
    assert_eq!(items.get(KEY).await, None);

    items.insert(KEY, 3).await.unwrap();
    items.set_enabled(false);
    items.insert(KEY, 4).await.unwrap();
    items.set_enabled(true);
    assert_eq!(items.get(KEY).await, None);

    let weighed = process.stack.cache("weighed").weigher(|_: &String, value: &u64| 1 / u32::try_from(*value).unwrap());
    let weighed = weighed.build().unwrap();
    weighed.insert(KEY, 1).await.unwrap();
    assert_eq!(weighed.insert(KEY, 0).await.unwrap_err().kind(), ErrorKind::Panicked);
    assert_eq!(weighed.get(KEY).await, None);
}

/// What a future has to say when it is polled once.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
