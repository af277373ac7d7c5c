//! A33: whoever leaves, at whatever point, leaves nothing wrong behind.

use std::{future::poll_fn, pin::Pin, task::Poll};

use cache_core::{
    Result,
    backend::Memory,
    clock,
    testing::{Moment, Operation},
};
use tokio::task::yield_now;

use crate::fleet::{Items, KEY, Process, settle, stored, until};

type Call<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Polls a call at most so often, then drops it; says whether it came to an end.
async fn polled(times: usize, mut call: Call<'_>) -> bool {
    for _ in 0..times {
        if poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await.is_ready() {
            return true;
        }
        yield_now().await;
    }
    false
}

async fn loader(value: u64) -> u64 {
    for _ in 0..3 {
        yield_now().await;
    }
    value
}

async fn failing_loader() -> Result<u64, &'static str> {
    yield_now().await;
    Err("down")
}

/// Nothing is under way here, and a peer finds no lease in its way.
async fn assert_clean(what: &str, here: &Process, store: &Memory) {
    let items = here.items();
    until(&format!("{what}: nothing is in flight"), || items.in_flight() == 0).await;
    settle().await;
    let peer = Process::without_l1(store).await.items();
    let started = clock::now();
    peer.get_with(KEY, |_| async { 1 }).await.unwrap();
    peer.at(KEY).refresh_with(|_| async { 1 }).await.unwrap();
    assert_eq!(clock::now(), started, "{what}: no lease is left");
    peer.invalidate(KEY).await.unwrap();
    items.invalidate(KEY).await.unwrap();
    assert_eq!(items.get_with(KEY, |_| async { 2 }).await.unwrap(), 2, "{what}");
}

