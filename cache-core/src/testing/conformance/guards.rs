//! Guards and hold-offs: while they last, nothing is cached.

use super::steps::{
    BEGINNING, BLINK, MINUTE, entry, eventually, fill, fill_late, granted, guard, invalidate, is_guarded, join,
    messages, put_reply, read, stored, take,
};
use crate::{
    backend::{Backend, FillReply, Guard},
    testing::Names,
    token::LeaseToken,
};

/// From the moment at which it is open until it is closed, and in the same step as the invalidation.
pub async fn a_guard_denies_until_it_is_closed(store: &dyn Backend) {
    let names = Names::random();
    let (key, lease, token) = (names.key("a"), LeaseToken::random(), LeaseToken::random());
    stored(store, &key, &[]).await;
    granted(take(store, &key, lease, &[]).await);
    guard(store, &names, &[&key], &[], Guard::Open { token, ttl: MINUTE }).await;
    assert!(entry(store, &key).await.is_none());
    assert_eq!(fill(store, &key, lease, &[]).await, FillReply::Refused);
    assert!(is_guarded(store, &key, &[]).await);
    assert_eq!(put_reply(store, &names, &key, &[]).await, FillReply::Refused);
    assert!(entry(store, &key).await.is_none());
    assert!(!is_guarded(store, &names.key("b"), &[]).await, "of other keys it says nothing");

    guard(store, &names, &[&key], &[], Guard::Close { token }).await;
    assert_eq!(put_reply(store, &names, &key, &[]).await, FillReply::Stored);
    assert!(!is_guarded(store, &key, &[]).await);
    stored(store, &key, &[]).await;
}

/// Opening and closing remove what is there, and say so; a refused put says nothing.
pub async fn a_guard_is_announced_as_what_it_removes(store: &dyn Backend) {
    let names = Names::random();
    let (key, token) = (names.key("a"), LeaseToken::random());
    guard(store, &names, &[&key], &[], Guard::Open { token, ttl: MINUTE }).await;
    put_reply(store, &names, &key, &[]).await;
    guard(store, &names, &[&key], &[], Guard::Close { token }).await;
    let all = messages(store, &names, BEGINNING).await;
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|message| message.revoked == [key.entry(1)]));
}

/// Two transactions write the same row: the first that ends does not speak for the other.
pub async fn closing_one_guard_leaves_the_other(store: &dyn Backend) {
    let names = Names::random();
    let (key, tokens) = (names.key("a"), [LeaseToken::random(), LeaseToken::random()]);
    for token in tokens {
        guard(store, &names, &[&key], &[], Guard::Open { token, ttl: MINUTE }).await;
    }
    guard(store, &names, &[&key], &[], Guard::Close { token: LeaseToken::random() }).await;
    guard(store, &names, &[&key], &[], Guard::Close { token: tokens[1] }).await;
    assert!(is_guarded(store, &key, &[]).await);
    guard(store, &names, &[&key], &[], Guard::Close { token: tokens[0] }).await;
    assert!(!is_guarded(store, &key, &[]).await);
}

/// A process that died closes nothing.
pub async fn a_guard_expires(store: &dyn Backend) {
    let names = Names::random();
    let (key, token) = (names.key("a"), LeaseToken::random());
    guard(store, &names, &[&key], &[], Guard::Open { token, ttl: BLINK }).await;
    eventually("the guard is over", async || !is_guarded(store, &key, &[]).await).await;
}

/// Each guard has an end of its own, and opening one again moves it.
pub async fn a_guard_is_prolonged_by_opening_it_again(store: &dyn Backend) {
    let names = Names::random();
    let (key, short, long) = (names.key("a"), LeaseToken::random(), LeaseToken::random());
    guard(store, &names, &[&key], &[], Guard::Open { token: long, ttl: BLINK }).await;
    guard(store, &names, &[&key], &[], Guard::Open { token: long, ttl: MINUTE }).await;
    guard(store, &names, &[&key], &[], Guard::Open { token: short, ttl: BLINK }).await;
    // When a guard of as short a life on another key is over, the short one is.
    let other = names.key("b");
    guard(store, &names, &[&other], &[], Guard::Open { token: short, ttl: BLINK }).await;
    eventually("the short one is over", async || !is_guarded(store, &other, &[]).await).await;
    assert!(is_guarded(store, &key, &[]).await);
    guard(store, &names, &[&key], &[], Guard::Close { token: long }).await;
    assert!(!is_guarded(store, &key, &[]).await);
}

/// A hold-off on a key is a guard that nobody closes.
pub async fn a_hold_on_a_key_outlives_invalidations(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    guard(store, &names, &[&key], &[], Guard::Hold { ttl: MINUTE }).await;
    invalidate(store, &names, std::slice::from_ref(&key), &[names.cache()]).await;
    guard(store, &names, &[&key], &[], Guard::Close { token: LeaseToken::random() }).await;
    assert!(is_guarded(store, &key, &[]).await);
    let other = names.key("b");
    guard(store, &names, &[&other], &[], Guard::Hold { ttl: BLINK }).await;
    eventually("it ends by itself", async || !is_guarded(store, &other, &[]).await).await;
}

