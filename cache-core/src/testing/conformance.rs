//! The contract of a backend as a suite of checks.
//!
//! [`conformance!`](crate::conformance) turns each check into a test of its own; [`run`] goes through all of them.
//! Every check draws its own [`Names`], so that they can share a server, and runs in real time: where something must
//! expire, it waits for that with a bound.
//!
//! ```
//! # async fn example() {
//! use cache_core::{backend::Memory, testing::conformance};
//!
//! conformance::run(async || Memory::new()).await;
//! # }
//! ```

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use tokio::time::{interval, timeout};

use super::Names;
use crate::{
    backend::{Backend, Claim, Fill, FillReply, Found, Invalidate, Late, Lease, LeaseReply, Put, Read, Stored},
    error::ErrorKind,
    key::{EntryKey, Mark},
    token::{EntryId, Epoch, LeaseToken},
};

/// Makes a test of each check. The argument is an expression that is awaited in each test and gives
/// a backend and something that is kept until the test ends, such as the server.
///
/// ```
/// mod memory {
///     use cache_core::backend::Memory;
///
///     cache_core::conformance!(async { (Memory::new(), ()) });
/// }
/// ```
#[macro_export]
macro_rules! conformance {
    ($make:expr) => {
        $crate::conformance! { @list test($make) }
    };
    (@list $how:ident($make:expr)) => {
        $crate::conformance! { @$how($make)
            missing_marks_are_none,
            a_missing_entry_is_none,
            a_lease_sets_fresh_epochs_and_keeps_them,
            a_lease_is_held_by_one_token_until_another_takes_it,
            a_lease_is_granted_again_to_its_own_token,
            a_lease_finds_an_entry_unless_it_was_seen,
            a_taken_lease_looks_at_no_entry,
            a_held_lease_tells_how_long,
            a_fill_needs_its_token_and_ends_the_lease,
            a_fill_stores_what_it_was_given,
            a_fill_without_a_lease_is_refused,
            an_entry_is_rewritten_with_nothing_of_the_old,
            an_entry_expires,
            a_lease_expires_and_its_holder_is_fenced_off,
            an_extended_lease_outlives_its_first_term,
            only_the_holder_extends_a_lease,
            only_the_holder_releases_a_lease,
            a_put_ends_the_lease_and_takes_present_epochs,
            a_put_gives_missing_marks_an_epoch,
            an_invalidation_removes_entry_and_lease,
            an_invalidation_covers_every_version_both_ways,
            an_invalidation_covers_a_version_that_was_only_put,
            more_versions_than_can_be_kept_fail_closed,
            an_invalidated_mark_is_missing_and_comes_back_fresh,
            an_invalidated_tag_takes_the_mark_of_any_tag_with_it,
            an_invalidated_cache_leaves_tags_alone,
            an_invalidation_of_nothing_is_fine,
            a_late_mark_is_stored_with_its_present_epoch,
            a_late_mark_is_refused_after_any_tag_was_invalidated,
            a_late_mark_is_refused_when_any_tag_is_missing,
            times_to_live_may_be_tiny_or_huge,
            a_frame_may_be_empty_or_large,
            ten_thousand_keys_are_invalidated_in_one_call,
            a_hundred_marks_are_in_order,
            racing_leases_are_granted_once,
            a_probe_answers,
            a_closed_backend_says_so,
        }
    };
    (@test($make:expr) $($check:ident,)+) => {
        $(
            #[::tokio::test]
            async fn $check() {
                let (backend, _kept) = $make.await;
                $crate::testing::conformance::$check(&backend).await;
            }
        )+
    };
    (@run($make:expr) $($check:ident,)+) => {
        $( $crate::testing::conformance::$check(&$make.await).await; )+
    };
}

/// Goes through all checks, each on a backend of its own from `make`.
///
/// # Panics
/// At the first sentence of the contract that the backend does not keep.
pub async fn run<B: Backend>(make: impl AsyncFn() -> B) {
    crate::conformance! { @list run(make()) }
}

const MINUTE: Duration = Duration::from_secs(60);
const BLINK: Duration = Duration::from_millis(30);

/// A mark that nobody set has no epoch.
pub async fn missing_marks_are_none(store: &dyn Backend) {
    let names = Names::random();
    let marks = [names.namespace(), names.cache(), names.tag("a")];
    assert_eq!(read(store, &names.key("a"), &marks).await.epochs, [None; 3]);
}

/// An entry that nobody stored is not there.
pub async fn a_missing_entry_is_none(store: &dyn Backend) {
    let found = read(store, &Names::random().key("a"), &[]).await;
    assert!(found.entry.is_none() && found.epochs.is_empty());
}

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
        assert_eq!((entry.id, entry.epochs), (id, epochs));
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
    assert_eq!((there.id, there.frame, there.epochs), (id, frame.clone(), epochs.to_vec()));
    let remaining = there.remaining.expect("it has an end");
    assert!(remaining > MINUTE / 2 && remaining <= MINUTE, "{remaining:?}");
}

