//! Leases: one holder, until another takes over.

use std::collections::HashSet;

use bytes::Bytes;

use super::steps::{
    BLINK, MINUTE, all, ask, ask_for, entry, eventually, extend, fill, found, granted, held, join, present, put_frame,
    stored, take,
};
use crate::{
    backend::{Backend, Claim, FillReply, LeaseReply},
    testing::Names,
    token::{EntryId, LeaseToken},
};

/// A lease gives every mark an epoch of its own, which the next one finds again.
pub async fn a_lease_sets_fresh_epochs_and_keeps_them(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let marks = [names.namespace(), names.cache(), names.tag("a"), names.any_tag()];
    let epochs = granted(join(store, &key, LeaseToken::random(), &marks).await);
    assert_eq!(epochs.iter().collect::<HashSet<_>>().len(), 4, "each has its own");
    assert_eq!(present(store, &key, &marks).await, epochs);
    let again = granted(take(store, &key, LeaseToken::random(), &marks).await);
    assert_eq!(again, epochs);
}

/// The lease belongs to one token, unless another one takes it; then the first is fenced off.
pub async fn a_lease_is_held_by_one_token_until_another_takes_it(store: &dyn Backend) {
    let key = Names::random().key("a");
    let (first, second) = (LeaseToken::random(), LeaseToken::random());
    granted(join(store, &key, first, &[]).await);
    held(join(store, &key, second, &[]).await);
    granted(take(store, &key, second, &[]).await);
    assert_eq!(fill(store, &key, first, &[]).await, FillReply::Refused);
    assert_eq!(fill(store, &key, second, &[]).await, FillReply::Stored);
}

/// Who holds the lease is not told that another one does.
pub async fn a_lease_is_granted_again_to_its_own_token(store: &dyn Backend) {
    let key = Names::random().key("a");
    let token = LeaseToken::random();
    granted(join(store, &key, token, &[]).await);
    granted(join(store, &key, token, &[]).await);
    assert_eq!(fill(store, &key, token, &[]).await, FillReply::Stored);
}

/// A lease that meets an entry returns it, unless the caller says that it knows it already.
pub async fn a_lease_finds_an_entry_unless_it_was_seen(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), names.marks());
    let id = stored(store, &key, &marks).await;

    for seen in [None, Some(EntryId::random())] {
        let found = found(ask(store, &key, LeaseToken::random(), Claim::Join { seen }, &marks).await);
        let epochs: Vec<_> = found.epochs.iter().map(|epoch| epoch.expect("it was set")).collect();
        let entry = found.entry.expect("it is there");
        assert_eq!((entry.id, &*entry.epochs), (id, &*epochs));
        assert!(entry.remaining.expect("it has an end") <= MINUTE);
    }
    let token = LeaseToken::random();
    assert!(!extend(store, &key, token, MINUTE).await, "no lease was given with an entry");
    granted(ask(store, &key, token, Claim::Join { seen: Some(id) }, &marks).await);
    assert!(entry(store, &key).await.is_some(), "the entry stays while it is loaded anew");
}

/// A forced refresh is granted although an entry is there that the caller never saw.
pub async fn a_taken_lease_looks_at_no_entry(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), names.marks());
    stored(store, &key, &marks).await;
    let epochs = granted(take(store, &key, LeaseToken::random(), &marks).await);
    assert_eq!(entry(store, &key).await.expect("it stays").epochs, epochs);
}

/// Those who have to wait are told for how long at most.
pub async fn a_held_lease_tells_how_long(store: &dyn Backend) {
    let key = Names::random().key("a");
    granted(join(store, &key, LeaseToken::random(), &[]).await);
    let remaining = held(join(store, &key, LeaseToken::random(), &[]).await);
    assert!(remaining > MINUTE / 2 && remaining <= MINUTE, "{remaining:?}");
}

/// Who let the lease run out can't store any more; the next one can.
pub async fn a_lease_expires_and_its_holder_is_fenced_off(store: &dyn Backend) {
    let key = Names::random().key("a");
    let (first, second) = (LeaseToken::random(), LeaseToken::random());
    granted(ask_for(store, &key, first, BLINK).await);
    eventually("the second is granted it", async || {
        matches!(join(store, &key, second, &[]).await, LeaseReply::Granted { .. })
    })
    .await;
    assert_eq!(fill(store, &key, first, &[]).await, FillReply::Refused);
    assert!(entry(store, &key).await.is_none());
    assert_eq!(fill(store, &key, second, &[]).await, FillReply::Stored);
}

/// The new term counts from the moment of the extension.
pub async fn an_extended_lease_outlives_its_first_term(store: &dyn Backend) {
    let key = Names::random().key("a");
    let token = LeaseToken::random();
    granted(ask_for(store, &key, token, MINUTE / 2).await);
    assert!(extend(store, &key, token, 10 * MINUTE).await);
    assert!(held(join(store, &key, LeaseToken::random(), &[]).await) > MINUTE);
    assert!(extend(store, &key, token, MINUTE).await, "it may be shortened too");
    assert!(held(join(store, &key, LeaseToken::random(), &[]).await) <= MINUTE);
}

/// Others can't, and nobody can once there is no lease.
pub async fn only_the_holder_extends_a_lease(store: &dyn Backend) {
    let key = Names::random().key("a");
    let (token, other) = (LeaseToken::random(), LeaseToken::random());
    assert!(!extend(store, &key, token, MINUTE).await);
    granted(join(store, &key, token, &[]).await);
    assert!(!extend(store, &key, other, 10 * MINUTE).await);
    assert!(held(join(store, &key, other, &[]).await) <= MINUTE);
}

/// Others can't; the holder's release lets the next one in and leaves an entry alone.
pub async fn only_the_holder_releases_a_lease(store: &dyn Backend) {
    let key = Names::random().key("a");
    let (token, other) = (LeaseToken::random(), LeaseToken::random());
    let id = put_frame(store, &key, &[], &Bytes::new(), MINUTE).await;
    granted(take(store, &key, token, &[]).await);
    store.release(&key, other).await.expect("release");
    assert!(extend(store, &key, token, MINUTE).await);
    store.release(&key, token).await.expect("release");
    assert!(!extend(store, &key, token, MINUTE).await);
    assert_eq!(entry(store, &key).await.expect("it stays").id, id);
}

/// One of many who ask at once is granted the lease.
pub async fn racing_leases_are_granted_once(store: &dyn Backend) {
    let key = Names::random().key("a");
    let asking: Vec<_> = (0..32).map(|_| Box::pin(join(store, &key, LeaseToken::random(), &[]))).collect();
    let replies = all(asking).await;
    let granted = replies.iter().filter(|reply| matches!(reply, LeaseReply::Granted { .. }));
    assert_eq!(granted.count(), 1);
}
