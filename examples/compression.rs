//! Large values take less of L2, and of the way there, when they are compressed. L1 keeps values as they are.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use cache_core::{Policies, Result, Source, Stack, backend::Memory};

const MAP: &str = r#"
    [kinds.report]
    compression = "zstd"      # or "lz4": larger, and faster
    compress_above = 2048     # bytes, as the codec writes them; what does not get smaller is stored as it is
"#;

#[tokio::main]
async fn main() -> Result<()> {
    let store = Memory::new();
    let stack = Stack::builder("shop").l2(store.clone()).policies(Policies::from_toml(MAP)?).build().await?;
    let reports = stack.cache::<u64, Vec<String>>("report").build()?;
    let lines = (0..1000).map(|line| format!("{line}: nothing happened")).collect::<Vec<_>>();
    reports.insert(&7, lines.clone()).await?;
    reports.insert(&8, vec!["short".to_owned()]).await?;
    println!("{} was compressed, which saved {} bytes", reports.stats().compressed, reports.stats().compression_saved);
    assert!(reports.stats().compressed == 1 && reports.stats().compression_saved > 20_000);

    // Who reads it need not have asked for it: what was done stands in the entry.
    let stack = Stack::builder("shop").l2(store).build().await?;
    let reports = stack.cache::<u64, Vec<String>>("report").build()?;
    let answer = reports.at(&7).get().await.expect("it is in L2");
    assert_eq!((answer.value, answer.source), (lines, Source::L2));
    Ok(())
}
