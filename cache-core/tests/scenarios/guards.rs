//! Guarded writes, and hold-offs.

use std::{sync::Arc, time::Duration};

use cache_core::{
    ErrorKind, Result, Source,
    backend::Memory,
    testing::{Moment, Operation},
};
use tokio::{sync::oneshot, task::JoinHandle, time::advance};

use crate::fleet::{KEY, Origin, Process, hold, pass, settle, stored};

const GUARD: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn race_39_nothing_is_cached_while_a_guarded_write_runs_and_nothing_old_after_it() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    here.items().get_with(KEY, |_| origin.load()).await.unwrap();
    let (commit, committed) = oneshot::channel::<()>();
    let write = {
        let (items, origin) = (here.items(), origin.clone());
        tokio::spawn(async move {
            items
                .write(KEY, async move {
                    committed.await.unwrap();
                    origin.commit();
                })
                .await
        })
    };
    settle().await;
    for process in [&here, &peer] {
        for _ in 0..2 {
            let answer = process.items().at(KEY).get_with(|_| origin.load()).await.unwrap();
            assert_eq!((answer.value, answer.source), (0, Source::Loaded), "loaded each time, and kept nowhere");
        }
    }
    assert_eq!(peer.items().insert(KEY, 7).await.unwrap_err().kind(), ErrorKind::Refused);
    commit.send(()).unwrap();
    write.await.unwrap().unwrap();
    for process in [&here, &peer] {
        assert_eq!(process.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
    }
    assert_eq!(origin.loads(), 1 + 4 + 1, "and cached again");
}

#[tokio::test(start_paused = true)]
async fn race_39_a_writer_that_dies_leaves_nothing_stale_when_its_guard_has_ended() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    peer.items().get_with(KEY, |_| origin.load()).await.unwrap();
    let committed = origin.clone();
    // Its process commits, and is never heard of again.
    here.faults.hang(Operation::Probe);
    let mut begun = here.faults.hold(Operation::Invalidate, Moment::After);
    let items = here.items();
    let write = tokio::spawn(async move { items.write(KEY, async move { committed.commit() }).await });
    begun.reached().await;
    begun.release();
    here.faults.fail_all(ErrorKind::Unavailable);
    write.await.unwrap().unwrap();
    settle().await;
    assert_eq!(peer.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
    assert_eq!(stored(&store).await, None, "the guard is open");
    advance(GUARD).await;
    assert_eq!(peer.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
    assert_eq!(stored(&store).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn race_37_of_two_writes_that_overlap_the_first_to_end_opens_nothing() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (a, b) = (Process::on(&store).await, Process::on(&store).await);
    let write = |process: &Process| {
        let (end, ended) = oneshot::channel::<()>();
        let items = process.items();
        let write = tokio::spawn(async move { items.write(KEY, async move { ended.await.unwrap() }).await });
        (end, write)
    };
    let (first, second) = (write(&a), write(&b));
    settle().await;
    first.0.send(()).unwrap();
    first.1.await.unwrap().unwrap();
    a.items().get_with(KEY, |_| origin.load()).await.unwrap();
    assert_eq!(stored(&store).await, None, "the second one is still at it");
    second.0.send(()).unwrap();
    second.1.await.unwrap().unwrap();
    a.items().get_with(KEY, |_| origin.load()).await.unwrap();
    assert_eq!(stored(&store).await, Some(0));
}

/// The guard of a write, under way until the sender is used.
async fn write_under_way(process: &Process, origin: &Arc<Origin>) -> (oneshot::Sender<()>, JoinHandle<Result<u64>>) {
    let (commit, committed) = oneshot::channel::<()>();
    let (items, origin) = (process.items(), Arc::clone(origin));
    let committing = async move {
        committed.await.unwrap();
        origin.commit()
    };
    let write = tokio::spawn(async move { items.write(KEY, committing).await });
    settle().await;
    (commit, write)
}

#[tokio::test(start_paused = true)]
async fn race_38_an_invalidation_during_a_write_opens_nothing_and_the_write_publishes_nothing() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (commit, write) = write_under_way(&here, &origin).await;
    peer.items().invalidate(KEY).await.unwrap();
    peer.items().get_with(KEY, |_| origin.load()).await.unwrap();
    assert_eq!(stored(&store).await, None, "the guard is open");
    commit.send(()).unwrap();
    write.await.unwrap().unwrap();
    assert_eq!((stored(&store).await, here.items().get(KEY).await), (None, None));
}

/// A guard is what denies by being there: without it others may store while the write runs, but not past its end.
#[tokio::test(start_paused = true)]
async fn race_57_a_write_whose_guard_was_lost_leaves_nothing_old_behind() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (commit, write) = write_under_way(&here, &origin).await;
    store.lose("shop:item:{k}:guard");
    peer.items().get_with(KEY, |_| origin.load()).await.unwrap();
    assert_eq!(stored(&store).await, Some(0), "as before the write");
    commit.send(()).unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, None);
    settle().await;
    assert_eq!(peer.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_takes_longer_than_its_guard_keeps_it_open() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    let items = here.items();
    let write = tokio::spawn(async move { items.write(KEY, tokio::time::sleep(5 * GUARD)).await });
    settle().await;
    for _ in 0..40 {
        advance(GUARD / 10).await;
        settle().await;
    }
    here.items().get_with(KEY, |_| origin.load()).await.unwrap();
    assert_eq!(stored(&store).await, None);
    write.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn race_47_where_no_guard_can_be_opened_nothing_is_committed() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
    let committed = origin.clone();
    let error = here.items().write(KEY, async move { committed.commit() }).await.unwrap_err();
    assert!(error.to_string().contains("nothing was committed"), "{error}");
    assert_eq!(here.items().get_with(KEY, |_| origin.load()).await.unwrap(), 0);
    assert_eq!(here.stack.health().queued_invalidations, 0, "and nothing is owed");
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_caller_left_is_finished() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    here.items().get_with(KEY, |_| origin.load()).await.unwrap();
    let (items, committed) = (here.items(), origin.clone());
    let caller = tokio::spawn(async move {
        items
            .write(KEY, async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                committed.commit();
            })
            .await
    });
    settle().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    advance(Duration::from_millis(20)).await;
    settle().await;
    assert_eq!(here.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
    assert_eq!(stored(&store).await, Some(1), "the guard is closed");
}

