//! A flight: one operation that fetches an entry for everyone who asks for it meanwhile.
//!
//! It runs in a task of its own, so a caller that is dropped strands nobody. When the last caller has left, it is
//! cancelled and gives its lease back.

mod pilot;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

pub(crate) use self::pilot::{Order, fly};
use crate::{
    answer::Source,
    cache::{CacheKey, CacheValue, Shared},
    codec::frame::Payload,
    coherence::{course::End, ledger::Standing, table::OperationId},
    entry::Entry,
    load::Failure,
    stack::Running,
    tag::Tags,
};

/// What those who joined a flight hold on to.
pub(crate) struct Flight<K, V> {
    pub(crate) id: OperationId,
    /// Its birth, and the marks that are known to touch it.
    pub(crate) standing: Standing,
    outcome: watch::Sender<Option<Outcome<K, V>>>,
}

/// How a flight ended.
pub(crate) enum Outcome<K, V> {
    /// With an entry, whether or not it was stored anywhere.
    Landed(Arc<Entry<K, V>>, Source),
    /// With nothing: a lookup that found none.
    Absent,
    /// With no value.
    Failed(Failure),
}

impl<K, V> Clone for Outcome<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Landed(entry, source) => Self::Landed(Arc::clone(entry), *source),
            Self::Absent => Self::Absent,
            Self::Failed(failure) => Self::Failed(failure.clone()),
        }
    }
}

/// A caller's place on a flight. Dropping it is leaving.
pub(crate) struct Seat<K, V>(watch::Receiver<Option<Outcome<K, V>>>);

impl<K, V> Flight<K, V> {
    pub(crate) fn new(id: OperationId, standing: Standing) -> Self {
        Self { id, standing, outcome: watch::Sender::new(None) }
    }

    /// Only under the lock of the flight's table: the flight decides there whether everyone has left.
    pub(crate) fn seat(&self) -> Seat<K, V> {
        Seat(self.outcome.subscribe())
    }
}

impl<K, V> Seat<K, V> {
    pub(crate) async fn outcome(mut self) -> Outcome<K, V> {
        match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().expect("waited for an outcome"),
            Err(_) => Outcome::Failed(Failure::Abandoned),
        }
    }
}

/// The end of a flight. Dropped without one (its runtime shut down, its loader could not be made), it frees the place and
/// tells those who wait.
pub(crate) struct Landing<K: CacheKey, V: CacheValue> {
    cache: Arc<Shared<K, V>>,
    flight: Arc<Flight<K, V>>,
    key: K,
    hash: u64,
    /// From its launch on: a shutdown waits for it.
    _running: Running,
}

impl<K: CacheKey, V: CacheValue> Landing<K, V> {
    pub(crate) fn new(cache: &Arc<Shared<K, V>>, flight: &Arc<Flight<K, V>>, key: &K, hash: u64) -> Self {
        Self {
            cache: Arc::clone(cache),
            flight: Arc::clone(flight),
            key: key.clone(),
            hash,
            _running: cache.stack.running(),
        }
    }

    /// "Superseded?" and the insert into L1 are one critical section.
    fn land(&self, outcome: Outcome<K, V>, end: End) {
        let mut table = self.cache.table(self.hash);
        let is_current = table.finish(&self.key, self.flight.id);
        let admit = matches!(end, End::Promote | End::Loaded { admit: true });
        if let Outcome::Landed(entry, _) = &outcome
            && admit
            && is_current
        {
            self.cache.admit(self.hash, entry);
        }
        drop(table);
        self.flight.outcome.send_replace(Some(outcome));
    }

    /// Resolves when the last seat was given up, and nobody can take one any more.
    async fn everyone_left(&self) {
        loop {
            self.flight.outcome.closed().await;
            let mut table = self.cache.table(self.hash);
            if self.flight.outcome.receiver_count() == 0 {
                table.finish(&self.key, self.flight.id);
                return;
            }
        }
    }
}

impl<K: CacheKey, V: CacheValue> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.cache.table(self.hash).finish(&self.key, self.flight.id);
        self.flight.outcome.send_if_modified(|outcome| {
            let unfinished = outcome.is_none();
            if unfinished {
                *outcome = Some(Outcome::Failed(Failure::Abandoned));
            }
            unfinished
        });
    }
}

/// A loaded value on its way into the tiers.
pub(crate) struct Cargo<V> {
    pub(crate) value: V,
    /// When its load began.
    pub(crate) started: Instant,
    pub(crate) ttl: Duration,
    pub(crate) tags: Tags,
    /// The encoded value, if any tier needs it.
    pub(crate) payload: Option<Payload>,
    /// Its size in bytes.
    pub(crate) size: Option<usize>,
}

/// The shortest time to live that a store can keep.
pub(crate) const MIN_LIFE: Duration = Duration::from_millis(1);
