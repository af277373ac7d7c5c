//! What was invalidated stays invalidated.

use std::time::Duration;

use cache_core::{
    ErrorKind, Result, Source, Stack,
    backend::Memory,
    testing::{Moment, Operation},
};
use tokio::{task::JoinHandle, time::advance};

use crate::fleet::{Items, KEY, LONG, Origin, Process, call, evict, hold, namespace, settle, stored, until};

/// The ways to revoke the entry of [`KEY`], which has the tag [`TAG`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum How {
    Key,
    Tag,
    Cache,
    Everything,
}

impl How {
    pub(crate) const ALL: [Self; 4] = [Self::Key, Self::Tag, Self::Cache, Self::Everything];

    pub(crate) async fn invalidate(self, by: &Process) -> Result<()> {
        match self {
            Self::Key => by.items().invalidate(KEY).await,
            Self::Tag => by.stack.invalidate_tag(TAG).await,
            Self::Cache => by.items().invalidate_all().await,
            Self::Everything => by.stack.invalidate_all().await,
        }
    }

    /// In a task of its own.
    pub(crate) fn begin(self, by: &Process) -> JoinHandle<Result<()>> {
        let by = by.clone();
        tokio::spawn(async move { self.invalidate(&by).await })
    }
}

pub(crate) const TAG: &str = "org:7";

/// Longer than L1 keeps anything that is not proven to be current.
const L1_TTL: Duration = Duration::from_secs(5);

/// A call that names the tag.
pub(crate) async fn tagged(items: &Items, load: impl Future<Output = u64> + Send + 'static) -> u64 {
    items.at(KEY).tag(TAG).get_with(|_| load).await.unwrap().value
}

pub(crate) fn tagged_call(items: &Items, load: impl Future<Output = u64> + Send + 'static) -> JoinHandle<u64> {
    let items = items.clone();
    tokio::spawn(async move { tagged(&items, load).await })
}

#[tokio::test(start_paused = true)]
async fn a01_a_load_that_overlaps_an_invalidation_here_is_stored_nowhere() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        let (mut held, load) = origin.held();
        let early = tagged_call(&here.items(), load);
        held.reached().await;
        let joined = tagged_call(&here.items(), origin.load());
        settle().await;
        origin.commit();
        how.invalidate(&here).await.unwrap();
        let late = tagged_call(&here.items(), origin.load());
        settle().await;
        held.release();
        assert_eq!(early.await.unwrap(), 0, "{how:?}: it began before");
        joined.await.unwrap();
        assert_eq!(late.await.unwrap(), 1, "{how:?}: it began after");
        assert_eq!(here.items().get(KEY).await, Some(1), "{how:?}");
        assert_eq!(peer.items().get(KEY).await, Some(1), "{how:?}");
        assert_eq!(stored(&store).await, Some(1), "{how:?}");
        assert_eq!(here.items().in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a01_a_load_that_overlaps_a_peers_invalidation_never_reaches_the_store_alive() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        let (mut held, load) = origin.held();
        let early = tagged_call(&here.items(), load);
        held.reached().await;
        origin.commit();
        how.invalidate(&peer).await.unwrap();
        held.release();
        assert_eq!(early.await.unwrap(), 0);
        assert_eq!(stored(&store).await, None, "{how:?}");
        assert_eq!(tagged(&peer.items(), origin.load()).await, 1, "{how:?}");
        advance(L1_TTL).await;
        assert_eq!(here.items().get(KEY).await, Some(1), "{how:?}: no longer than L1 keeps it");
    }
}