#[tokio::test(start_paused = true)]
async fn race_42_a_hold_off_of_a_tag_outlasts_a_later_invalidation_of_it() {
    let (store, replica) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let lag = Duration::from_secs(2);
    here.stack.invalidation().tag("t").hold_off(lag).send().await.unwrap();
    peer.stack.invalidate_tag("t").await.unwrap();
    for process in [&here, &peer] {
        let answer = process.items().at(KEY).tag("t").get_with(|_| replica.load()).await.unwrap();
        assert_eq!((answer.value, answer.source), (0, Source::Loaded));
    }
    assert_eq!(stored(&store).await, None);
    replica.commit();
    advance(lag).await;
    peer.items().at(KEY).tag("t").get_with(|_| replica.load()).await.unwrap();
    assert_eq!(stored(&store).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn race_42_a_hold_off_outlasts_the_lag_of_the_origins_replica() {
    let (store, replica) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let lag = Duration::from_secs(2);
    here.items().at(KEY).hold_off(lag).invalidate().await.unwrap();
    assert_eq!(here.items().get_with(KEY, |_| replica.load()).await.unwrap(), 0, "the replica lags");
    peer.items().invalidate(KEY).await.unwrap();
    assert_eq!(peer.items().get_with(KEY, |_| replica.load()).await.unwrap(), 0);
    replica.commit();
    for process in [&here, &peer] {
        assert_eq!(process.items().get_with(KEY, |_| replica.load()).await.unwrap(), 1, "nothing old was kept");
    }
    assert_eq!(stored(&store).await, None);
    advance(lag).await;
    here.items().get_with(KEY, |_| replica.load()).await.unwrap();
    assert_eq!(stored(&store).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_loaded_past_a_guard_that_l2_could_not_tell_of_is_not_kept_beyond_the_bound() {
    const X: Duration = Duration::from_secs(1);
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, stand) = hold();
    let (items, commits) = (here.items(), Arc::clone(&origin));
    let write = tokio::spawn(async move {
        let commit = async move {
            stand.await;
            commits.commit()
        };
        items.write(KEY, commit).await
    });
    held.reached().await;
    // The peer is in step with the log all the time; only its question fails, and so it does not hear of the guard.
    peer.faults.fail(Operation::Read, ErrorKind::Unavailable);
    assert_eq!(peer.items().get_with(KEY, |_| origin.load()).await.unwrap(), 0);
    peer.faults.heal();
    here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
    held.release();
    assert_eq!(write.await.unwrap().unwrap(), 1, "it is committed; that L2 could not be told is queued");
    pass(X + Duration::from_millis(1)).await;
    assert_eq!(peer.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
}
