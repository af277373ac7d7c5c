//! Compressed and sealed entries in a real server, and caches that are switched off over it.

use cache_core::{Cache, Compression, L1, Overrides, Policies, Stack};
use cache_redis::{Redis, testing::RedisServer};

type Texts = Cache<String, String>;

async fn stack(server: &RedisServer, key: Option<u8>) -> Stack {
    let builder = Stack::builder("shop").l1(L1::entries(0)).l2(Redis::connect(server.url()).await.unwrap());
    match key {
        Some(key) => builder.integrity([key; 32]).build().await.unwrap(),
        None => builder.build().await.unwrap(),
    }
}

fn texts(stack: &Stack, compression: Compression) -> Texts {
    stack.cache("text").overrides(Overrides::new().compression(compression)).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_entry_takes_less_of_the_server() {
    let server = RedisServer::start();
    let text = "a layered cache for async services ".repeat(1000);
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
        let texts = texts(&stack(&server, None).await, compression);
        let key = compression.name();
        texts.insert(key, text.clone()).await.unwrap();
        let size: usize = server.cli(&["STRLEN", &format!("shop:text:{{{key}}}:v1")]).trim().parse().unwrap();
        assert_eq!(size > text.len(), compression == Compression::None, "{key}: {size}");
        assert!(size > text.len() || size < 1000, "{key}: {size}");
        assert_eq!(texts.get(key).await.as_deref(), Some(text.as_str()));
    }
}

/// A neighbour with the right to write copies an entry, and the mark of its cache so that nothing looks revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_a_neighbour_moved_is_a_counted_miss() {
    for key in [None, Some(1)] {
        let server = RedisServer::start();
        let stack = stack(&server, key).await;
        let (from, to) = (texts(&stack, Compression::Zstd), stack.cache::<String, String>("other").build().unwrap());
        from.insert("k", "x".repeat(10_000)).await.unwrap();
        for (from, to) in [("shop:text:{k}:v1", "shop:other:{k}:v1"), ("shop:text:{}", "shop:other:{}")] {
            assert_eq!(server.cli(&["COPY", from, to, "REPLACE"]).trim(), "1");
        }
        assert_eq!(to.get("k").await.is_some(), key.is_none());
        assert_eq!(to.stats().unsealed, u64::from(key.is_some()));
        assert!(from.get("k").await.is_some());
    }
}

/// What a cache that is off must not lose, and must not bring back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_was_off_finds_again_what_nobody_invalidated() {
    let server = RedisServer::start();
    let (here, peer) = (stack(&server, None).await, stack(&server, None).await);
    let (texts, theirs) = (texts(&here, Compression::None), texts(&peer, Compression::None));
    for key in ["kept", "revoked", "replaced"] {
        texts.insert(key, "old".to_owned()).await.unwrap();
    }
    here.reload_policies(Policies::new().enabled(false)).unwrap();
    assert_eq!(texts.get("kept").await, None);
    theirs.invalidate("revoked").await.unwrap();
    texts.insert("replaced", "new".to_owned()).await.unwrap();
    here.reload_policies(Policies::new()).unwrap();
    assert_eq!(texts.get("kept").await.as_deref(), Some("old"));
    assert_eq!((texts.get("revoked").await, texts.get("replaced").await), (None, None));
}
