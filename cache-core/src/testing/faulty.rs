//! A backend that misbehaves on command.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::{
    backend::{
        Attach, Attached, Backend, Expire, Fill, FillReply, Follow, Found, Invalidate, Lease, LeaseReply, Message,
        Position, Pulse, Put, Read,
    },
    error::{Error, ErrorKind, Result},
    key::{EntryKey, Log},
    token::LeaseToken,
};

/// Wraps a backend whose operations [`Faults`] can make fail, hang, or stand still.
#[derive(Debug)]
pub struct Faulty<B> {
    inner: B,
    faults: Faults,
}

impl<B: Backend> Faulty<B> {
    /// A wrapper that does nothing yet.
    #[must_use]
    pub fn new(inner: B) -> Self {
        Self { inner, faults: Faults::default() }
    }

    /// The handle that commands it.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

/// Commands a [`Faulty`] backend. Clones command the same one.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

/// An operation of a backend.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "they are the methods of `Backend`")]
pub enum Operation {
    Read,
    Lease,
    Extend,
    Fill,
    Release,
    Put,
    Invalidate,
    Expire,
    Probe,
    Attach,
    Beat,
    Follow,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Lease,
        Self::Extend,
        Self::Fill,
        Self::Release,
        Self::Put,
        Self::Invalidate,
        Self::Expire,
        Self::Probe,
        Self::Attach,
        Self::Beat,
        Self::Follow,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Lease => "lease",
            Self::Extend => "extend",
            Self::Fill => "fill",
            Self::Release => "release",
            Self::Put => "put",
            Self::Invalidate => "invalidate",
            Self::Expire => "expire",
            Self::Probe => "probe",
            Self::Attach => "attach",
            Self::Beat => "beat",
            Self::Follow => "follow",
        }
    }
}

/// When a call stands at its [`Gate`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Before it reaches the store.
    Before,
    /// After it took effect there, with the reply in hand.
    After,
}

impl Faults {
    /// Makes every call of `operation` fail, before it reaches the store, until [`heal`](Self::heal).
    pub fn fail(&self, operation: Operation, kind: ErrorKind) {
        self.set(operation, Fault::Fail(kind));
    }

    /// As [`fail`](Self::fail), for all operations.
    pub fn fail_all(&self, kind: ErrorKind) {
        for operation in Operation::ALL {
            self.fail(operation, kind);
        }
    }

    /// Lets every call of `operation` take effect and then fail, as if the reply were lost.
    pub fn lose_reply(&self, operation: Operation, kind: ErrorKind) {
        self.set(operation, Fault::LoseReply(kind));
    }

    /// Lets every call of `operation` hang until it is dropped, before it reaches the store.
    pub fn hang(&self, operation: Operation) {
        self.set(operation, Fault::Hang);
    }

    /// As [`hang`](Self::hang), for all operations.
    pub fn hang_all(&self) {
        for operation in Operation::ALL {
            self.hang(operation);
        }
    }

    /// Ends all failures, for calls to come. Calls that hang go on hanging; gates stay.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Holds the next call of `operation` that no other gate holds.
    #[must_use]
    pub fn hold(&self, operation: Operation, moment: Moment) -> Gate {
        let (arrive, arrived) = oneshot::channel();
        let (open, opened) = oneshot::channel();
        let barrier = Barrier { operation, moment, arrive, opened };
        self.state().barriers.push(barrier);
        Gate { arrived, open }
    }

    /// How many calls of `operation` there were, failed ones included.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> usize {
        self.state().calls.get(&operation).copied().unwrap_or(0)
    }

    /// How many calls there were of all operations but those that keep a stack in step with the log.
    #[must_use]
    pub fn requests(&self) -> usize {
        let in_step = [Operation::Attach, Operation::Beat, Operation::Follow];
        Operation::ALL
            .iter()
            .filter(|operation| !in_step.contains(operation))
            .map(|operation| self.calls(*operation))
            .sum()
    }

    fn set(&self, operation: Operation, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn apply<T>(&self, operation: Operation, call: impl Future<Output = Result<T>>) -> Result<T> {
        let (fault, barrier) = self.state().enter(operation);
        match barrier {
            Some(barrier) if barrier.moment == Moment::Before => {
                barrier.pass().await;
                fault.apply(operation, call).await
            }
            Some(barrier) => {
                let reply = fault.apply(operation, call).await;
                barrier.pass().await;
                reply
            }
            None => fault.apply(operation, call).await,
        }
    }
}

