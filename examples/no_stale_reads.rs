//! What to do where even a moment of staleness is too much: validated reads, guarded writes, and waiting for the fleet.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed};
use std::time::Duration;

use cache_core::{Result, Source, Stack, backend::Memory, clock};

#[tokio::main]
async fn main() -> Result<()> {
    // Two processes of a fleet, and a balance that is changed in a database.
    let store = Memory::new();
    let build = || Stack::builder("bank").l2(store.clone()).max_staleness(Duration::from_millis(300)).build();
    let (here, there) = (build().await?, build().await?);
    let (balances, theirs) = (here.cache::<u64, u64>("balance").build()?, there.cache::<u64, u64>("balance").build()?);
    let database = Arc::new(AtomicU64::new(100));
    let load = || {
        let database = Arc::clone(&database);
        async move { database.load(Relaxed) }
    };

    // Both have it in their memory. A validated read asks the shared store whether it is still current, and moves no value.
    balances.get_with(&7, |_| load()).await?;
    theirs.get_with(&7, |_| load()).await?;
    let answer = theirs.at(&7).validated().get_with(|_| load()).await?;
    assert_eq!((answer.value, answer.source), (100, Source::L1));

    // A guarded write: from before the commit until after it nobody can cache the old balance, whatever happens to us.
    let commit = Arc::clone(&database);
    balances.write(&7, async move { commit.store(80, Relaxed) }).await?;
    let answer = theirs.at(&7).validated().get_with(|_| load()).await?;
    assert_eq!((answer.value, answer.source), (80, Source::Loaded));

    // Returns when no process anywhere can serve the old balance any more, validated or not, even if it hears nothing.
    database.store(60, Relaxed);
    let begun = clock::now();
    balances.at(&7).invalidate_everywhere().await?;
    assert_eq!(theirs.get_with(&7, |_| load()).await?, 60);
    println!("every process was sure to have noticed after {:?}", clock::now() - begun);
    Ok(())
}
