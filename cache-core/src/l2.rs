//! L2's accessor: a backend behind a deadline, a circuit breaker, counters and health.
//!
//! What can't be had from L2 is no error for a read: it is counted, and the flight goes on without. Only invalidations
//! and explicit writes hand the error on.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    backend::{
        Attach, Attached, Backend, Expire, Fill, FillReply, Follow, Found, Invalidate, Lease, LeaseReply, Message,
        Position, Pulse, Put, Read,
    },
    breaker::{Breaker, BreakerSettings, BreakerState, Permit},
    clock,
    error::{Error, ErrorKind, Result},
    events::{Hub, Kind, Subject},
    health::L2Health,
    key::{EntryKey, Log},
    stats::{Counters, Event},
    token::LeaseToken,
    trace,
};

pub(crate) struct L2 {
    backend: Arc<dyn Backend>,
    deadline: Duration,
    breaker: Breaker,
    hub: Arc<Hub>,
    last_error: Mutex<Option<Error>>,
    closed: AtomicBool,
}

impl L2 {
    pub(crate) fn new(backend: Arc<dyn Backend>, deadline: Duration, breaker: BreakerSettings, hub: Arc<Hub>) -> Self {
        Self {
            backend,
            deadline,
            breaker: Breaker::new(breaker),
            hub,
            last_error: Mutex::new(None),
            closed: AtomicBool::new(false),
        }
    }

    /// The longest that one operation takes.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// Only permanent ones: a store that is merely away is none, its callers are served without it.
    pub(crate) async fn check(&self) -> Result<()> {
        match self.call("probe", None, self.backend.probe()).await {
            Err(error) if !error.is_temporary() => Err(error),
            _ => Ok(()),
        }
    }

    // Not an `async fn`, which would keep its arguments: there may be many who wait for it.
    pub(crate) fn read<'a>(
        &'a self,
        ask: Read<'a>,
        counters: &'a Counters,
    ) -> impl Future<Output = Result<Found>> + 'a {
        self.call("read", Some(counters), self.backend.read(ask))
    }

    pub(crate) async fn lease(&self, ask: Lease<'_>, counters: &Counters) -> Option<LeaseReply> {
        self.call("lease", Some(counters), self.backend.lease(ask)).await.ok()
    }

    /// Whether the lease still lives; no answer is not a no.
    pub(crate) async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration, counters: &Counters) -> bool {
        self.call("extend", Some(counters), self.backend.extend(key, token, ttl)).await.unwrap_or(true)
    }

    pub(crate) async fn fill(&self, fill: Fill<'_>, counters: &Counters) -> Option<FillReply> {
        self.call("fill", Some(counters), self.backend.fill(fill)).await.ok()
    }

    pub(crate) async fn release(&self, key: &EntryKey, token: LeaseToken, counters: &Counters) {
        // A lease that can't be given back ends by itself.
        let _ = self.call("release", Some(counters), self.backend.release(key, token)).await;
    }

    pub(crate) async fn put(&self, put: Put<'_>, counters: &Counters) -> Result<FillReply> {
        self.call("put", Some(counters), self.backend.put(put)).await
    }

    pub(crate) async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        self.call("invalidate", None, self.backend.invalidate(what)).await
    }

    pub(crate) async fn expire(&self, what: Expire<'_>) -> Result<Option<Position>> {
        self.call("expire", None, self.backend.expire(what)).await
    }

    pub(crate) async fn attach(&self, ask: Attach<'_>) -> Result<Attached> {
        self.beside("attach", self.deadline, self.backend.attach(ask)).await
    }

    pub(crate) async fn beat(&self, log: &Log) -> Result<Pulse> {
        self.beside("beat", self.deadline, self.backend.beat(log)).await
    }

    pub(crate) async fn follow(&self, ask: Follow<'_>) -> Result<Vec<Message>> {
        self.beside("follow", self.deadline + ask.wait, self.backend.follow(ask)).await
    }

    /// Past the breaker: a log that fails must not cut off what works, and one that comes back is to be known of at once.
    async fn beside<T>(
        &self,
        operation: &'static str,
        deadline: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, operation));
        }
        let result = timeout(deadline, call).await.unwrap_or_else(|_| Err(self.too_late(operation)));
        result.inspect_err(|error| self.note(error))
    }

    /// An invalidation that is tried although the circuit breaker may be open: there is no later.
    pub(crate) async fn insist(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        timeout(self.deadline, self.backend.invalidate(what)).await.unwrap_or_else(|_| Err(self.too_late("invalidate")))
    }

    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // A backend that hangs while it closes holds nothing that a shutdown must wait for.
        let _ = timeout(self.deadline, self.backend.close()).await;
    }

    pub(crate) fn health(&self) -> L2Health {
        L2Health {
            backend: self.backend.name(),
            breaker: self.breaker.state(clock::now()),
            openings: self.breaker.openings(),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Within the deadline, if the circuit breaker lets it through. What fails is counted, where it is to be.
    async fn call<T>(
        &self,
        operation: &'static str,
        counters: Option<&Counters>,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let now = clock::now();
        let result = match self.admit(operation, now) {
            Ok(permit) => {
                let deadline = now + self.deadline;
                let result = timeout_at(deadline, call).await.unwrap_or_else(|_| Err(self.too_late(operation)));
                self.learn(permit, result.as_ref().err());
                result
            }
            Err(error) => Err(error),
        };
        if let (Err(_), Some(counters)) = (&result, counters) {
            counters.count(Event::BackendError);
        }
        result
    }

    fn admit(&self, operation: &'static str, now: Instant) -> Result<Permit<'_>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, operation));
        }
        let Some(permit) = self.breaker.admit(now) else {
            return Err(Error::new(ErrorKind::Unavailable, operation).context("the circuit breaker is open"));
        };
        if permit.is_probe() {
            self.tell(BreakerState::HalfOpen);
        }
        Ok(permit)
    }

    /// How a call went.
    fn learn(&self, permit: Permit<'_>, error: Option<&Error>) {
        let Some(error) = error else {
            if permit.succeeded() {
                trace::breaker_closed(self.backend.name());
                self.tell(BreakerState::Closed);
            }
            return;
        };
        self.note(error);
        if is_about_the_store(error) {
            let is_probe = permit.is_probe();
            let opens = permit.failed(clock::now());
            if opens {
                trace::breaker_opened(self.backend.name(), error);
            }
            if opens || is_probe {
                self.tell(BreakerState::Open);
            }
        }
    }

    fn tell(&self, state: BreakerState) {
        self.hub.tell(Kind::Breaker(state), Subject::NONE);
    }

    fn too_late(&self, operation: &'static str) -> Error {
        Error::new(ErrorKind::Timeout, operation).context(format!("no answer within {:?}", self.deadline))
    }

    fn note(&self, error: &Error) {
        trace::l2_failed(self.backend.name(), error);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
    }
}

/// Whether an error says that the store is not there for anybody, rather than that it can't take this value.
fn is_about_the_store(error: &Error) -> bool {
    error.is_temporary() || matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unsupported)
}
