//! A store of one's own as L2: one trait, and a suite of checks that comes with it. This one wraps the backend that lives
//! in the process and counts the round trips; a real one would make them.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::sync::{Arc, atomic::AtomicUsize, atomic::Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::backend::{
    Attach, Attached, Backend, Expire, Fill, FillReply, Follow, Found, Invalidate, Lease, LeaseReply, Memory, Message,
    Position, Pulse, Put, Read,
};
use cache_core::{
    Result, Stack,
    key::{EntryKey, Log},
    testing::conformance,
    token::LeaseToken,
};

#[derive(Default)]
struct Counting {
    store: Memory,
    trips: Arc<AtomicUsize>,
}

impl Counting {
    fn trip(&self) -> &Memory {
        self.trips.fetch_add(1, Relaxed);
        &self.store
    }
}

#[async_trait]
impl Backend for Counting {
    async fn read(&self, ask: Read<'_>) -> Result<Found> {
        self.trip().read(ask).await
    }

    async fn lease(&self, ask: Lease<'_>) -> Result<LeaseReply> {
        self.trip().lease(ask).await
    }

    async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration) -> Result<bool> {
        self.trip().extend(key, token, ttl).await
    }

    async fn fill(&self, fill: Fill<'_>) -> Result<FillReply> {
        self.trip().fill(fill).await
    }

    async fn release(&self, key: &EntryKey, token: LeaseToken) -> Result<()> {
        self.trip().release(key, token).await
    }

    async fn put(&self, put: Put<'_>) -> Result<FillReply> {
        self.trip().put(put).await
    }

    async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        self.trip().invalidate(what).await
    }

    async fn expire(&self, what: Expire<'_>) -> Result<Option<Position>> {
        self.trip().expire(what).await
    }

    async fn probe(&self) -> Result<()> {
        self.trip().probe().await
    }

    async fn attach(&self, ask: Attach<'_>) -> Result<Attached> {
        self.store.attach(ask).await
    }

    async fn beat(&self, log: &Log) -> Result<Pulse> {
        self.store.beat(log).await
    }

    async fn follow(&self, ask: Follow<'_>) -> Result<Vec<Message>> {
        self.store.follow(ask).await
    }

    async fn close(&self) {
        self.store.close().await;
    }

    fn name(&self) -> &'static str {
        "counting"
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // Every sentence of the contract, each on a store of its own: this panics at the first one that is broken.
    conformance::run(async || Counting::default()).await;

    let backend = Counting::default();
    let trips = Arc::clone(&backend.trips);
    let stack = Stack::builder("example").l2(backend).build().await?;
    let plans = stack.cache::<u32, String>("plan").build()?;

    let before = trips.load(Relaxed);
    plans.get_with(&1, |_| async { "gold".into() }).await?;
    let load = trips.load(Relaxed) - before;
    plans.get_with(&1, |_| async { "gold".into() }).await?;
    let hit = trips.load(Relaxed) - before - load;
    println!("a load took {load} round trips, a hit in L1 {hit}");
    assert_eq!((load, hit), (3, 0));
    Ok(())
}
