//! Inserts: next to loads, invalidations and each other.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cache_core::{
    ErrorKind, Overrides, Source, Stack,
    backend::Memory,
    testing::{Moment, Operation},
};

use crate::{
    coherence::{How, TAG, tagged},
    fleet::{Items, KEY, Origin, Process, call, settle, stored, until},
};

#[tokio::test(start_paused = true)]
async fn a02_an_insert_here_is_not_overwritten_by_a_load_in_flight() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    let (mut held, load) = origin.held();
    let loading = call(&here.items(), load);
    held.reached().await;
    here.items().insert(KEY, 7).await.unwrap();
    assert_eq!(here.items().get_with(KEY, |_| origin.load()).await.unwrap(), 7, "nor does a call join the load");
    held.release();
    assert_eq!(loading.await.unwrap().unwrap(), 0);
    assert_eq!(here.items().get(KEY).await, Some(7));
    assert_eq!(stored(&store).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a02_an_insert_of_a_peer_is_not_overwritten_by_a_load_in_flight() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, load) = origin.held();
    let loading = call(&here.items(), load);
    held.reached().await;
    peer.items().insert(KEY, 7).await.unwrap();
    held.release();
    assert_eq!(loading.await.unwrap().unwrap(), 0);
    assert_eq!(stored(&store).await, Some(7));
    assert_eq!(here.items().get(KEY).await, Some(7), "the load is not in L1 either");
}

