//! The steps that checks are made of.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{interval, timeout};

use crate::{
    backend::{
        Attach, Attached, Backend, Claim, Expire, Fill, FillReply, Follow, Found, Guard, Invalidate, Late, Lease,
        LeaseReply, Message, Part, Position, Pulse, Put, Read, Stored,
    },
    key::{EntryKey, Mark},
    testing::Names,
    token::{EntryId, Epoch, LeaseToken, ProcessId},
};

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const BLINK: Duration = Duration::from_millis(30);

pub(super) async fn read(store: &dyn Backend, key: &EntryKey, marks: &[Mark]) -> Found {
    store.read(Read { key, marks, part: Part::Whole }).await.expect("read")
}

pub(super) async fn entry(store: &dyn Backend, key: &EntryKey) -> Option<Stored> {
    read(store, key, &[]).await.entry
}

pub(super) async fn present(store: &dyn Backend, key: &EntryKey, marks: &[Mark]) -> Vec<Epoch> {
    let epochs = read(store, key, marks).await.epochs;
    epochs.iter().map(|epoch| epoch.expect("the mark is there")).collect()
}

/// Whether a reader would accept the entry that is there: its epochs are the present ones.
pub(super) async fn is_valid(store: &dyn Backend, key: &EntryKey, marks: &[Mark]) -> bool {
    let found = read(store, key, marks).await;
    found.entry.is_some_and(|entry| found.epochs.iter().copied().eq(entry.epochs.iter().copied().map(Some)))
}

pub(super) async fn join(store: &dyn Backend, key: &EntryKey, token: LeaseToken, marks: &[Mark]) -> LeaseReply {
    ask(store, key, token, Claim::Join { seen: None }, marks).await
}

pub(super) async fn take(store: &dyn Backend, key: &EntryKey, token: LeaseToken, marks: &[Mark]) -> LeaseReply {
    ask(store, key, token, Claim::Take, marks).await
}

pub(super) async fn ask(
    store: &dyn Backend,
    key: &EntryKey,
    token: LeaseToken,
    claim: Claim,
    marks: &[Mark],
) -> LeaseReply {
    let ask = Lease { key, token, ttl: MINUTE, claim, marks, retain: MINUTE };
    store.lease(ask).await.expect("lease")
}

pub(super) async fn ask_for(store: &dyn Backend, key: &EntryKey, token: LeaseToken, ttl: Duration) -> LeaseReply {
    let claim = Claim::Join { seen: None };
    let ask = Lease { key, token, ttl, claim, marks: &[], retain: MINUTE };
    store.lease(ask).await.expect("lease")
}

pub(super) fn granted(reply: LeaseReply) -> Vec<Epoch> {
    match reply {
        LeaseReply::Granted { epochs } => epochs,
        other => panic!("the lease was not granted: {other:?}"),
    }
}

pub(super) fn held(reply: LeaseReply) -> Duration {
    match reply {
        LeaseReply::Held { remaining } => remaining,
        other => panic!("the lease was not held: {other:?}"),
    }
}

pub(super) fn found(reply: LeaseReply) -> Found {
    match reply {
        LeaseReply::Found(found) => found,
        other => panic!("no entry was found: {other:?}"),
    }
}

pub(super) async fn extend(store: &dyn Backend, key: &EntryKey, token: LeaseToken, ttl: Duration) -> bool {
    store.extend(key, token, ttl).await.expect("extend")
}

pub(super) async fn fill(store: &dyn Backend, key: &EntryKey, token: LeaseToken, epochs: &[Epoch]) -> FillReply {
    let (id, frame, ttl) = (EntryId::random(), &Bytes::from_static(b"filled"), MINUTE);
    let fill = Fill { key, token, id, epochs, late: None, frame, ttl };
    store.fill(fill).await.expect("fill")
}

pub(super) async fn fill_for(store: &dyn Backend, key: &EntryKey, token: LeaseToken, ttl: Duration) -> FillReply {
    let (id, frame) = (EntryId::random(), &Bytes::from_static(b"filled"));
    let fill = Fill { key, token, id, epochs: &[], late: None, frame, ttl };
    store.fill(fill).await.expect("fill")
}

pub(super) async fn fill_late(
    store: &dyn Backend,
    key: &EntryKey,
    token: LeaseToken,
    epochs: &[Epoch],
    marks: &[Mark],
    unchanged: (&Mark, Epoch),
) -> FillReply {
    let late = Some(Late { marks, unchanged, retain: MINUTE });
    let (id, frame, ttl) = (EntryId::random(), &Bytes::from_static(b"late"), MINUTE);
    let fill = Fill { key, token, id, epochs, late, frame, ttl };
    store.fill(fill).await.expect("fill")
}

/// Lease and fill, as a load does it.
pub(super) async fn stored(store: &dyn Backend, key: &EntryKey, marks: &[Mark]) -> EntryId {
    let (token, id) = (LeaseToken::random(), EntryId::random());
    let epochs = &granted(take(store, key, token, marks).await);
    let frame = &Bytes::from_static(b"stored");
    let fill = Fill { key, token, id, epochs, late: None, frame, ttl: MINUTE };
    assert_eq!(store.fill(fill).await.expect("fill"), FillReply::Stored);
    id
}