/// Drops a call after every number of polls, until it comes to its end.
async fn at_every_poll(what: &str, call: impl for<'a> Fn(&'a Items) -> Call<'a>) {
    let mut times = 0;
    loop {
        let store = Memory::new();
        let here = Process::on(&store).await;
        let items = here.items();
        let ended = polled(times, call(&items)).await;
        assert_clean(&format!("{what}, dropped after {times} polls"), &here, &store).await;
        if ended {
            assert!(
                times > 1 || what == "get",
                "{what}: it waited for something, as nothing but a read of `Memory` does not"
            );
            return;
        }
        times += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn a33_a_call_is_dropped_after_every_number_of_polls() {
    at_every_poll("get", |items| {
        Box::pin(async {
            items.get(KEY).await;
        })
    })
    .await;
    at_every_poll("get_with", |items| {
        Box::pin(async {
            items.get_with(KEY, |_| loader(1)).await.unwrap();
        })
    })
    .await;
    at_every_poll("try_get_with", |items| {
        Box::pin(async {
            items.try_get_with(KEY, |_| failing_loader()).await.unwrap_err();
        })
    })
    .await;
    at_every_poll("refresh_with", |items| {
        Box::pin(async {
            items.at(KEY).tag("t").refresh_with(|_| loader(1)).await.unwrap();
        })
    })
    .await;
    at_every_poll("to_the_end", |items| {
        Box::pin(async {
            items.at(KEY).to_the_end().get_with(|_| loader(1)).await.unwrap();
        })
    })
    .await;
    at_every_poll("insert", |items| {
        Box::pin(async {
            items.insert(KEY, 1).await.unwrap();
        })
    })
    .await;
    at_every_poll("invalidate", |items| {
        Box::pin(async {
            items.invalidate(KEY).await.unwrap();
        })
    })
    .await;
    at_every_poll("invalidate_all", |items| {
        Box::pin(async {
            items.invalidate_all().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a33_a_caller_leaves_while_its_flight_is_at_the_store() {
    for operation in [Operation::Read, Operation::Lease, Operation::Fill] {
        for moment in [Moment::Before, Moment::After] {
            for refresh in [false, true] {
                if refresh && operation == Operation::Read {
                    continue;
                }
                let what = format!("{operation:?} {moment:?}, refresh: {refresh}");
                let store = Memory::new();
                let here = Process::on(&store).await;
                let mut gate = here.faults.hold(operation, moment);
                let caller = {
                    let items = here.items();
                    tokio::spawn(async move {
                        match refresh {
                            true => items.at(KEY).refresh_with(|_| loader(1)).await.map(|answer| answer.value),
                            false => items.get_with(KEY, |_| loader(1)).await,
                        }
                    })
                };
                gate.reached().await;
                caller.abort();
                assert!(caller.await.unwrap_err().is_cancelled());
                // The store takes its time; the flight hears it out, so that no lease overtakes its own release.
                drop(gate);
                assert_clean(&what, &here, &store).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a33_a_caller_leaves_while_its_failed_load_gives_the_lease_back() {
    for moment in [Moment::Before, Moment::After] {
        let store = Memory::new();
        let here = Process::on(&store).await;
        let mut gate = here.faults.hold(Operation::Release, moment);
        let caller = {
            let items = here.items();
            tokio::spawn(async move { items.try_get_with(KEY, |_| failing_loader()).await })
        };
        gate.reached().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        drop(gate);
        assert_clean(&format!("{moment:?}"), &here, &store).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a33_a_caller_leaves_while_it_waits_for_a_peer() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let mut gate = peer.faults.hold(Operation::Fill, Moment::Before);
    let loading = {
        let items = peer.items();
        tokio::spawn(async move { items.get_with(KEY, |_| loader(1)).await })
    };
    gate.reached().await;
    let waiting = {
        let items = here.items();
        tokio::spawn(async move { items.get_with(KEY, |_| loader(2)).await })
    };
    until("it waits", || here.items().stats().lease_waits > 1).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    settle().await;
    assert_eq!(here.items().in_flight(), 0);
    gate.release();
    loading.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, Some(1), "it took nobody's lease with it");
}

#[tokio::test(start_paused = true)]
async fn a33_an_insert_that_was_begun_is_finished() {
    for moment in [Moment::Before, Moment::After] {
        let store = Memory::new();
        let here = Process::on(&store).await;
        here.items().insert(KEY, 1).await.unwrap();
        let mut gate = here.faults.hold(Operation::Put, moment);
        let caller = {
            let items = here.items();
            tokio::spawn(async move { items.insert(KEY, 2).await })
        };
        gate.reached().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        gate.release();
        until("it is done", || here.items().in_flight() == 0).await;
        assert_eq!(stored(&store).await, Some(2));
        assert_eq!(here.items().get(KEY).await, Some(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a33_an_invalidation_that_was_begun_is_finished() {
    for moment in [Moment::Before, Moment::After] {
        let store = Memory::new();
        let here = Process::on(&store).await;
        here.items().insert(KEY, 1).await.unwrap();
        let mut gate = here.faults.hold(Operation::Invalidate, moment);
        let caller = {
            let items = here.items();
            tokio::spawn(async move { items.invalidate(KEY).await })
        };
        gate.reached().await;
        // A reader in the middle of it brings the old one back for as long as it lasts.
        here.items().get(KEY).await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        gate.release();
        settle().await;
        assert_eq!(stored(&store).await, None);
        assert_eq!(here.items().get(KEY).await, None);
    }
}

/// A call that is neither dropped nor polled keeps others waiting for a while at most.
#[tokio::test(start_paused = true)]
async fn a33_a_leader_that_is_not_polled_any_more_strands_nobody() {
    let here = Process::on(&Memory::new()).await;
    let items = here.items();
    let gate = here.faults.hold(Operation::Read, Moment::Before);
    let mut leader = Box::pin(items.get_with(KEY, |_| async { 1 }));
    assert!(poll_fn(|context| Poll::Ready(leader.as_mut().poll(context))).await.is_pending());
    gate.release();
    assert_eq!(items.get_with(KEY, |_| async { 2 }).await.unwrap(), 2);
    assert_eq!(leader.await.unwrap(), 2, "and finds what they brought when it goes on");
    assert_eq!(items.in_flight(), 0);
}
