//! Soft expirations: what was stored before is stale, and still there.

use std::slice;

use bytes::Bytes;

use super::steps::{
    BEGINNING, MINUTE, ask, beat, entry, expire, fill, fill_late, found, granted, guard, invalidate, is_guarded,
    messages, present, put_frame, read, stored, take,
};
use crate::{
    backend::{Backend, Claim, FillReply, Guard},
    testing::Names,
    token::LeaseToken,
};

/// It keeps its id, its epochs, its bytes and its time to live.
pub async fn an_expired_entry_is_stale_and_else_as_it_was(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), [names.namespace(), names.tag("a")]);
    stored(store, &key, &marks).await;
    let before = entry(store, &key).await.expect("it was stored");
    assert!(!before.expired);
    for _ in 0..2 {
        expire(store, &names, &[&key], &[]).await;
        let after = entry(store, &key).await.expect("it is still there");
        assert!(after.expired);
        assert_eq!((after.id, after.epochs, after.frame), (before.id, before.epochs.clone(), before.frame.clone()));
        let remaining = after.remaining.expect("it has an end");
        assert!(remaining > MINUTE / 2 && Some(remaining) <= before.remaining, "{remaining:?}");
    }
    let reply = ask(store, &key, LeaseToken::random(), Claim::Join { seen: None }, &marks).await;
    assert!(found(reply).entry.expect("it is found").expired, "a lease says so too");
    expire(store, &names, &[&names.key("missing")], &[]).await;
    assert!(entry(store, &names.key("missing")).await.is_none());
}

/// By a fill and by a put, with nothing of the old.
pub async fn an_expired_entry_that_is_stored_anew_is_fresh(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    stored(store, &key, &[]).await;
    expire(store, &names, &[&key], &[]).await;
    stored(store, &key, &[]).await;
    assert!(!entry(store, &key).await.expect("it was stored").expired);
    expire(store, &names, &[&key], &[]).await;
    put_frame(store, &key, &[], &Bytes::from_static(b"new"), MINUTE).await;
    assert!(!entry(store, &key).await.expect("it was stored").expired);
}

/// What is being loaded may be older than the expiration.
pub async fn an_expiration_ends_leases(store: &dyn Backend) {
    let names = Names::random();
    let (key, token) = (names.key("a"), LeaseToken::random());
    granted(take(store, &key, token, &[]).await);
    expire(store, &names, &[&key], &[]).await;
    assert_eq!(fill(store, &key, token, &[]).await, FillReply::Refused);
}

/// Both ways, during a rolling deploy.
pub async fn an_expiration_covers_every_version(store: &dyn Backend) {
    let names = Names::random();
    let versions = [1, 2].map(|version| names.key_of_version("a", version));
    for by in &versions {
        for key in &versions {
            stored(store, key, &[]).await;
        }
        expire(store, &names, &[by], &[]).await;
        for key in &versions {
            assert!(entry(store, key).await.expect("it is there").expired);
        }
    }
}

/// So what has the earlier one can be told from what was revoked.
pub async fn an_expired_tag_has_a_fresh_epoch_and_remembers_the_one_before(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), [names.cache(), names.tag("a"), names.tag("b")]);
    stored(store, &key, &marks).await;
    let before = present(store, &key, &marks).await;
    assert_eq!(read(store, &key, &marks).await.expired, []);
    expire(store, &names, &[], &[&marks[1]]).await;
    let after = read(store, &key, &marks).await;
    assert_eq!(after.expired, [before[1]]);
    assert_eq!((after.epochs[0], after.epochs[2]), (Some(before[0]), Some(before[2])));
    let fresh = after.epochs[1].expect("the tag is there");
    assert_ne!(fresh, before[1]);
    let stored_then = after.entry.expect("the entry is there");
    assert!(!stored_then.expired, "its tag is, and not it");
    assert_eq!(stored_then.epochs, before);

    for _ in 0..6 {
        let latest = present(store, &key, &marks).await[1];
        expire(store, &names, &[], &[&marks[1]]).await;
        let found = read(store, &key, &marks).await;
        assert_eq!(found.expired[0], latest);
        assert!(found.epochs[1] != Some(latest) && found.expired.len() <= 16, "bounded");
    }
    let again = granted(take(store, &key, LeaseToken::random(), &marks).await);
    assert_eq!(again, present(store, &key, &marks).await, "a load captures the fresh one");
}