pub(super) async fn put_frame(
    store: &dyn Backend,
    key: &EntryKey,
    marks: &[Mark],
    frame: &Bytes,
    ttl: Duration,
) -> EntryId {
    let id = EntryId::random();
    let (log, from) = (&Names::random().log(), ProcessId::random());
    let put = Put { key, id, marks, frame, ttl, retain: MINUTE, log, from };
    assert_eq!(store.put(put).await.expect("put"), FillReply::Stored);
    id
}

/// A put in the log of `names`.
pub(super) async fn put_in(store: &dyn Backend, names: &Names, key: &EntryKey, from: ProcessId) {
    let (id, frame, log, ttl) = (EntryId::random(), &Bytes::from_static(b"put"), &names.log(), MINUTE);
    let put = Put { key, id, marks: &[], frame, ttl, retain: MINUTE, log, from };
    assert_eq!(store.put(put).await.expect("put"), FillReply::Stored);
}

pub(super) async fn put_reply(store: &dyn Backend, names: &Names, key: &EntryKey, marks: &[Mark]) -> FillReply {
    let (id, frame, log, from) = (EntryId::random(), &Bytes::from_static(b"put"), &names.log(), ProcessId::random());
    store.put(Put { key, id, marks, frame, ttl: MINUTE, retain: MINUTE, log, from }).await.expect("put")
}

pub(super) async fn invalidate(
    store: &dyn Backend,
    names: &Names,
    keys: &[EntryKey],
    marks: &[Mark],
) -> Option<Position> {
    let any_tag = &names.any_tag();
    let (log, from) = (&names.log(), ProcessId::random());
    let what = Invalidate { keys, marks, any_tag, guard: None, log, from };
    store.invalidate(what).await.expect("invalidate")
}

pub(super) async fn expire(store: &dyn Backend, names: &Names, keys: &[&EntryKey], tags: &[&Mark]) -> Option<Position> {
    let keys: Vec<_> = keys.iter().copied().cloned().collect();
    let tags: Vec<_> = tags.iter().copied().cloned().collect();
    let (any_tag, log, from) = (&names.any_tag(), &names.log(), ProcessId::random());
    store.expire(Expire { keys: &keys, tags: &tags, any_tag, log, from }).await.expect("expire")
}

/// An invalidation with a guard.
pub(super) async fn guard(store: &dyn Backend, names: &Names, keys: &[&EntryKey], marks: &[&Mark], guard: Guard) {
    let keys: Vec<_> = keys.iter().copied().cloned().collect();
    let marks: Vec<_> = marks.iter().copied().cloned().collect();
    let (any_tag, log, from) = (&names.any_tag(), &names.log(), ProcessId::random());
    let what = Invalidate { keys: &keys, marks: &marks, any_tag, guard: Some(guard), log, from };
    store.invalidate(what).await.expect("invalidate");
}

/// Whether a lease is denied because of a guard or a hold-off; it is taken otherwise.
pub(super) async fn is_guarded(store: &dyn Backend, key: &EntryKey, marks: &[Mark]) -> bool {
    match take(store, key, LeaseToken::random(), marks).await {
        LeaseReply::Guarded => true,
        LeaseReply::Granted { .. } => false,
        other => panic!("the lease was neither granted nor denied: {other:?}"),
    }
}

/// Before every message.
pub(super) const BEGINNING: Position = Position { millis: 0, sequence: 0 };

pub(super) async fn follow(
    store: &dyn Backend,
    names: &Names,
    after: Position,
    wait: Duration,
    most: usize,
) -> Vec<Message> {
    store.follow(Follow { log: &names.log(), after, wait, most }).await.expect("follow")
}

/// All that came after a position.
pub(super) async fn messages(store: &dyn Backend, names: &Names, after: Position) -> Vec<Message> {
    follow(store, names, after, Duration::ZERO, usize::MAX).await
}

pub(super) async fn attach(store: &dyn Backend, names: &Names, max_staleness: Duration, keep: bool) -> Attached {
    let (log, from) = (&names.log(), ProcessId::random());
    store.attach(Attach { log, from, max_staleness, keep }).await.expect("attach")
}

pub(super) async fn beat(store: &dyn Backend, names: &Names) -> Pulse {
    store.beat(&names.log()).await.expect("beat")
}

/// Polls `condition` until it holds.
pub(super) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let poll = async {
        let mut pace = interval(Duration::from_millis(5));
        while !condition().await {
            pace.tick().await;
        }
    };
    timeout(Duration::from_secs(20), poll).await.unwrap_or_else(|_| panic!("in 20 s: {what}"));
}

/// Runs futures at once and gathers what they return.
pub(super) async fn all<F: Future + Unpin>(mut running: Vec<F>) -> Vec<F::Output> {
    let mut outputs = Vec::new();
    std::future::poll_fn(|cx| {
        running.retain_mut(|future| match std::pin::Pin::new(future).poll(cx) {
            std::task::Poll::Ready(output) => {
                outputs.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    outputs
}