/// Where one call stands still. Dropping it lets the call go, or never holds it.
#[derive(Debug)]
pub struct Gate {
    arrived: oneshot::Receiver<()>,
    open: oneshot::Sender<()>,
}

impl Gate {
    /// Waits until a call stands here.
    ///
    /// # Panics
    /// If the call was dropped on its way.
    pub async fn reached(&mut self) {
        (&mut self.arrived).await.expect("the call comes here");
    }

    /// Lets the call go.
    pub fn release(self) {
        // Nobody listens if the call was dropped meanwhile.
        let _ = self.open.send(());
    }
}

#[derive(Debug, Default)]
struct State {
    faults: HashMap<Operation, Fault>,
    barriers: Vec<Barrier>,
    calls: HashMap<Operation, usize>,
}

impl State {
    fn enter(&mut self, operation: Operation) -> (Fault, Option<Barrier>) {
        *self.calls.entry(operation).or_default() += 1;
        self.barriers.retain(Barrier::is_wanted);
        let barrier = self.barriers.iter().position(|barrier| barrier.operation == operation);
        let fault = self.faults.get(&operation).copied().unwrap_or_default();
        (fault, barrier.map(|at| self.barriers.remove(at)))
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Fault {
    #[default]
    None,
    Fail(ErrorKind),
    LoseReply(ErrorKind),
    Hang,
}

impl Fault {
    async fn apply<T>(self, operation: Operation, call: impl Future<Output = Result<T>>) -> Result<T> {
        match self {
            Self::None => call.await,
            Self::Fail(kind) => Err(injected(operation, kind)),
            Self::LoseReply(kind) => {
                call.await?;
                Err(injected(operation, kind))
            }
            Self::Hang => pending().await,
        }
    }
}

fn injected(operation: Operation, kind: ErrorKind) -> Error {
    Error::new(kind, operation.name()).context("a fault was injected")
}

#[derive(Debug)]
struct Barrier {
    operation: Operation,
    moment: Moment,
    arrive: oneshot::Sender<()>,
    opened: oneshot::Receiver<()>,
}

impl Barrier {
    fn is_wanted(&self) -> bool {
        !self.arrive.is_closed()
    }

    async fn pass(self) {
        // Both ends fail only if the gate was dropped, which opens it.
        let _ = self.arrive.send(());
        let _ = self.opened.await;
    }
}

#[async_trait]
impl<B: Backend> Backend for Faulty<B> {
    async fn read(&self, ask: Read<'_>) -> Result<Found> {
        self.faults.apply(Operation::Read, self.inner.read(ask)).await
    }

    async fn lease(&self, ask: Lease<'_>) -> Result<LeaseReply> {
        self.faults.apply(Operation::Lease, self.inner.lease(ask)).await
    }

    async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration) -> Result<bool> {
        self.faults.apply(Operation::Extend, self.inner.extend(key, token, ttl)).await
    }

    async fn fill(&self, fill: Fill<'_>) -> Result<FillReply> {
        self.faults.apply(Operation::Fill, self.inner.fill(fill)).await
    }

    async fn release(&self, key: &EntryKey, token: LeaseToken) -> Result<()> {
        self.faults.apply(Operation::Release, self.inner.release(key, token)).await
    }

    async fn put(&self, put: Put<'_>) -> Result<FillReply> {
        self.faults.apply(Operation::Put, self.inner.put(put)).await
    }

    async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        self.faults.apply(Operation::Invalidate, self.inner.invalidate(what)).await
    }