/// Revoked is more than expired.
pub async fn an_expired_tag_that_is_invalidated_remembers_nothing(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), [names.tag("a")]);
    stored(store, &key, &marks).await;
    expire(store, &names, &[], &[&marks[0]]).await;
    invalidate(store, &names, &[], &marks).await;
    let gone = read(store, &key, &marks).await;
    assert!(gone.epochs == [None] && gone.expired.is_empty(), "{gone:?}");
    granted(take(store, &key, LeaseToken::random(), &marks).await);
    assert_eq!(read(store, &key, &marks).await.expired, []);
}

/// Absence denies: what was stored under it can't be told from what was revoked.
pub async fn a_missing_tag_can_not_expire(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), [names.tag("a")]);
    expire(store, &names, &[], &[&marks[0]]).await;
    let found = read(store, &key, &marks).await;
    assert!(found.epochs == [None] && found.expired.is_empty(), "{found:?}");
}

/// A loader may have read what the tag stands for before.
pub async fn a_late_mark_is_refused_after_any_tag_expired(store: &dyn Backend) {
    let names = Names::random();
    let (key, token, any_tag) = (names.key("a"), LeaseToken::random(), names.any_tag());
    stored(store, &names.key("b"), &[names.tag("a")]).await;
    let captured = granted(take(store, &key, token, slice::from_ref(&any_tag)).await);
    expire(store, &names, &[], &[&names.tag("a")]).await;
    let late = [names.tag("a")];
    assert_eq!(fill_late(store, &key, token, &[], &late, (&any_tag, captured[0])).await, FillReply::Refused);
}

/// Its epoch was captured before, so it is stale on arrival.
pub async fn a_load_across_an_expired_tag_is_stored_as_stale(store: &dyn Backend) {
    let names = Names::random();
    let (key, token, marks) = (names.key("a"), LeaseToken::random(), [names.tag("a")]);
    let captured = granted(take(store, &key, token, &marks).await);
    expire(store, &names, &[], &[&marks[0]]).await;
    assert_eq!(fill(store, &key, token, &captured).await, FillReply::Stored);
    let found = read(store, &key, &marks).await;
    assert_eq!(found.expired, captured);
    assert_eq!(found.entry.expect("it was stored").epochs, captured);
}

/// A hold-off counts as missing.
pub async fn a_hold_on_a_mark_outlives_expirations(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), [names.tag("a")]);
    stored(store, &key, &marks).await;
    guard(store, &names, &[], &[&marks[0]], Guard::Hold { ttl: MINUTE }).await;
    expire(store, &names, &[], &[&marks[0]]).await;
    assert_eq!(read(store, &key, &marks).await.epochs, [None]);
    assert!(is_guarded(store, &key, &marks).await);
}

/// In one message, by the names of entries in every version, and of tags.
pub async fn an_expiration_is_announced_as_such(store: &dyn Backend) {
    let names = Names::random();
    let (key, other, tag) = (names.key("a"), names.key_of_version("a", 2), names.tag("t"));
    stored(store, &key, &[]).await;
    stored(store, &other, &[]).await;
    let end = expire(store, &names, &[&key], &[&tag]).await;
    let all = messages(store, &names, BEGINNING).await;
    assert!(all.iter().all(|message| message.revoked.is_empty()));
    let mut expired: Vec<_> = all.iter().flat_map(|message| message.expired.clone()).collect();
    expired.sort();
    let mut expected = [key.entry(1), other.entry(2), tag.name().to_owned()];
    expected.sort();
    assert_eq!(expired, expected);
    assert_eq!(beat(store, &names).await.end, end);
}

/// It takes no message.
pub async fn an_expiration_of_nothing_is_fine(store: &dyn Backend) {
    let names = Names::random();
    assert_eq!(expire(store, &names, &[], &[]).await, None);
    assert_eq!(messages(store, &names, BEGINNING).await, []);
}

/// However many calls that takes.
pub async fn a_thousand_keys_expire_in_one_call(store: &dyn Backend) {
    let names = Names::random();
    let keys: Vec<_> = (0..1_000).map(|n| names.key(&n.to_string())).collect();
    let mut ids = Vec::new();
    for at in [0, 244, 245, 500, 999] {
        ids.push((at, stored(store, &keys[at], &[]).await));
    }
    let all: Vec<_> = keys.iter().collect();
    expire(store, &names, &all, &[&names.tag("t")]).await;
    for (at, id) in ids {
        let entry = entry(store, &keys[at]).await.expect("it is there");
        assert!(entry.expired && entry.id == id, "{at}");
    }
}