#[tokio::test(start_paused = true)]
async fn a01_a_peers_invalidation_of_the_key_keeps_the_load_out_of_l1_too() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, load) = origin.held();
    let early = call(&here.items(), load);
    held.reached().await;
    origin.commit();
    peer.items().invalidate(KEY).await.unwrap();
    held.release();
    early.await.unwrap().unwrap();
    assert_eq!(here.items().get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn a01_without_a_shared_store_too() {
    for how in How::ALL {
        let origin = Origin::new();
        let stack = Stack::builder("shop").build().await.unwrap();
        let here = Process { stack, faults: Default::default() };
        let (mut held, load) = origin.held();
        let early = tagged_call(&here.items(), load);
        held.reached().await;
        origin.commit();
        how.invalidate(&here).await.unwrap();
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}: it waits for nobody");
        held.release();
        assert_eq!(early.await.unwrap(), 0);
        assert_eq!(here.items().get(KEY).await, Some(1), "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a03_a_reader_between_the_steps_of_an_invalidation_promotes_nothing_old() {
    for how in How::ALL {
        for moment in [Moment::Before, Moment::After] {
            let (store, origin) = (Memory::new(), Origin::new());
            let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
            tagged(&here.items(), origin.load()).await;
            origin.commit();
            let mut gate = here.faults.hold(Operation::Invalidate, moment);
            let invalidation = how.begin(&here);
            gate.reached().await;
            here.items().get(KEY).await;
            tagged(&here.items(), origin.load()).await;
            gate.release();
            invalidation.await.unwrap().unwrap();
            assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?} {moment:?}");
            assert_eq!(tagged(&peer.items(), origin.load()).await, 1, "{how:?} {moment:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a03_a_peer_that_reads_between_the_steps_keeps_it_no_longer_than_l1_does() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        tagged(&here.items(), origin.load()).await;
        origin.commit();
        let mut gate = here.faults.hold(Operation::Invalidate, Moment::Before);
        let invalidation = how.begin(&here);
        gate.reached().await;
        assert_eq!(peer.items().get(KEY).await, Some(0), "it is not invalidated yet");
        gate.release();
        invalidation.await.unwrap().unwrap();
        advance(L1_TTL).await;
        assert_eq!(tagged(&peer.items(), origin.load()).await, 1, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a04_an_invalidation_that_fails_is_told_distrusted_and_retried() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        tagged(&here.items(), origin.load()).await;
        origin.commit();
        here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
        let error = how.invalidate(&here).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{how:?}");
        assert_eq!(here.stack.health().queued_invalidations, 1);
        assert!(!here.stack.health().is_good());
        assert_eq!(stored(&store).await, Some(0), "{how:?}: the store has not heard of it");
        assert_eq!(here.items().get(KEY).await, None, "{how:?}: this process does not believe it");
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}");
        assert_eq!(here.items().get(KEY).await, Some(1), "{how:?}");
        here.faults.heal();
        until("it got through", || here.stack.health().queued_invalidations == 0).await;
        assert_eq!(stored(&store).await, None, "{how:?}");
        assert_eq!(tagged(&peer.items(), origin.load()).await, 1, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a04_an_entry_with_an_unheard_tag_that_only_its_loader_named_is_not_believed_either() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let load = |load: cache_core::Load| async move {
        load.tag(TAG);
        7
    };
    assert_eq!(peer.items().get_with(KEY, load).await.unwrap(), 7);
    here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
    here.stack.invalidate_tag(TAG).await.unwrap_err();
    assert_eq!(here.items().get(KEY).await, None);
    assert_eq!(here.items().get_with(KEY, |_| async { 8 }).await.unwrap(), 8);
}

#[tokio::test(start_paused = true)]
async fn a04_an_answer_from_before_an_unheard_invalidation_got_through_is_not_believed_after_it() {
    let store = Memory::new();
    let here = Process::with(&store, |stack| stack.l2_deadline(LONG)).await;
    let peer = Process::on(&store).await;
    let load = |load: cache_core::Load| async move {
        load.tag(TAG);
        7
    };
    assert_eq!(peer.items().get_with(KEY, load).await.unwrap(), 7);
    here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
    here.stack.invalidate_tag(TAG).await.unwrap_err();
    // The first answer names the tag, the second one brings the mark.
    let mut first = here.faults.hold(Operation::Read, Moment::After);
    let mut second = here.faults.hold(Operation::Read, Moment::After);
    let reader = call(&here.items(), async { 8 });
    first.reached().await;
    first.release();
    second.reached().await;
    here.faults.heal();
    until("it got through", || here.stack.health().queued_invalidations == 0).await;
    second.release();
    assert_eq!(reader.await.unwrap().unwrap(), 8);
    assert_eq!(here.items().get(KEY).await, Some(8));
}

#[tokio::test(start_paused = true)]
async fn a04_a_read_under_way_while_the_invalidation_fails_is_not_kept() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        tagged(&peer.items(), origin.load()).await;
        origin.commit();
        let mut reply = here.faults.hold(Operation::Read, Moment::After);
        let reader = tagged_call(&here.items(), origin.load());
        reply.reached().await;
        here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
        how.invalidate(&here).await.unwrap_err();
        reply.release();
        reader.await.unwrap();
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a04_too_many_unheard_invalidations_distrust_the_namespace() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    peer.items().insert(KEY, 7).await.unwrap();
    here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
    for n in 0..10_001 {
        here.items().invalidate(&format!("gone {n}")).await.unwrap_err();
    }
    assert!(here.stack.health().queued_invalidations <= 10_000);
    assert_eq!(here.items().get(KEY).await, None);
    here.faults.heal();
    until("they got through", || here.stack.health().is_good()).await;
    assert_eq!(stored(&store).await, None, "all of it is revoked");
}

#[tokio::test(start_paused = true)]
async fn a08_invalidating_any_number_of_entries_is_one_call_that_names_none() {
    const ENTRIES: u64 = 20_000;
    for how in [How::Tag, How::Cache, How::Everything] {
        let store = Memory::new();
        let here = Process::with(&store, |stack| stack.l1(cache_core::L1::entries(ENTRIES))).await;
        let items = here.stack.cache::<u64, u64>("item").build().unwrap();
        for key in 0..ENTRIES {
            items.at(&key).tag(TAG).insert(key).await.unwrap();
        }
        let before = here.faults.requests();
        match how {
            How::Cache => items.invalidate_all().await.unwrap(),
            How::Tag => here.stack.invalidate_tag(TAG).await.unwrap(),
            _ => here.stack.invalidate_all().await.unwrap(),
        }
        assert_eq!(here.faults.requests() - before, 1, "{how:?}");
        for key in (0..ENTRIES).step_by(997) {
            assert_eq!(items.get(&key).await, None, "{how:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a09_entries_whose_marks_were_lost_are_misses_for_ever() {
    let namespace = namespace();
    // The mark of a cache is told by any key of it.
    let lost = [namespace.tag(TAG), namespace.mark()];
    for mark in lost {
        let (store, origin) = (Memory::new(), Origin::new());
        let here = Process::on(&store).await;
        tagged(&here.items(), origin.load()).await;
        origin.commit();
        evict(&store, std::slice::from_ref(&mark)).await;
        assert_eq!(stored(&store).await, None, "{mark:?}");
        // Other entries bring the mark back, but not what it once stood for.
        here.items().at("other").tag(TAG).insert(1).await.unwrap();
        assert_eq!(stored(&store).await, None, "{mark:?}");
        advance(L1_TTL).await;
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{mark:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a12_a_tag_that_only_the_loader_knows_is_invalidated_during_its_load() {
    for by_peer in [false, true] {
        let store = Memory::new();
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        let items = here.items();
        let (mut held, stand) = hold();
        let loading = {
            let items = items.clone();
            tokio::spawn(async move {
                let load = |load: cache_core::Load| async move {
                    stand.await;
                    load.tag("vip");
                    0
                };
                items.get_with(KEY, load).await.unwrap()
            })
        };
        held.reached().await;
        let by = if by_peer { &peer } else { &here };
        by.stack.invalidate_tag("vip").await.unwrap();
        // Here it can't be known yet that the load under way is not for this call.
        let late = call(&items, async { 1 });
        settle().await;
        held.release();
        assert_eq!(loading.await.unwrap(), 0);
        let late = late.await.unwrap().unwrap();
        assert!(by_peer || late == 1, "it began after the invalidation");
        let other = peer.items().get_with(KEY, |_| async { 2 }).await.unwrap();
        assert_ne!(other, 0, "by a peer: {by_peer}");
        assert_ne!(items.get(KEY).await, Some(0), "by a peer: {by_peer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a12_the_mark_of_the_loaders_tag_revokes_it_later_too() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let load = |load: cache_core::Load| async move {
        load.tag("vip");
        7
    };
    assert_eq!(here.items().get_with(KEY, load).await.unwrap(), 7);
    assert_eq!(stored(&store).await, Some(7));
    peer.stack.invalidate_tag("vip").await.unwrap();
    assert_eq!(stored(&store).await, None);
    here.stack.invalidate_tag("vip").await.unwrap();
    assert_eq!(here.items().get(KEY).await, None);
}

#[tokio::test(start_paused = true)]
async fn a13_a_loader_that_fails_after_an_invalidation_brings_nothing_back() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let here = Process::on(&store).await;
        tagged(&here.items(), origin.load()).await;
        how.invalidate(&here).await.unwrap();
        let failed = here.items().at(KEY).tag(TAG).try_get_with(|_| async { Err::<u64, _>("down") }).await;
        assert_eq!(failed.unwrap_err().loader(), Some(&"down"), "{how:?}");
        assert_eq!(here.items().get(KEY).await, None, "{how:?}");
        assert_eq!(stored(&store).await, None, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a14_two_caches_with_one_key_text_share_nothing() {
    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let users: Items = here.stack.cache("user").build().unwrap();
    let plans: Items = here.stack.cache("plan").build().unwrap();
    let (mut held, stand) = hold();
    let load = async move {
        stand.await;
        1
    };
    let user = call(&users, load);
    held.reached().await;
    // No flight and no lease: it ends while the other stands still.
    assert_eq!(plans.get_with(KEY, |_| async { 2 }).await.unwrap(), 2);
    let peers: Items = peer.stack.cache("plan").build().unwrap();
    assert_eq!(peers.get(KEY).await, Some(2));
    held.release();
    assert_eq!(user.await.unwrap().unwrap(), 1);
    users.invalidate(KEY).await.unwrap();
    assert_eq!((users.get(KEY).await, plans.get(KEY).await), (None, Some(2)));
    users.insert(KEY, 3).await.unwrap();
    plans.invalidate_all().await.unwrap();
    assert_eq!((users.get(KEY).await, plans.get(KEY).await), (Some(3), None));
}

#[tokio::test(start_paused = true)]
async fn a14_two_namespaces_share_nothing() {
    let store = Memory::new();
    let shop = Stack::builder("shop").l2(store.clone()).l1_ttl(L1_TTL).build().await.unwrap();
    let mall = Stack::builder("mall").l2(store.clone()).build().await.unwrap();
    let (ours, theirs): (Items, Items) = (shop.cache("item").build().unwrap(), mall.cache("item").build().unwrap());
    ours.at(KEY).tag(TAG).insert(1).await.unwrap();
    assert_eq!(theirs.get(KEY).await, None);
    theirs.at(KEY).tag(TAG).insert(2).await.unwrap();
    mall.invalidate_tag(TAG).await.unwrap();
    mall.invalidate_all().await.unwrap();
    theirs.invalidate(KEY).await.unwrap();
    advance(L1_TTL).await;
    assert_eq!(ours.at(KEY).get().await.map(|answer| (answer.value, answer.source)), Some((1, Source::L2)));
}

#[tokio::test(start_paused = true)]
async fn a_process_hears_of_a_peers_invalidation_no_later_than_l1_forgets() {
    for how in How::ALL {
        let (store, origin) = (Memory::new(), Origin::new());
        let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
        tagged(&here.items(), origin.load()).await;
        origin.commit();
        how.invalidate(&peer).await.unwrap();
        advance(L1_TTL).await;
        assert_eq!(tagged(&here.items(), origin.load()).await, 1, "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn invalidating_what_was_never_cached_is_fine() {
    let here = Process::on(&Memory::new()).await;
    for how in How::ALL {
        how.invalidate(&here).await.unwrap();
    }
    here.stack.invalidate_tags(Vec::<String>::new()).await.unwrap();
    here.items().invalidate("").await.unwrap();
    advance(LONG).await;
    assert!(here.stack.health().is_good());
}

#[tokio::test(start_paused = true)]
async fn one_call_revokes_any_number_of_tags() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let tags: Vec<String> = (0..500).map(|n| format!("tag {n}")).collect();
    for tag in &tags {
        here.items().at(tag.as_str()).tag(tag).insert(1).await.unwrap();
    }
    here.stack.invalidate_tags(&tags).await.unwrap();
    assert_eq!(here.faults.calls(Operation::Invalidate), 1);
    for tag in &tags {
        assert_eq!(here.items().get(tag.as_str()).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn any_of_an_entrys_tags_revokes_it_and_no_other_tag_does() {
    let here = Process::on(&Memory::new()).await;
    let items = here.items();
    let tags: Vec<String> = (0..64).map(|n| format!("tag {n}")).collect();
    for revoked in [0, 31, 63] {
        items.at(KEY).tags(&tags).get_with(|_| async { 7 }).await.unwrap();
        here.stack.invalidate_tag("tag 64").await.unwrap();
        assert_eq!(items.get(KEY).await, Some(7));
        here.stack.invalidate_tag(&tags[revoked]).await.unwrap();
        assert_eq!(items.get(KEY).await, None);
    }
}
