//! Invalidations: nothing survives them, in any version.

use bytes::Bytes;

use super::steps::{MINUTE, entry, fill, granted, invalidate, is_valid, join, present, put_frame, read, stored, take};
use crate::{
    backend::{Backend, FillReply},
    testing::Names,
    token::LeaseToken,
};

/// Neither the entry nor the right to store one survives, and other keys are left alone.
pub async fn an_invalidation_removes_entry_and_lease(store: &dyn Backend) {
    let names = Names::random();
    let (key, other) = (names.key("a"), names.key("b"));
    let (token, others) = (LeaseToken::random(), LeaseToken::random());
    for (key, token) in [(&key, token), (&other, others)] {
        put_frame(store, key, &[], &Bytes::new(), MINUTE).await;
        granted(take(store, key, token, &[]).await);
    }
    invalidate(store, &names, std::slice::from_ref(&key), &[]).await;
    assert!(entry(store, &key).await.is_none());
    assert_eq!(fill(store, &key, token, &[]).await, FillReply::Refused);
    assert!(entry(store, &other).await.is_some());
    assert_eq!(fill(store, &other, others, &[]).await, FillReply::Stored);
}

/// During a rolling deploy, either side invalidates for both.
pub async fn an_invalidation_covers_every_version_both_ways(store: &dyn Backend) {
    for invalidator in [1, 2] {
        let names = Names::random();
        let keys = [1, 2].map(|version| names.key_of_version("a", version));
        let mut tokens = Vec::new();
        for key in &keys {
            stored(store, key, &names.marks()).await;
            let token = LeaseToken::random();
            granted(take(store, key, token, &names.marks()).await);
            tokens.push(token);
        }
        assert!(entry(store, &keys[0]).await.is_some(), "versions live side by side");
        invalidate(store, &names, &[names.key_of_version("a", invalidator)], &[]).await;
        for (key, token) in keys.iter().zip(tokens) {
            assert!(entry(store, key).await.is_none(), "by {invalidator}: {key:?}");
            assert_eq!(fill(store, key, token, &[]).await, FillReply::Refused);
        }
    }
}

/// A version that never asked for a lease is registered all the same.
pub async fn an_invalidation_covers_a_version_that_was_only_put(store: &dyn Backend) {
    let names = Names::random();
    let (old, new) = (names.key_of_version("a", 1), names.key_of_version("a", u32::MAX));
    put_frame(store, &new, &names.marks(), &Bytes::new(), MINUTE).await;
    invalidate(store, &names, &[old], &[]).await;
    assert!(entry(store, &new).await.is_none());
}

/// However many versions there were, no entry stays valid that an invalidation did not reach.
pub async fn more_versions_than_can_be_kept_fail_closed(store: &dyn Backend) {
    let names = Names::random();
    let keys: Vec<_> = (1..=40).map(|version| names.key_of_version("a", version)).collect();
    for key in &keys {
        stored(store, key, &names.marks()).await;
    }
    assert!(is_valid(store, &keys[39], &names.marks()).await, "the latest can be used");
    invalidate(store, &names, &keys[39..], &[]).await;
    for key in &keys {
        assert!(!is_valid(store, key, &names.marks()).await, "{key:?}");
    }
}

/// What was stored under a mark is dead once the mark is removed, and stays dead.
pub async fn an_invalidated_mark_is_missing_and_comes_back_fresh(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let marks = [names.namespace(), names.cache(), names.tag("a")];
    for (at, mark) in marks.iter().enumerate() {
        let token = LeaseToken::random();
        let before = granted(take(store, &key, token, &marks).await);
        invalidate(store, &names, &[], std::slice::from_ref(mark)).await;
        assert_eq!(read(store, &key, &marks).await.epochs[at], None);
        // A load that began before is dead on arrival.
        assert_eq!(fill(store, &key, token, &before).await, FillReply::Stored);
        let after = granted(take(store, &key, LeaseToken::random(), &marks).await);
        for (other, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before == after, other != at, "only the one that was removed is new");
        }
        assert!(!is_valid(store, &key, &marks).await);
    }
}

/// Loads whose tags nobody knows yet learn that there was one.
pub async fn an_invalidated_tag_takes_the_mark_of_any_tag_with_it(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let marks = [names.any_tag()];
    granted(join(store, &key, LeaseToken::random(), &marks).await);
    invalidate(store, &names, &[], &[names.tag("never used")]).await;
    assert_eq!(read(store, &key, &marks).await.epochs, [None]);
}

/// Tags have nothing to do with an invalidation of keys, of a cache, or of the namespace.
pub async fn an_invalidated_cache_leaves_tags_alone(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let tags = [names.tag("a"), names.any_tag()];
    let before = granted(join(store, &key, LeaseToken::random(), &tags).await);
    invalidate(store, &names, std::slice::from_ref(&key), &names.marks()).await;
    assert_eq!(present(store, &key, &tags).await, before);
}

/// Keys and marks that are not there need no removing.
pub async fn an_invalidation_of_nothing_is_fine(store: &dyn Backend) {
    let names = Names::random();
    invalidate(store, &names, &[], &[]).await;
    invalidate(store, &names, &[names.key("a")], &[names.tag("a"), names.cache()]).await;
}

/// A batch has no limit that a caller must know.
pub async fn ten_thousand_keys_are_invalidated_in_one_call(store: &dyn Backend) {
    let names = Names::random();
    let keys: Vec<_> = (0..10_000).map(|n| names.key(&n.to_string())).collect();
    let marks: Vec<_> = (0..2_000).map(|n| names.tag(&n.to_string())).collect();
    let sample = [0, 1, 249, 250, 4_999, 9_998, 9_999];
    for at in sample {
        put_frame(store, &keys[at], &marks[at % 2_000..][..1], &Bytes::new(), MINUTE).await;
        stored(store, &names.key_of_version(&at.to_string(), 2), &names.marks()).await;
    }
    invalidate(store, &names, &keys, &marks).await;
    for at in sample {
        let found = read(store, &keys[at], &marks[at % 2_000..][..1]).await;
        assert!(found.entry.is_none() && found.epochs == [None], "{at}");
        let other = names.key_of_version(&at.to_string(), 2);
        assert!(entry(store, &other).await.is_none(), "{at}");
    }
}