/// While a mark is held, it is missing, and whoever has it is denied. No invalidation ends that.
pub async fn a_hold_on_a_mark_outlives_invalidations(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    // The cache's last: what has it is denied whatever else it has.
    for mark in [names.namespace(), names.tag("a"), names.cache()] {
        let marks = [mark];
        stored(store, &key, &marks).await;
        guard(store, &names, &[], &[&marks[0]], Guard::Hold { ttl: MINUTE }).await;
        for _ in 0..2 {
            assert_eq!(read(store, &key, &marks).await.epochs, [None]);
            assert!(is_guarded(store, &key, &marks).await);
            assert_eq!(put_reply(store, &names, &key, &marks).await, FillReply::Refused);
            invalidate(store, &names, &[], &marks).await;
            // A shorter one shortens nothing.
            guard(store, &names, &[], &[&marks[0]], Guard::Hold { ttl: BLINK / 30 }).await;
        }
    }
    assert!(is_guarded(store, &key, &[]).await, "the mark of the cache counts, whether or not it is named");
}

/// Then the mark comes back fresh.
pub async fn a_hold_on_a_mark_ends_by_itself(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), [names.cache(), names.tag("a")]);
    stored(store, &key, &marks).await;
    guard(store, &names, &[], &[&marks[0], &marks[1]], Guard::Hold { ttl: BLINK }).await;
    eventually("it is over", async || !is_guarded(store, &key, &marks).await).await;
    stored(store, &key, &marks).await;
    assert!(super::steps::is_valid(store, &key, &marks).await);
}

/// A guard that is opened with marks leaves them to be made anew.
pub async fn a_guard_does_not_hold_marks(store: &dyn Backend) {
    let names = Names::random();
    let (key, other, tag) = (names.key("a"), names.key("b"), names.tag("a"));
    let token = LeaseToken::random();
    guard(store, &names, &[&key], &[&tag], Guard::Open { token, ttl: MINUTE }).await;
    stored(store, &other, &[tag]).await;
    assert!(is_guarded(store, &key, &[]).await);
}

/// A tag that the loader named and that is held.
pub async fn a_late_mark_is_refused_while_it_is_held(store: &dyn Backend) {
    let names = Names::random();
    let (key, any, late) = (names.key("a"), [names.any_tag()], [names.tag("a")]);
    guard(store, &names, &[], &[&late[0]], Guard::Hold { ttl: MINUTE }).await;
    let token = LeaseToken::random();
    let captured = granted(join(store, &key, token, &any).await);
    assert_eq!(fill_late(store, &key, token, &[], &late, (&any[0], captured[0])).await, FillReply::Refused);
    assert!(entry(store, &key).await.is_none());
    assert_eq!(read(store, &key, &late).await.epochs, [None]);
}

/// During a rolling deploy, the other version's loads are as old as one's own.
pub async fn a_guard_covers_other_versions(store: &dyn Backend) {
    let names = Names::random();
    let (own, other) = (names.key_of_version("a", 1), names.key_of_version("a", 2));
    let (lease, token) = (LeaseToken::random(), LeaseToken::random());
    stored(store, &other, &names.marks()).await;
    granted(take(store, &other, lease, &names.marks()).await);
    guard(store, &names, &[&own], &[], Guard::Open { token, ttl: MINUTE }).await;
    assert!(entry(store, &other).await.is_none());
    assert_eq!(fill(store, &other, lease, &[]).await, FillReply::Refused);
    assert!(is_guarded(store, &other, &names.marks()).await);
    assert_eq!(put_reply(store, &names, &other, &[]).await, FillReply::Refused);
    // Either side closes it.
    guard(store, &names, &[&other], &[], Guard::Close { token }).await;
    assert!(!is_guarded(store, &own, &names.marks()).await);
}

/// A lease outlived the mark with which its version was registered.
pub async fn a_guard_denies_versions_that_are_not_registered(store: &dyn Backend) {
    let names = Names::random();
    let (own, other) = (names.key_of_version("a", 1), names.key_of_version("a", 2));
    let (lease, token) = (LeaseToken::random(), LeaseToken::random());
    granted(take(store, &other, lease, &[]).await);
    invalidate(store, &names, &[], &[names.cache()]).await;
    guard(store, &names, &[&own], &[], Guard::Open { token, ttl: MINUTE }).await;
    assert_eq!(fill(store, &other, lease, &[]).await, FillReply::Refused);
    assert!(entry(store, &other).await.is_none());
}

/// A guard on each of a thousand keys, at once.
pub async fn a_thousand_keys_are_guarded_in_one_call(store: &dyn Backend) {
    let names = Names::random();
    let keys: Vec<_> = (0..1_000).map(|n| names.key(&n.to_string())).collect();
    let (all, token) = (keys.iter().collect::<Vec<_>>(), LeaseToken::random());
    guard(store, &names, &all, &[], Guard::Open { token, ttl: MINUTE }).await;
    for at in [0, 121, 122, 123, 500, 999] {
        assert!(is_guarded(store, &keys[at], &[]).await, "{at}");
    }
    guard(store, &names, &all, &[], Guard::Close { token }).await;
    for at in [0, 121, 122, 123, 500, 999] {
        assert_eq!(put_reply(store, &names, &keys[at], &[]).await, FillReply::Stored, "{at}");
    }
}
