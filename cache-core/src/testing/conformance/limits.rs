//! Sizes, times, order, and the end.

use std::time::Duration;

use bytes::Bytes;

use super::steps::{
    MINUTE, entry, eventually, extend, fill_for, granted, held, invalidate, join, present, put_frame, stored,
};
use crate::{
    backend::{Backend, Claim, FillReply, Lease, Part, Put, Read},
    error::ErrorKind,
    testing::Names,
    token::{EntryId, LeaseToken, ProcessId},
};

/// From a millisecond to thirty years and more, for entries, leases and marks.
pub async fn times_to_live_may_be_tiny_or_huge(store: &dyn Backend) {
    let names = Names::random();
    let (key, tags) = (names.key("a"), [names.tag("a")]);
    let years = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    let frame = &Bytes::new();
    for ttl in [years, 10 * years, Duration::MAX] {
        let (key, token) = (&key, LeaseToken::random());
        let ask = Lease { key, token, ttl, claim: Claim::Take, marks: &tags, retain: ttl };
        granted(store.lease(ask).await.expect("lease"));
        assert!(held(join(store, key, LeaseToken::random(), &[]).await) > years / 2);
        assert!(extend(store, key, token, ttl).await);
        assert_eq!(fill_for(store, key, token, ttl).await, FillReply::Stored);
        let remaining = entry(store, key).await.expect("it was stored").remaining;
        let remaining = remaining.expect("it has an end");
        assert!(remaining > years / 2 && remaining <= ttl, "{remaining:?}");
        let (log, from) = (&names.log(), ProcessId::random());
        let put = Put { key, id: EntryId::random(), marks: &tags, frame, ttl, retain: ttl, log, from };
        store.put(put).await.expect("put");
        assert!(entry(store, key).await.is_some());
        invalidate(store, &names, std::slice::from_ref(key), &[]).await;
    }
    for ttl in [Duration::from_millis(1), Duration::from_micros(1500)] {
        put_frame(store, &key, &tags, frame, ttl).await;
        eventually("it is gone", async || entry(store, &key).await.is_none()).await;
    }
    put_frame(store, &key, &tags, frame, Duration::from_millis(500)).await;
    if let Some(there) = entry(store, &key).await {
        assert!(there.remaining.expect("it has an end") <= Duration::from_millis(500));
    }
}

/// Nothing at all, and five megabytes.
pub async fn a_frame_may_be_empty_or_large(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), names.marks());
    for size in [0, 1, 5 << 20] {
        let frame: Bytes = (0..size).map(|at| (at * 31 % 251) as u8).collect();
        put_frame(store, &key, &marks, &frame, MINUTE).await;
        assert_eq!(entry(store, &key).await.expect("it was put").frame, frame);
    }
}

/// Epochs come in the order of the marks, also where one mark is named twice.
pub async fn a_hundred_marks_are_in_order(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let mut marks: Vec<_> = (0..99).map(|n| names.tag(&n.to_string())).collect();
    marks.push(marks[0].clone());
    let id = stored(store, &key, &marks).await;
    let there = entry(store, &key).await.expect("it was stored");
    assert_eq!((there.id, &*there.epochs), (id, &*present(store, &key, &marks).await));
    assert_eq!(there.epochs[0], there.epochs[99]);
    marks.reverse();
    let reversed: Vec<_> = there.epochs.iter().rev().copied().collect();
    assert_eq!(present(store, &key, &marks).await, reversed);
}

/// A sign of life.
pub async fn a_probe_answers(store: &dyn Backend) {
    store.probe().await.expect("probe");
    assert!(!store.name().is_empty());
}

/// After the end, every call fails at once, with the kind that says why.
pub async fn a_closed_backend_says_so(store: &dyn Backend) {
    let names = Names::random();
    store.close().await;
    let error = store.probe().await.expect_err("it is closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    let read = store.read(Read { key: &names.key("a"), marks: &[], part: Part::Whole }).await;
    assert_eq!(read.expect_err("it is closed").kind(), ErrorKind::Closed);
    store.close().await;
}
