//! A backend whose calls are counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cache_core::{
    Result,
    backend::{
        Attach, Attached, Backend, Fill, FillReply, Follow, Found, Invalidate, Lease, LeaseReply, Message, Position,
        Pulse, Put, Read,
    },
    key::{EntryKey, Log},
    token::LeaseToken,
};

/// Wraps a backend to count what is asked of it.
#[derive(Debug)]
pub struct Counted<B> {
    inner: B,
    calls: Calls,
}

/// How often a [`Counted`] backend was called. Clones tell of the same one.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<AtomicU64>);

impl<B> Counted<B> {
    /// A wrapper that was not called yet.
    #[must_use]
    pub fn new(inner: B) -> Self {
        Self { inner, calls: Calls::default() }
    }

    /// Its count.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }
}

impl Calls {
    /// The number of calls so far, of whatever operation.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl<B: Backend> Backend for Counted<B> {
    async fn read(&self, ask: Read<'_>) -> Result<Found> {
        self.calls.count();
        self.inner.read(ask).await
    }

    async fn lease(&self, ask: Lease<'_>) -> Result<LeaseReply> {
        self.calls.count();
        self.inner.lease(ask).await
    }

    async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration) -> Result<bool> {
        self.calls.count();
        self.inner.extend(key, token, ttl).await
    }

    async fn fill(&self, fill: Fill<'_>) -> Result<FillReply> {
        self.calls.count();
        self.inner.fill(fill).await
    }

    async fn release(&self, key: &EntryKey, token: LeaseToken) -> Result<()> {
        self.calls.count();
        self.inner.release(key, token).await
    }

    async fn put(&self, put: Put<'_>) -> Result<FillReply> {
        self.calls.count();
        self.inner.put(put).await
    }

    async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        self.calls.count();
        self.inner.invalidate(what).await
    }

    async fn probe(&self) -> Result<()> {
        self.calls.count();
        self.inner.probe().await
    }

    // What keeps a stack in step is no part of any call.
    async fn attach(&self, ask: Attach<'_>) -> Result<Attached> {
        self.inner.attach(ask).await
    }

    async fn beat(&self, log: &Log) -> Result<Pulse> {
        self.inner.beat(log).await
    }

    async fn follow(&self, ask: Follow<'_>) -> Result<Vec<Message>> {
        self.inner.follow(ask).await
    }

    async fn close(&self) {
        self.calls.count();
        self.inner.close().await;
    }

    fn name(&self) -> &'static str {
        self.inner.name()
    }
}