/// A missing lease permits nothing.
pub async fn a_fill_without_a_lease_is_refused(store: &dyn Backend) {
    let key = Names::random().key("a");
    assert_eq!(fill(store, &key, LeaseToken::random(), &[]).await, FillReply::Refused);
    assert!(entry(store, &key).await.is_none());
}

/// Bytes, epochs, name and end of the old entry are all gone.
pub async fn an_entry_is_rewritten_with_nothing_of_the_old(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let tags = [names.tag("a"), names.tag("b"), names.tag("c")];
    put_frame(store, &key, &tags, &Bytes::from(vec![1; 1000]), MINUTE).await;
    let id = put_frame(store, &key, &[], &Bytes::from_static(b"new"), 2 * MINUTE).await;

    let there = entry(store, &key).await.expect("it was stored");
    assert_eq!((there.id, there.frame.as_ref()), (id, b"new".as_slice()));
    assert!(there.epochs.is_empty());
    assert!(there.remaining.expect("it has an end") > MINUTE);

    put_frame(store, &key, &[], &Bytes::new(), MINUTE).await;
    let remaining = entry(store, &key).await.and_then(|there| there.remaining);
    assert!(remaining.expect("it has an end") <= MINUTE);
}

/// An entry is a miss after its time, for those who read and for those who want the lease.
pub async fn an_entry_expires(store: &dyn Backend) {
    let names = Names::random();
    let (filled, put) = (names.key("filled"), names.key("put"));
    let token = LeaseToken::random();
    granted(join(store, &filled, token, &[]).await);
    assert_eq!(fill_for(store, &filled, token, BLINK).await, FillReply::Stored);
    put_frame(store, &put, &[], &Bytes::new(), BLINK).await;

    for key in [&filled, &put] {
        eventually("it is gone", async || entry(store, key).await.is_none()).await;
        granted(join(store, key, LeaseToken::random(), &[]).await);
    }
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

/// A load in flight does not overwrite what was put, and the entry is valid as of now.
pub async fn a_put_ends_the_lease_and_takes_present_epochs(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), names.marks());
    let token = LeaseToken::random();
    let epochs = granted(join(store, &key, token, &marks).await);
    let id = put_frame(store, &key, &marks, &Bytes::from_static(b"put"), MINUTE).await;
    assert_eq!(fill(store, &key, token, &epochs).await, FillReply::Refused);
    let there = entry(store, &key).await.expect("it was put");
    assert_eq!((there.id, there.epochs), (id, epochs));
}

/// An entry that is put under unknown marks is valid.
pub async fn a_put_gives_missing_marks_an_epoch(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let marks = [names.namespace(), names.cache(), names.tag("a")];
    put_frame(store, &key, &marks, &Bytes::new(), MINUTE).await;
    let there = entry(store, &key).await.expect("it was put");
    assert_eq!(there.epochs, present(store, &key, &marks).await);
}

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
        let put = Put { key, id: EntryId::random(), marks: &tags, frame, ttl, retain: ttl };
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

/// Epochs come in the order of the marks, also where one mark is named twice.
pub async fn a_hundred_marks_are_in_order(store: &dyn Backend) {
    let names = Names::random();
    let key = names.key("a");
    let mut marks: Vec<_> = (0..99).map(|n| names.tag(&n.to_string())).collect();
    marks.push(marks[0].clone());
    let id = stored(store, &key, &marks).await;
    let there = entry(store, &key).await.expect("it was stored");
    assert_eq!((there.id, &there.epochs), (id, &present(store, &key, &marks).await));
    assert_eq!(there.epochs[0], there.epochs[99]);
    marks.reverse();
    let reversed: Vec<_> = there.epochs.into_iter().rev().collect();
    assert_eq!(present(store, &key, &marks).await, reversed);
}

/// One of many who ask at once is granted the lease.
pub async fn racing_leases_are_granted_once(store: &dyn Backend) {
    let key = Names::random().key("a");
    let asking: Vec<_> = (0..32).map(|_| Box::pin(join(store, &key, LeaseToken::random(), &[]))).collect();
    let replies = all(asking).await;
    let granted = replies.iter().filter(|reply| matches!(reply, LeaseReply::Granted { .. }));
    assert_eq!(granted.count(), 1);
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
    let read = store.read(Read { key: &names.key("a"), marks: &[] }).await;
    assert_eq!(read.expect_err("it is closed").kind(), ErrorKind::Closed);
    store.close().await;
}

async fn read(store: &dyn Backend, key: &EntryKey, marks: &[Mark]) -> Found {
    store.read(Read { key, marks }).await.expect("read")
}