    async fn expire(&self, what: Expire<'_>) -> Result<Option<Position>> {
        self.faults.apply(Operation::Expire, self.inner.expire(what)).await
    }

    async fn probe(&self) -> Result<()> {
        self.faults.apply(Operation::Probe, self.inner.probe()).await
    }

    async fn attach(&self, ask: Attach<'_>) -> Result<Attached> {
        self.faults.apply(Operation::Attach, self.inner.attach(ask)).await
    }

    async fn beat(&self, log: &Log) -> Result<Pulse> {
        self.faults.apply(Operation::Beat, self.inner.beat(log)).await
    }

    async fn follow(&self, ask: Follow<'_>) -> Result<Vec<Message>> {
        self.faults.apply(Operation::Follow, self.inner.follow(ask)).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    fn name(&self) -> &'static str {
        self.inner.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::Memory, testing::Names};

    fn faulty() -> (Arc<Faulty<Memory>>, Faults) {
        let backend = Faulty::new(Memory::new());
        let faults = backend.faults();
        (Arc::new(backend), faults)
    }

    async fn put(backend: &Faulty<Memory>, key: &EntryKey) -> Result<FillReply> {
        let (id, frame, ttl) = (crate::token::EntryId::random(), crate::Bytes::new(), Duration::from_secs(60));
        let retain = ttl;
        let marks = &[];
        let (log, from) = (&Names::random().log(), crate::token::ProcessId::random());
        backend.put(Put { key, id, marks, frame: &frame, ttl, retain, log, from }).await
    }

    async fn is_there(backend: &Faulty<Memory>, key: &EntryKey) -> bool {
        backend.read(Read { key, marks: &[], part: crate::backend::Part::Whole }).await.unwrap().entry.is_some()
    }

    #[tokio::test]
    async fn a_failure_lasts_until_it_is_healed_and_counts_as_a_call() {
        let (backend, faults) = faulty();
        let key = Names::random().key("a");
        faults.fail(Operation::Put, ErrorKind::Unavailable);
        assert_eq!(put(&backend, &key).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(!is_there(&backend, &key).await);
        faults.heal();
        put(&backend, &key).await.unwrap();
        assert!(is_there(&backend, &key).await);
        assert_eq!(faults.calls(Operation::Put), 2);
    }

    #[tokio::test]
    async fn a_lost_reply_belongs_to_a_call_that_took_effect() {
        let (backend, faults) = faulty();
        let key = Names::random().key("a");
        faults.lose_reply(Operation::Put, ErrorKind::Timeout);
        assert_eq!(put(&backend, &key).await.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(is_there(&backend, &key).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_never_reaches_the_store() {
        let (backend, faults) = faulty();
        let key = Names::random().key("a");
        faults.hang_all();
        let call = tokio::time::timeout(Duration::from_secs(3600), put(&backend, &key));
        assert!(call.await.is_err());
        faults.heal();
        assert!(!is_there(&backend, &key).await);
    }

    #[tokio::test]
    async fn a_gate_holds_one_call_before_or_after_it_takes_effect() {
        let (backend, faults) = faulty();
        let names = Names::random();
        for (moment, text) in [(Moment::Before, "a"), (Moment::After, "b")] {
            let key = names.key(text);
            let mut gate = faults.hold(Operation::Put, moment);
            let call = {
                let (backend, key) = (Arc::clone(&backend), key.clone());
                tokio::spawn(async move { put(&backend, &key).await })
            };
            gate.reached().await;
            assert_eq!(is_there(&backend, &key).await, moment == Moment::After);
            put(&backend, &names.key("free")).await.unwrap();
            gate.release();
            call.await.unwrap().unwrap();
            assert!(is_there(&backend, &key).await);
        }
    }

    #[tokio::test]
    async fn a_gate_that_was_dropped_holds_nobody() {
        let (backend, faults) = faulty();
        drop(faults.hold(Operation::Put, Moment::Before));
        put(&backend, &Names::random().key("a")).await.unwrap();
    }
}
