//! A store that others can write to: only what the fleet sealed is read.

use std::time::Duration;

use cache_core::{
    Bytes, ErrorKind, IntegrityKey, Source, Stack,
    backend::{Backend, Memory, Part, Put, Read},
    key::EntryKey,
    token::{EntryId, ProcessId},
};

use crate::fleet::{Items, KEY, Process, Tap, namespace};

const MINUTE: Duration = Duration::from_secs(60);

async fn sealed(store: &Memory, key: u8) -> Process {
    Process::with(store, |stack| stack.integrity([key; 32])).await
}

async fn source(process: &Process) -> Source {
    process.items().at(KEY).get_with(|_| async { 7 }).await.unwrap().source
}

#[tokio::test(start_paused = true)]
async fn processes_with_the_key_share_and_read_nothing_else() {
    let store = Memory::new();
    assert_eq!(source(&sealed(&store, 1).await).await, Source::Loaded);
    assert_eq!(source(&sealed(&store, 1).await).await, Source::L2);
    assert_eq!(source(&Process::on(&store).await).await, Source::L2, "who has no key checks none");
    let other = sealed(&store, 2).await;
    assert_eq!(source(&other).await, Source::Loaded);
    let stats = other.items().stats();
    assert!(stats.unsealed > 0 && stats.damaged >= stats.unsealed, "{stats:?}");

    let open = Process::on(&store).await;
    open.items().insert(KEY, 8).await.unwrap();
    let here = sealed(&store, 1).await;
    assert_eq!(here.items().get(KEY).await, None, "what is not sealed is not read");
    assert_eq!(here.items().stats().unsealed, 1);
    assert_eq!(source(&here).await, Source::Loaded, "and is replaced");
    assert_eq!(source(&sealed(&store, 1).await).await, Source::L2);
}

#[tokio::test(start_paused = true)]
async fn keys_are_changed_without_a_miss() {
    let store = Memory::new();
    let both = |new: u8, old: u8| {
        let store = store.clone();
        async move { Process::with(&store, |stack| stack.integrity([new; 32]).accept_integrity([old; 32])).await }
    };
    sealed(&store, 1).await.items().insert(KEY, 7).await.unwrap();
    assert_eq!(source(&both(1, 2).await).await, Source::L2);
    let changed = both(2, 1).await;
    assert_eq!(source(&changed).await, Source::L2);
    changed.items().insert(KEY, 8).await.unwrap();
    assert_eq!(source(&both(1, 2).await).await, Source::L2);
    assert_eq!(source(&sealed(&store, 2).await).await, Source::L2);
    let refusal = Stack::builder("shop").accept_integrity([1; 32]).build().await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Config);
}

#[tokio::test(start_paused = true)]
async fn no_message_shows_a_key() {
    let key = IntegrityKey::new(*b"0123456789abcdef0123456789abcdef");
    let stack = Stack::builder("shop").l2(Memory::new()).integrity(key.clone()).build().await.unwrap();
    let shown = format!("{key:?} {stack:?} {:?}", stack.health());
    assert!(!shown.contains("0123") && !shown.contains("48, 49"), "{shown}");
}

/// The frame that is stored under a key.
async fn frame(store: &Memory, key: &EntryKey) -> Bytes {
    store.read(Read { key, marks: &[], part: Part::Whole }).await.unwrap().entry.unwrap().frame
}

/// A neighbour copies the bytes of one entry to another whose key reads the same: nothing in the frame itself tells.
#[tokio::test(start_paused = true)]
async fn an_entry_that_was_moved_is_a_counted_miss() {
    for integrity in [false, true] {
        let store = Memory::new();
        let (tap, keys) = Tap::new(&store);
        let mut builder = Stack::builder("shop").l2(tap);
        if integrity {
            builder = builder.integrity([1; 32]);
        }
        let stack = builder.build().await.unwrap();
        let cache = |name: &str| -> Items { stack.cache(name).build().unwrap() };
        for name in ["price", "discount"] {
            cache(name).get_with(KEY, |_| async { 7 }).await.unwrap();
        }
        let (price, discount) = {
            let keys = keys.lock().unwrap();
            (keys[0].clone(), keys.last().unwrap().clone())
        };
        let stolen = frame(&store, &price).await;
        let put = Put {
            key: &discount,
            id: EntryId::random(),
            marks: &[namespace().mark(), discount.cache().clone()],
            frame: &stolen,
            ttl: MINUTE,
            retain: MINUTE,
            log: &namespace().log(),
            from: ProcessId::random(),
        };
        store.put(put).await.unwrap();
        let reader = match integrity {
            true => sealed(&store, 1).await,
            false => Process::on(&store).await,
        };
        let discounts: Items = reader.stack.cache("discount").build().unwrap();
        let expected = if integrity { (None, 1, 1) } else { (Some(7), 0, 0) };
        let found = discounts.get(KEY).await;
        assert_eq!((found, discounts.stats().unsealed, discounts.stats().damaged), expected);
    }
}
