//! The end of a stack, and what comes after it.

use std::time::Duration;

use cache_core::{
    ErrorKind, Source, Stack,
    backend::Memory,
    clock,
    testing::{Moment, Operation},
};

use crate::fleet::{Items, KEY, Origin, Process, call, hold, settle, stored};

#[tokio::test(start_paused = true)]
async fn loads_that_are_under_way_get_their_time() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    let (mut held, load) = origin.held();
    let loading = call(&here.items(), load);
    held.reached().await;
    let shutdown = {
        let stack = here.stack.clone();
        tokio::spawn(async move { stack.shutdown().await })
    };
    settle().await;
    assert!(!shutdown.is_finished());
    held.release();
    assert_eq!(loading.await.unwrap().unwrap(), 0);
    shutdown.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, Some(0), "it was stored before the store was closed");
}

#[tokio::test(start_paused = true)]
async fn a_load_that_was_only_just_begun_counts_as_under_way() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    let items = here.items();
    let mut call = Box::pin(items.get_with(KEY, |_| origin.load()));
    let begun = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context)));
    assert!(begun.await.is_pending());
    // The flight's task has not run yet.
    let (shutdown, value) = tokio::join!(here.stack.shutdown(), call);
    shutdown.unwrap();
    assert_eq!(value.unwrap(), 0);
    assert_eq!(stored(&store).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_never_ends_is_left_behind() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let (mut held, stand) = hold();
    let load = async move {
        stand.await;
        7
    };
    let loading = call(&here.items(), load);
    held.reached().await;
    let started = clock::now();
    assert_eq!(here.stack.shutdown().await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(clock::now() - started < Duration::from_secs(11));
    held.release();
    assert_eq!(loading.await.unwrap().unwrap(), 7, "its callers are answered still");
    assert_eq!(stored(&store).await, None);
    assert_eq!(here.items().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn writes_whose_callers_have_left_are_waited_for() {
    for operation in [Operation::Put, Operation::Invalidate] {
        let store = Memory::new();
        let here = Process::on(&store).await;
        here.items().insert(KEY, 1).await.unwrap();
        let mut gate = here.faults.hold(operation, Moment::Before);
        let writer = {
            let items = here.items();
            tokio::spawn(async move {
                match operation {
                    Operation::Put => items.insert(KEY, 2).await,
                    _ => items.invalidate(KEY).await,
                }
            })
        };
        gate.reached().await;
        writer.abort();
        assert!(writer.await.unwrap_err().is_cancelled());
        let shutdown = {
            let stack = here.stack.clone();
            tokio::spawn(async move { stack.shutdown().await })
        };
        settle().await;
        assert!(!shutdown.is_finished(), "{operation:?}");
        gate.release();
        shutdown.await.unwrap().unwrap();
        assert_eq!(stored(&store).await, (operation == Operation::Put).then_some(2));
    }
}

#[tokio::test(start_paused = true)]
async fn queued_invalidations_are_tried_once_more() {
    for comes_back in [true, false] {
        let store = Memory::new();
        let here = Process::on(&store).await;
        here.items().insert(KEY, 7).await.unwrap();
        here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
        here.items().invalidate(KEY).await.unwrap_err();
        if comes_back {
            here.faults.heal();
        }
        let shutdown = here.stack.shutdown().await;
        assert_eq!(shutdown.is_ok(), comes_back, "{shutdown:?}");
        assert_eq!(stored(&store).await.is_none(), comes_back);
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_end_calls_go_past_the_cache() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    let items = here.items();
    items.insert(KEY, 7).await.unwrap();
    here.stack.shutdown().await.unwrap();
    here.stack.shutdown().await.unwrap();
    let calls = here.faults.calls(Operation::Read);
    for _ in 0..2 {
        let answer = items.at(KEY).get_with(|_| origin.load()).await.unwrap();
        assert_eq!((answer.value, answer.source), (0, Source::Loaded), "L1 is gone too");
    }
    assert_eq!(items.get(KEY).await, None);
    assert_eq!(items.insert(KEY, 8).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(items.invalidate(KEY).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(here.stack.invalidate_all().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(here.faults.calls(Operation::Read), calls);
    assert_eq!(items.in_flight(), 0);
    assert_eq!(stored(&store).await, Some(7), "others still use it");
}

#[tokio::test(start_paused = true)]
async fn a_hit_that_was_under_way_at_the_end_is_not_kept() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    peer.items().insert(KEY, 7).await.unwrap();
    let mut reply = here.faults.hold(Operation::Read, Moment::After);
    let reader = call(&here.items(), async { 8 });
    reply.reached().await;
    let shutdown = {
        let stack = here.stack.clone();
        tokio::spawn(async move { stack.shutdown().await })
    };
    settle().await;
    reply.release();
    assert_eq!(reader.await.unwrap().unwrap(), 7);
    shutdown.await.unwrap().unwrap();
    assert_eq!(here.items().get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_one_stack_is_not_that_of_its_neighbour() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    here.items().insert(KEY, 7).await.unwrap();
    here.stack.shutdown().await.unwrap();
    assert_eq!(peer.items().get(KEY).await, Some(7));
    peer.items().invalidate(KEY).await.unwrap();
    assert_eq!(stored(&store).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_is_dropped_answers_those_who_wait() {
    let store = Memory::new();
    let stack = Stack::builder("shop").l2(store.clone()).build().await.unwrap();
    let items: Items = stack.cache("item").build().unwrap();
    let (mut held, stand) = hold();
    let load = async move {
        stand.await;
        7
    };
    let loading = call(&items, load);
    held.reached().await;
    drop((stack, items));
    held.release();
    assert_eq!(loading.await.unwrap().unwrap(), 7);
    assert_eq!(stored(&store).await, Some(7));
}