async fn entry(store: &dyn Backend, key: &EntryKey) -> Option<Stored> {
    read(store, key, &[]).await.entry
}

async fn present(store: &dyn Backend, key: &EntryKey, marks: &[Mark]) -> Vec<Epoch> {
    let epochs = read(store, key, marks).await.epochs;
    epochs.into_iter().map(|epoch| epoch.expect("the mark is there")).collect()
}

/// Whether a reader would accept the entry that is there: its epochs are the present ones.
async fn is_valid(store: &dyn Backend, key: &EntryKey, marks: &[Mark]) -> bool {
    let found = read(store, key, marks).await;
    found.entry.is_some_and(|entry| found.epochs == entry.epochs.into_iter().map(Some).collect::<Vec<_>>())
}

async fn join(store: &dyn Backend, key: &EntryKey, token: LeaseToken, marks: &[Mark]) -> LeaseReply {
    ask(store, key, token, Claim::Join { seen: None }, marks).await
}

async fn take(store: &dyn Backend, key: &EntryKey, token: LeaseToken, marks: &[Mark]) -> LeaseReply {
    ask(store, key, token, Claim::Take, marks).await
}

async fn ask(store: &dyn Backend, key: &EntryKey, token: LeaseToken, claim: Claim, marks: &[Mark]) -> LeaseReply {
    let ask = Lease { key, token, ttl: MINUTE, claim, marks, retain: MINUTE };
    store.lease(ask).await.expect("lease")
}

async fn ask_for(store: &dyn Backend, key: &EntryKey, token: LeaseToken, ttl: Duration) -> LeaseReply {
    let claim = Claim::Join { seen: None };
    let ask = Lease { key, token, ttl, claim, marks: &[], retain: MINUTE };
    store.lease(ask).await.expect("lease")
}

fn granted(reply: LeaseReply) -> Vec<Epoch> {
    match reply {
        LeaseReply::Granted { epochs } => epochs,
        other => panic!("the lease was not granted: {other:?}"),
    }
}

fn held(reply: LeaseReply) -> Duration {
    match reply {
        LeaseReply::Held { remaining } => remaining,
        other => panic!("the lease was not held: {other:?}"),
    }
}

fn found(reply: LeaseReply) -> Found {
    match reply {
        LeaseReply::Found(found) => found,
        other => panic!("no entry was found: {other:?}"),
    }
}

async fn extend(store: &dyn Backend, key: &EntryKey, token: LeaseToken, ttl: Duration) -> bool {
    store.extend(key, token, ttl).await.expect("extend")
}

async fn fill(store: &dyn Backend, key: &EntryKey, token: LeaseToken, epochs: &[Epoch]) -> FillReply {
    let (id, frame, ttl) = (EntryId::random(), &Bytes::from_static(b"filled"), MINUTE);
    let fill = Fill { key, token, id, epochs, late: None, frame, ttl };
    store.fill(fill).await.expect("fill")
}

async fn fill_for(store: &dyn Backend, key: &EntryKey, token: LeaseToken, ttl: Duration) -> FillReply {
    let (id, frame) = (EntryId::random(), &Bytes::from_static(b"filled"));
    let fill = Fill { key, token, id, epochs: &[], late: None, frame, ttl };
    store.fill(fill).await.expect("fill")
}

async fn fill_late(
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
async fn stored(store: &dyn Backend, key: &EntryKey, marks: &[Mark]) -> EntryId {
    let (token, id) = (LeaseToken::random(), EntryId::random());
    let epochs = &granted(take(store, key, token, marks).await);
    let frame = &Bytes::from_static(b"stored");
    let fill = Fill { key, token, id, epochs, late: None, frame, ttl: MINUTE };
    assert_eq!(store.fill(fill).await.expect("fill"), FillReply::Stored);
    id
}

async fn put_frame(store: &dyn Backend, key: &EntryKey, marks: &[Mark], frame: &Bytes, ttl: Duration) -> EntryId {
    let id = EntryId::random();
    let put = Put { key, id, marks, frame, ttl, retain: MINUTE };
    store.put(put).await.expect("put");
    id
}

async fn invalidate(store: &dyn Backend, names: &Names, keys: &[EntryKey], marks: &[Mark]) {
    let any_tag = &names.any_tag();
    store.invalidate(Invalidate { keys, marks, any_tag }).await.expect("invalidate");
}

/// Polls `condition` until it holds.
async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let poll = async {
        let mut pace = interval(Duration::from_millis(5));
        while !condition().await {
            pace.tick().await;
        }
    };
    timeout(Duration::from_secs(20), poll).await.unwrap_or_else(|_| panic!("in 20 s: {what}"));
}

/// Runs futures at once and gathers what they return.
async fn all<F: Future + Unpin>(mut running: Vec<F>) -> Vec<F::Output> {
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
