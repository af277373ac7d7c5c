//! Fills: only with the token, and only if no mark changed.

use bytes::Bytes;

use super::steps::{MINUTE, entry, extend, fill, fill_late, granted, invalidate, join, present, take};
use crate::{
    backend::{Backend, Fill, FillReply},
    testing::Names,
    token::{EntryId, Epoch, LeaseToken},
};

/// One fill for one lease.
pub async fn a_fill_needs_its_token_and_ends_the_lease(store: &dyn Backend) {
    let key = Names::random().key("a");
    let token = LeaseToken::random();
    granted(join(store, &key, token, &[]).await);
    assert_eq!(fill(store, &key, LeaseToken::random(), &[]).await, FillReply::Refused);
    assert!(entry(store, &key).await.is_none());
    assert_eq!(fill(store, &key, token, &[]).await, FillReply::Stored);
    assert_eq!(fill(store, &key, token, &[]).await, FillReply::Refused);
    assert!(!extend(store, &key, token, MINUTE).await);
}

/// What is read is what was stored: name, epochs in order, bytes, and an end that is not later.
pub async fn a_fill_stores_what_it_was_given(store: &dyn Backend) {
    let key = Names::random().key("a");
    let (token, id) = (LeaseToken::random(), EntryId::random());
    let epochs = [Epoch::random(), Epoch::random()];
    let frame = Bytes::from((0..=255).collect::<Vec<u8>>());
    granted(join(store, &key, token, &[]).await);
    let (key, frame, ttl, late) = (&key, &frame, MINUTE, None);
    let reply = store.fill(Fill { key, token, id, epochs: &epochs, late, frame, ttl }).await;
    assert_eq!(reply.expect("fill"), FillReply::Stored);

    let there = entry(store, key).await.expect("it was stored");
    assert_eq!((there.id, &there.frame, &*there.epochs), (id, frame, &epochs[..]));
    let remaining = there.remaining.expect("it has an end");
    assert!(remaining > MINUTE / 2 && remaining <= MINUTE, "{remaining:?}");
}

/// A missing lease permits nothing.
pub async fn a_fill_without_a_lease_is_refused(store: &dyn Backend) {
    let key = Names::random().key("a");
    assert_eq!(fill(store, &key, LeaseToken::random(), &[]).await, FillReply::Refused);
    assert!(entry(store, &key).await.is_none());
}

/// A tag that the loader named is as good as one that was known.
pub async fn a_late_mark_is_stored_with_its_present_epoch(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let late = [names.tag("known"), names.tag("new")];
    granted(join(store, &names.key("b"), LeaseToken::random(), &late[..1]).await);
    let known = present(store, &key, &late[..1]).await[0];

    let marks = [names.namespace(), names.any_tag()];
    let token = LeaseToken::random();
    let captured = granted(join(store, &key, token, &marks).await);
    let unchanged = (&marks[1], captured[1]);
    let reply = fill_late(store, &key, token, &captured[..1], &late, unchanged).await;
    assert_eq!(reply, FillReply::Stored);

    let epochs = entry(store, &key).await.expect("it was stored").epochs;
    assert_eq!(epochs[..2], [captured[0], known]);
    assert_eq!(epochs[1..], present(store, &key, &late).await);
}

/// Whichever tag it was, and whether or not somebody gave it an epoch since.
pub async fn a_late_mark_is_refused_after_any_tag_was_invalidated(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let late = [names.tag("late")];
    let marks = [names.any_tag()];
    for invalidated in ["late", "other"] {
        let token = LeaseToken::random();
        let captured = granted(take(store, &key, token, &marks).await);
        invalidate(store, &names, &[], &[names.tag(invalidated)]).await;
        granted(take(store, &names.key("b"), token, &[&marks[..], &late[..]].concat()).await);
        let reply = fill_late(store, &key, token, &[], &late, (&marks[0], captured[0])).await;
        assert_eq!(reply, FillReply::Refused);
        assert!(entry(store, &key).await.is_none());
        assert!(!extend(store, &key, token, MINUTE).await, "the lease ended with the refusal");
    }
}

/// A lost mark is unknown, not unchanged.
pub async fn a_late_mark_is_refused_when_any_tag_is_missing(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let any_tag = names.any_tag();
    let token = LeaseToken::random();
    granted(join(store, &key, token, &[]).await);
    let unchanged = (&any_tag, Epoch::random());
    let reply = fill_late(store, &key, token, &[], &[names.tag("a")], unchanged).await;
    assert_eq!(reply, FillReply::Refused);
}
