//! The log: every invalidation is a message, in the order in which they took effect.

use std::time::Duration;

use super::steps::{
    BEGINNING, BLINK, MINUTE, all as all_of, attach, beat, follow, granted, invalidate, messages, present, put_in,
    read, stored, take,
};
use crate::{
    backend::{Attach, Backend, Follow, Invalidate},
    clock,
    error::ErrorKind,
    testing::Names,
    token::{LeaseToken, ProcessId},
};

/// A message names what was removed, who removed it, and the message before it.
pub async fn an_invalidation_appends_its_names_after_the_message_before(store: &dyn Backend) {
    let names = Names::random();
    let (log, any_tag, from) = (&names.log(), &names.any_tag(), ProcessId::random());
    let (keys, marks) = ([names.key("a"), names.key("b")], [names.tag("a"), names.cache(), names.namespace()]);
    let mut positions = vec![BEGINNING];
    for _ in 0..2 {
        let what = Invalidate { keys: &keys, marks: &marks, any_tag, guard: None, log, from };
        positions.push(store.invalidate(what).await.expect("invalidate").expect("there was something to do"));
    }
    let all = messages(store, &names, BEGINNING).await;
    assert_eq!(all.len(), 2);
    let revoked: Vec<_> = keys.iter().map(|key| key.entry(1)).chain(marks.map(|mark| mark.name().to_owned())).collect();
    for (at, message) in all.iter().enumerate() {
        assert_eq!((message.after, message.position), (Some(positions[at]), positions[at + 1]));
        assert_eq!((message.from, &message.revoked), (Some(from), &revoked));
    }
    assert!(all[0].position < all[1].position);
}

/// Nothing was removed: nothing is said.
pub async fn an_invalidation_of_nothing_appends_nothing(store: &dyn Backend) {
    let names = Names::random();
    assert_eq!(invalidate(store, &names, &[], &[]).await, None);
    assert!(messages(store, &names, BEGINNING).await.is_empty());
}

/// Processes that keep the key in another version are told of that one.
pub async fn every_version_that_was_removed_is_announced(store: &dyn Backend) {
    let names = Names::random();
    let (own, other) = (names.key_of_version("a", 1), names.key_of_version("a", 2));
    stored(store, &own, &names.marks()).await;
    stored(store, &other, &names.marks()).await;
    let end = invalidate(store, &names, std::slice::from_ref(&own), &[]).await;
    let all = messages(store, &names, BEGINNING).await;
    let revoked: Vec<_> = all.iter().flat_map(|message| message.revoked.clone()).collect();
    assert_eq!(revoked, [own.entry(1), own.entry(2)]);
    assert_eq!(all.last().map(|message| message.position), end, "the last of the messages");
}

/// However many messages a batch takes, each goes after the one before.
pub async fn a_large_batch_is_announced_in_full(store: &dyn Backend) {
    let names = Names::random();
    let keys: Vec<_> = (0..2_000).map(|n| names.key(&n.to_string())).collect();
    let end = invalidate(store, &names, &keys, &[]).await;
    let all = messages(store, &names, BEGINNING).await;
    let mut last = BEGINNING;
    for message in &all {
        assert_eq!(message.after, Some(last));
        last = message.position;
    }
    assert_eq!(Some(last), end);
    let revoked: Vec<_> = all.into_iter().flat_map(|message| message.revoked).collect();
    assert_eq!(revoked, keys.iter().map(|key| key.entry(1)).collect::<Vec<_>>());
}

/// What was there is not there any more: that is as good as an invalidation.
pub async fn a_put_announces_its_entry(store: &dyn Backend) {
    let names = Names::random();
    let (key, from) = (names.key("a"), ProcessId::random());
    put_in(store, &names, &key, from).await;
    let all = messages(store, &names, BEGINNING).await;
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].from, &all[0].revoked), (Some(from), &vec![key.entry(1)]));
}

