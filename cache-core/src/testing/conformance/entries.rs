//! Entries: what is read, for how long, and `put`.

use bytes::Bytes;

use super::steps::{BLINK, MINUTE, entry, eventually, fill, fill_for, granted, join, present, put_frame, read};
use crate::{
    backend::{Backend, FillReply, Part, Read},
    testing::Names,
    token::LeaseToken,
};

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

/// A load in flight does not overwrite what was put, and the entry is valid as of now.
pub async fn a_put_ends_the_lease_and_takes_present_epochs(store: &dyn Backend) {
    let names = Names::random();
    let (key, marks) = (names.key("a"), names.marks());
    let token = LeaseToken::random();
    let epochs = granted(join(store, &key, token, &marks).await);
    let id = put_frame(store, &key, &marks, &Bytes::from_static(b"put"), MINUTE).await;
    assert_eq!(fill(store, &key, token, &epochs).await, FillReply::Refused);
    let there = entry(store, &key).await.expect("it was put");
    assert_eq!((there.id, &*there.epochs), (id, &*epochs));
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

/// Who has the frame already asks whether it is still the one.
pub async fn the_head_of_an_entry_tells_its_id_and_epochs(store: &dyn Backend) {
    let names = Names::random();
    let (key, tags) = (names.key("a"), [names.tag("a"), names.tag("b"), names.tag("c")]);
    let head = async |marks| store.read(Read { key: &key, marks, part: Part::Head }).await.expect("read");
    for marks in [&[][..], &tags] {
        assert!(head(marks).await.entry.is_none());
    }
    for of_entry in [&[][..], &tags[..1], &tags] {
        let id = put_frame(store, &key, of_entry, &Bytes::from(vec![7; 1000]), MINUTE).await;
        let whole = read(store, &key, &tags).await;
        let found = head(&tags).await;
        let there = found.entry.expect("it was put");
        assert_eq!((there.id, there.epochs, found.epochs), (id, whole.entry.expect("it was put").epochs, whole.epochs));
        let remaining = there.remaining.expect("it has an end");
        assert!(remaining > MINUTE / 2 && remaining <= MINUTE, "{remaining:?}");
        assert_eq!(head(&[]).await.entry.expect("it was put").id, id);
    }
}