#[tokio::test(start_paused = true)]
async fn a02_without_a_shared_store_too() {
    let origin = Origin::new();
    let stack = Stack::builder("shop").build().await.unwrap();
    let items: Items = stack.cache("item").build().unwrap();
    let (mut held, load) = origin.held();
    let loading = call(&items, load);
    held.reached().await;
    items.insert(KEY, 7).await.unwrap();
    held.release();
    loading.await.unwrap().unwrap();
    assert_eq!(items.get(KEY).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a02_a_load_that_begins_and_ends_within_an_insert_does_not_outlast_it() {
    for moment in [Moment::Before, Moment::After] {
        let (store, origin) = (Memory::new(), Origin::new());
        let here = Process::on(&store).await;
        let mut gate = here.faults.hold(Operation::Put, moment);
        let insert = {
            let items = here.items();
            tokio::spawn(async move { items.insert(KEY, 7).await })
        };
        gate.reached().await;
        here.items().get_with(KEY, |_| origin.load()).await.unwrap();
        gate.release();
        insert.await.unwrap().unwrap();
        assert_eq!(here.items().get(KEY).await, Some(7), "{moment:?}");
        assert_eq!(stored(&store).await, Some(7), "{moment:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a02_a_load_that_outlasts_the_insert_it_began_in_is_not_kept() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    let mut gate = here.faults.hold(Operation::Put, Moment::Before);
    let insert = {
        let items = here.items();
        tokio::spawn(async move { items.insert(KEY, 7).await })
    };
    gate.reached().await;
    let (mut held, load) = origin.held();
    let loading = call(&here.items(), load);
    held.reached().await;
    gate.release();
    insert.await.unwrap().unwrap();
    held.release();
    loading.await.unwrap().unwrap();
    assert_eq!(here.items().get(KEY).await, Some(7));
    assert_eq!(stored(&store).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a02_a_promotion_that_outlasts_the_insert_it_began_in_is_not_kept() {
    for look_up in [true, false] {
        let store = Memory::new();
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        peer.items().insert(KEY, 1).await.unwrap();
        let mut gate = here.faults.hold(Operation::Put, Moment::Before);
        let insert = {
            let items = here.items();
            tokio::spawn(async move { items.insert(KEY, 7).await })
        };
        gate.reached().await;
        let mut reply = here.faults.hold(Operation::Read, Moment::After);
        let reader = {
            let items = here.items();
            tokio::spawn(async move {
                match look_up {
                    true => items.get(KEY).await.unwrap(),
                    false => items.get_with(KEY, |_| async { 8 }).await.unwrap(),
                }
            })
        };
        reply.reached().await;
        gate.release();
        insert.await.unwrap().unwrap();
        reply.release();
        assert_eq!(reader.await.unwrap(), 1, "it asked before");
        assert_eq!(here.items().get(KEY).await, Some(7), "a lookup: {look_up}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_during_an_insert_keeps_it_out_of_l1() {
    for how in How::ALL {
        for moment in [Moment::Before, Moment::After] {
            let store = Memory::new();
            let here = Process::on(&store).await;
            let mut gate = here.faults.hold(Operation::Put, moment);
            let insert = {
                let items = here.items();
                tokio::spawn(async move { items.at(KEY).tag(TAG).insert(7).await })
            };
            gate.reached().await;
            how.invalidate(&here).await.unwrap();
            gate.release();
            insert.await.unwrap().unwrap();
            let found = here.items().at(KEY).get().await.map(|answer| (answer.value, answer.source));
            // Which of the two reached the store last decides.
            let expected = (moment == Moment::Before).then_some((7, Source::L2));
            assert_eq!(found, expected, "{how:?} {moment:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_insert_replaces_goes_although_what_it_brings_may_not_stay() {
    let (store, origin) = (Memory::new(), Origin::new());
    let here = Process::on(&store).await;
    here.items().get_with(KEY, |_| origin.load()).await.unwrap();
    let mut gate = here.faults.hold(Operation::Put, Moment::Before);
    let insert = {
        let items = here.items();
        tokio::spawn(async move { items.at(KEY).tag(TAG).insert(7).await })
    };
    gate.reached().await;
    How::Tag.invalidate(&here).await.unwrap();
    gate.release();
    insert.await.unwrap().unwrap();
    assert_eq!(here.items().get(KEY).await, Some(7), "L1 keeps neither");
}

#[tokio::test(start_paused = true)]
async fn an_insert_that_fails_is_told_and_leaves_nothing_here() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    here.items().insert(KEY, 1).await.unwrap();
    here.faults.fail(Operation::Put, ErrorKind::Unavailable);
    assert_eq!(here.items().insert(KEY, 2).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let found = here.items().at(KEY).get().await.map(|answer| (answer.value, answer.source));
    assert_eq!(found, Some((1, Source::L2)), "the store has the old one still");
    assert_eq!(here.items().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_insert_whose_reply_is_lost_is_told_and_leaves_nothing_here() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    here.items().insert(KEY, 1).await.unwrap();
    here.faults.lose_reply(Operation::Put, ErrorKind::Timeout);
    assert_eq!(here.items().insert(KEY, 2).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(here.items().get(KEY).await, Some(2), "as the store has it");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_panics_while_it_is_inserted_is_an_error_and_leaves_nothing() {
    #[derive(Clone, Debug, PartialEq, serde::Deserialize)]
    struct Picky(u64);

    impl serde::Serialize for Picky {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            assert_ne!(self.0, 13, "bad luck");
            serializer.serialize_u64(self.0)
        }
    }

    let here = Process::on(&Memory::new()).await;
    let items = here.stack.cache::<String, Picky>("picky").build().unwrap();
    items.insert(KEY, Picky(1)).await.unwrap();
    let error = items.insert(KEY, Picky(13)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
    assert_eq!(items.in_flight(), 0);
    assert_eq!(items.at(KEY).get().await.map(|answer| answer.source), Some(Source::L2), "L1 was emptied");
    items.insert(KEY, Picky(2)).await.unwrap();
    assert_eq!(items.get(KEY).await, Some(Picky(2)));
}

#[tokio::test(start_paused = true)]
async fn a26_an_entry_that_is_rewritten_keeps_nothing_of_the_old() {
    let store = Memory::new();
    let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
    let items = here.items();
    items.at(KEY).tag("old").ttl(Duration::from_secs(10)).insert(1).await.unwrap();
    items.at(KEY).tag("new").ttl(Duration::from_secs(100)).insert(2).await.unwrap();
    here.stack.invalidate_tag("old").await.unwrap();
    assert_eq!(items.get(KEY).await, Some(2), "the old tag is not on it");
    let answer = bare.items().at(KEY).get().await.unwrap();
    assert_eq!((answer.value, answer.remaining), (2, Duration::from_secs(100)));
    // And by a load, with less of everything.
    items.at(KEY).ttl(Duration::from_secs(5)).refresh_with(|_| async { 3 }).await.unwrap();
    here.stack.invalidate_tag("new").await.unwrap();
    let answer = bare.items().at(KEY).get().await.unwrap();
    assert_eq!((answer.value, answer.remaining), (3, Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn a_replaced_or_invalidated_value_frees_its_memory() {
    let stack = Stack::builder("shop").build().await.unwrap();
    let texts = stack.cache::<u64, Arc<String>>("text").build().unwrap();
    let mut gone: Vec<Weak<String>> = Vec::new();
    for n in 0..10 {
        let text = Arc::new(format!("value {n}"));
        gone.push(Arc::downgrade(&text));
        texts.insert(&1, text).await.unwrap();
    }
    // moka frees memory when no thread of the process can be reading it any more, and other tests read too.
    let alive = || gone.iter().filter(|text| text.strong_count() > 0).count();
    until("only the last is there", || stack.l1_size().0 == 1 && alive() == 1).await;
    texts.invalidate(&1).await.unwrap();
    until("it is gone too", || stack.l1_size().0 == 0 && alive() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inserts_loads_and_invalidations_race_and_leave_the_last_word_to_the_last() {
    let (store, origin) = (Memory::new(), Origin::new());
    let processes = [Process::on(&store).await, Process::on(&store).await];
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..400u64 {
        let (process, origin) = (processes[n as usize % 2].clone(), Arc::clone(&origin));
        tasks.spawn(async move {
            let items = process.items();
            match n % 8 {
                0 => items.insert(KEY, 1_000 + n).await.unwrap(),
                1 => How::ALL[n as usize / 8 % 4].invalidate(&process).await.unwrap(),
                2 => drop(items.get(KEY).await),
                3 => drop(items.at(KEY).refresh_with(|_| origin.load()).await.unwrap()),
                _ => drop(tagged(&items, origin.load()).await),
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    origin.commit();
    for process in &processes {
        // The other's L1 is bounded by time only.
        process.stack.invalidate_all().await.unwrap();
        assert_eq!(process.items().in_flight(), 0);
    }
    for process in &processes {
        assert_eq!(process.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_stored_is_an_error_of_an_insert() {
    let here = Process::on(&Memory::new()).await;
    let items = here.items();
    items.insert(KEY, 1).await.unwrap();
    assert_eq!(items.at(KEY).ttl(Duration::ZERO).insert(2).await.unwrap_err().kind(), ErrorKind::Codec);
    let tags: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    assert_eq!(items.at(KEY).tags(tags).insert(2).await.unwrap_err().kind(), ErrorKind::Codec);
    let small: Items = here.stack.cache("small").overrides(Overrides::new().max_value_size(1)).build().unwrap();
    assert_eq!(small.insert(KEY, 1_000).await.unwrap_err().kind(), ErrorKind::Codec);
    small.insert(KEY, 1).await.unwrap();
    settle().await;
    assert_eq!(small.in_flight() + items.in_flight(), 0);
}