/// A load makes nothing wrong that was right.
pub async fn a_fill_announces_nothing(store: &dyn Backend) {
    let names = Names::random();
    stored(store, &names.key("a"), &names.marks()).await;
    assert!(messages(store, &names, BEGINNING).await.is_empty());
    assert_eq!(beat(store, &names).await.end, None);
}

/// The next ones, oldest first, and no more than were asked for.
pub async fn following_gives_what_came_after_a_position(store: &dyn Backend) {
    let names = Names::random();
    for n in 0..10 {
        invalidate(store, &names, &[names.key(&n.to_string())], &[]).await;
    }
    let all = messages(store, &names, BEGINNING).await;
    assert_eq!(all.len(), 10);
    for (at, message) in all.iter().enumerate() {
        assert_eq!(message.revoked, [names.key(&at.to_string()).entry(1)]);
        assert_eq!(messages(store, &names, message.position).await, all[at + 1..]);
        let some = follow(store, &names, message.position, Duration::ZERO, 3).await;
        assert_eq!(some, all[at + 1..10.min(at + 4)]);
    }
}

/// Who waits gets the message when it comes, and meanwhile others are served.
pub async fn following_waits_for_a_message(store: &dyn Backend) {
    let names = Names::random();
    let mut last = invalidate(store, &names, &[names.key("a")], &[]).await.expect("a message");
    for _ in 0..3 {
        let (found, end) = tokio::join!(follow(store, &names, last, 10 * MINUTE, 100), async {
            read(store, &names.key("a"), &names.marks()).await;
            invalidate(store, &names, &[names.key("b")], &[]).await
        });
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].after, Some(found[0].position)), (Some(last), end));
        last = found[0].position;
    }
}

/// With a wait or without, the answer comes in time.
pub async fn following_ends_when_its_time_is_over(store: &dyn Backend) {
    let names = Names::random();
    let end = invalidate(store, &names, &[names.key("a")], &[]).await.expect("a message");
    let begin = clock::now();
    assert!(follow(store, &names, end, Duration::ZERO, 100).await.is_empty());
    assert!(follow(store, &names, end, BLINK, 100).await.is_empty());
    assert!(begin.elapsed() >= BLINK);
}

/// A wait that nobody is interested in any more changes nothing for the next one.
pub async fn a_dropped_wait_leaves_the_next_one_alone(store: &dyn Backend) {
    let names = Names::random();
    let end = invalidate(store, &names, &[names.key("a")], &[]).await.expect("a message");
    for _ in 0..3 {
        let wait = follow(store, &names, end, 10 * MINUTE, 100);
        assert!(tokio::time::timeout(BLINK, wait).await.is_err());
    }
    let other = Names::random();
    invalidate(store, &other, &[other.key("a")], &[]).await;
    let found = follow(store, &other, BEGINNING, MINUTE, 100).await;
    assert_eq!(found[0].revoked, [other.key("a").entry(1)]);
}

/// The end ends it.
pub async fn a_wait_ends_when_the_backend_is_closed(store: &dyn Backend) {
    let log = &Names::random().log();
    let ask = Follow { log, after: BEGINNING, wait: 10 * MINUTE, most: 1 };
    let (waited, ()) = tokio::join!(store.follow(ask), store.close());
    assert_eq!(waited.expect_err("it is closed").kind(), ErrorKind::Closed);
    assert_eq!(store.follow(ask).await.expect_err("it is closed").kind(), ErrorKind::Closed);
}

/// Nothing was ever written.
pub async fn a_log_that_is_not_there_has_no_messages(store: &dyn Backend) {
    let names = Names::random();
    assert!(messages(store, &names, BEGINNING).await.is_empty());
    let pulse = beat(store, &names).await;
    assert_eq!((pulse.end, pulse.recorded, pulse.max_staleness), (None, None, Duration::ZERO));
}

