use tokio::time::advance;

use super::*;
use crate::{
    backend::Part,
    key::{CacheName, Namespace},
};

const SECOND: Duration = Duration::from_secs(1);

fn key(text: &str) -> EntryKey {
    let cache = CacheName::new(&Namespace::new("shop").unwrap(), "user").unwrap();
    EntryKey::new(&cache, 1, text)
}

async fn put(store: &Memory, text: &str, ttl: Duration) {
    let (id, frame) = (EntryId::random(), Bytes::from_static(b"alice"));
    let (log, from) = (&Namespace::new("shop").unwrap().log(), ProcessId::random());
    let put = Put { key: &key(text), id, marks: &[], frame: &frame, ttl, retain: ttl, log, from };
    store.put(put).await.unwrap();
}

async fn entry(store: &Memory, text: &str) -> Option<Stored> {
    store.read(Read { key: &key(text), marks: &[], part: Part::Whole }).await.unwrap().entry
}

#[tokio::test(start_paused = true)]
async fn an_entry_lives_for_its_ttl_and_not_a_moment_longer() {
    let store = Memory::new();
    put(&store, "alice", SECOND).await;
    advance(SECOND - Duration::from_millis(1)).await;
    let remaining = entry(&store, "alice").await.unwrap().remaining;
    assert_eq!(remaining, Some(Duration::from_millis(1)));
    advance(Duration::from_millis(1)).await;
    assert!(entry(&store, "alice").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_tag_mark_lives_for_the_longest_time_that_anybody_needs_it() {
    let store = Memory::new();
    let tag = [Namespace::new("shop").unwrap().tag("vip")];
    let lease = |retain| {
        let (store, tag) = (&store, &tag);
        async move {
            let (token, claim) = (LeaseToken::random(), Claim::Take);
            let key = &key("alice");
            let ask = Lease { key, token, ttl: SECOND, claim, marks: tag, retain };
            store.lease(ask).await.unwrap();
        }
    };
    lease(10 * SECOND).await;
    lease(SECOND).await;
    let epoch =
        async || store.read(Read { key: &key("alice"), marks: &tag, part: Part::Whole }).await.unwrap().epochs[0];
    advance(9 * SECOND).await;
    assert!(epoch().await.is_some());
    advance(SECOND).await;
    assert_eq!(epoch().await, None);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asks_for_again_is_swept_out() {
    let store = Memory::new();
    for n in 0..10_000 {
        put(&store, &n.to_string(), SECOND).await;
        advance(Duration::from_millis(10)).await;
    }
    let records = store.store.lock().unwrap().entries.0.len();
    assert!(records < 3_000, "{records} records of which 100 are alive");
}

#[tokio::test]
async fn a_clone_shares_the_store_but_not_the_end() {
    let store = Memory::new();
    let clone = store.clone();
    put(&clone, "alice", SECOND).await;
    assert!(entry(&store, "alice").await.is_some());
    clone.close().await;
    assert_eq!(clone.probe().await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(entry(&store, "alice").await.is_some());
}
