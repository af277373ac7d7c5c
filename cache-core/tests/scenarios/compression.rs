//! Large values are compressed in L2, and whoever reads them need not have asked for it.

#![cfg(all(feature = "lz4", feature = "zstd"))]

use cache_core::{Cache, Compression, L1, Overrides, Policies, Source, backend::Memory};

use crate::fleet::{KEY, Process};

type Texts = Cache<String, String>;

const COMPRESSIONS: [Compression; 3] = [Compression::None, Compression::Lz4, Compression::Zstd];

fn texts(process: &Process, compression: Compression) -> Texts {
    let policy = Overrides::new().jitter(0.0).compression(compression).compress_above(1000);
    process.stack.cache("text").overrides(policy).build().unwrap()
}

fn text() -> String {
    "a layered cache for async services ".repeat(200)
}

#[tokio::test(start_paused = true)]
async fn whatever_compressed_a_value_everybody_reads_it() {
    let store = Memory::new();
    for writer in COMPRESSIONS {
        let here = texts(&Process::on(&store).await, writer);
        here.invalidate(KEY).await.unwrap();
        here.get_with(KEY, |_| async { text() }).await.unwrap();
        here.insert("inserted", text()).await.unwrap();
        here.insert("small", "a".repeat(500)).await.unwrap();
        let compressed = u64::from(writer != Compression::None) * 2;
        assert_eq!(here.stats().compressed, compressed, "{writer}: one loaded, one inserted, none that is small");
        assert_eq!(here.stats().compression_saved > 12_000, compressed > 0);
        for reader in COMPRESSIONS {
            let peer = texts(&Process::on(&store).await, reader);
            for key in [KEY, "inserted"] {
                let answer = peer.at(key).get().await.unwrap();
                assert_eq!((answer.value, answer.source), (text(), Source::L2), "{writer}, {reader}");
            }
            assert_eq!(peer.stats().damaged, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_map_names_it_and_another_map_changes_it() {
    let map =
        |name| Policies::from_json(&format!(r#"{{"default": {{"compression": "{name}", "compress_above": 10}}}}"#));
    let process = Process::with(&Memory::new(), |stack| stack.policies(map("lz4").unwrap())).await;
    let texts: Texts = process.stack.cache("text").build().unwrap();
    texts.insert("lz4", text()).await.unwrap();
    assert_eq!(texts.stats().compressed, 1);
    process.stack.reload_policies(map("none").unwrap()).unwrap();
    texts.insert("none", text()).await.unwrap();
    assert_eq!(texts.stats().compressed, 1);
    process.stack.reload_policies(map("zstd").unwrap()).unwrap();
    texts.insert("zstd", text()).await.unwrap();
    assert_eq!(texts.stats().compressed, 2);
    assert!(map("gzip").unwrap_err().to_string().contains("gzip"));
}

/// Else a bound of L1 would be one of compressed bytes, which is not what it holds.
#[tokio::test(start_paused = true)]
async fn l1_weighs_a_value_as_what_it_is() {
    let store = Memory::new();
    let weighed = async || Process::with(&store, |stack| stack.l1(L1::weight(1 << 20))).await;
    let (here, peer) = (weighed().await, weighed().await);
    texts(&here, Compression::Zstd).insert(KEY, text()).await.unwrap();
    assert_eq!(texts(&peer, Compression::Zstd).at(KEY).get().await.unwrap().source, Source::L2);
    let (ours, theirs) = (here.stack.l1_size().1, peer.stack.l1_size().1);
    assert!(ours > text().len() as u64 && theirs >= ours, "{ours}, {theirs}");
}

/// What could not have been stored here is not made room for.
#[tokio::test(start_paused = true)]
async fn a_value_that_would_become_too_large_is_a_counted_miss() {
    let store = Memory::new();
    texts(&Process::on(&store).await, Compression::Zstd).insert(KEY, text()).await.unwrap();
    let strict = Process::on(&store).await;
    let policy = Overrides::new().max_value_size(5000);
    let strict: Texts = strict.stack.cache("text").overrides(policy).build().unwrap();
    assert_eq!(strict.get(KEY).await, None);
    assert_eq!(strict.stats().damaged, 1);
}