/// Entries of before may be ones whose invalidation was lost; those of after are not.
pub async fn attaching_renews_the_namespace_once(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks, from) = (names.key("a"), names.marks(), ProcessId::random());
    stored(store, &key, &marks).await;
    let first = store.attach(Attach { log: &names.log(), from, max_staleness: MINUTE, keep: false }).await;
    let first = first.expect("attach");
    assert!(first.renewed);
    assert_eq!(read(store, &key, &marks).await.epochs[0], None);
    let all = messages(store, &names, BEGINNING).await;
    assert_eq!((all[0].from, &all[0].revoked), (Some(from), &vec![names.namespace().name().to_owned()]));
    assert_eq!((all.len(), all[0].position), (1, first.end));

    stored(store, &key, &marks).await;
    let before = present(store, &key, &marks).await;
    let second = attach(store, &names, MINUTE, false).await;
    assert_eq!((second.renewed, second.end, second.server), (false, first.end, first.server));
    assert_eq!(present(store, &key, &marks).await, before);
}

/// For those who know that nothing was lost.
pub async fn attaching_may_keep_what_is_there(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), names.marks());
    stored(store, &key, &marks).await;
    let before = present(store, &key, &marks).await;
    let first = attach(store, &names, MINUTE, true).await;
    assert!(!first.renewed);
    assert_eq!(present(store, &key, &marks).await, before);
    let all = messages(store, &names, BEGINNING).await;
    assert_eq!(
        (all.len(), all[0].position, all[0].revoked.len()),
        (1, first.end, 0),
        "an empty message begins the log"
    );
    assert!(!attach(store, &names, MINUTE, false).await.renewed, "the server is known");
}

/// Namespaces have nothing to do with each other.
pub async fn attaching_another_namespace_is_independent(store: &dyn Backend) {
    let (names, other) = (Names::random(), Names::random());
    let first = attach(store, &names, MINUTE, false).await;
    granted(take(store, &names.key("a"), LeaseToken::random(), &names.marks()).await);
    let second = attach(store, &other, 2 * MINUTE, false).await;
    assert!(first.renewed && second.renewed);
    assert_eq!((first.server, second.max_staleness), (second.server, 2 * MINUTE));
    assert_eq!(beat(store, &names).await.max_staleness, MINUTE);
    present(store, &names.key("a"), &names.marks()).await;
    assert_eq!(messages(store, &names, BEGINNING).await.len(), 1);
}

/// Whoever waits for the fleet waits for its slowest member.
pub async fn attaching_raises_the_longest_staleness_and_never_lowers_it(store: &dyn Backend) {
    let names = Names::random();
    for (asked, longest) in [(2, 2), (1, 2), (300, 300), (0, 300), (299, 300)] {
        let (asked, longest) = (Duration::from_secs(asked), Duration::from_secs(longest));
        assert_eq!(attach(store, &names, asked, false).await.max_staleness, longest);
        assert_eq!(beat(store, &names).await.max_staleness, longest);
    }
}

/// Where the log ends, which server answers, and which one is recorded.
pub async fn a_beat_tells_the_end_and_the_server(store: &dyn Backend) {
    let names = Names::random();
    let first = invalidate(store, &names, &[names.key("a")], &[]).await;
    let before = beat(store, &names).await;
    assert_eq!((before.end, before.recorded), (first, None));
    let attached = attach(store, &names, MINUTE, false).await;
    assert_eq!(attached.server, before.server);
    let after = beat(store, &names).await;
    assert_eq!((after.end, after.recorded, after.server), (Some(attached.end), Some(before.server), before.server));
    let last = invalidate(store, &names, &[names.key("a")], &[]).await;
    assert_eq!(beat(store, &names).await.end, last);
}

/// A message is there as soon as what it tells of is done, and not before.
pub async fn racing_invalidations_form_one_chain(store: &dyn Backend) {
    let names = Names::random();
    let keys: Vec<_> = (0..32).map(|n| [names.key(&n.to_string())]).collect();
    let racing: Vec<_> = keys.iter().map(|key| Box::pin(invalidate(store, &names, key, &[]))).collect();
    assert_eq!(all_of(racing).await.len(), 32);
    let all = messages(store, &names, BEGINNING).await;
    let mut last = BEGINNING;
    for message in &all {
        assert_eq!(message.after, Some(last));
        last = message.position;
    }
    assert_eq!(all.len(), 32);
}
