//! A flight: one operation that fetches an entry for everyone who asks for it meanwhile.
//!
//! Its first step is a read of L2, in the task of the caller that leads: most flights end there, and need no task of their
//! own. What loads does so in one, so a caller that is dropped strands nobody. When the last caller has left, its loader is
//! cancelled and its lease given back.

mod pilot;

use std::{
    pin::pin,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout},
};

pub(crate) use self::pilot::{Order, Ticket, embark, fly, glance, launch, launch_behind};
use crate::{
    answer::Source,
    cache::{CacheKey, CacheValue, Shared},
    clock,
    codec::frame::Payload,
    coherence::{course::End, ledger::Standing, proof::Stamp, table::OperationId},
    entry::EntryRef,
    load::Failure,
    stack::Running,
    stats::Event,
    sync::{
        Mutex, Notify, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    tag::Tags,
    token::EntryId,
};

/// What those who joined a flight hold on to.
pub(crate) struct Flight<K, V> {
    pub(crate) id: OperationId,
    /// Its birth, and the marks that are known to touch it.
    pub(crate) standing: Standing,
    /// When it was registered: joining it is being served something as current as that.
    pub(crate) as_of: Stamp,
    /// When it began to load without a lease, if it does.
    pub(crate) unleased: OnceLock<Stamp>,
    /// An entry that may answer if the load is slow or fails.
    stand_in: Mutex<Option<EntryRef<K, V>>>,
    /// It is carried out in its leader's task, who may not be polled.
    led_by_caller: AtomicBool,
    /// It goes on although everyone has left.
    unattended: AtomicBool,
    outcome: OnceLock<Outcome<K, V>>,
    landed: Notify,
    seats: AtomicUsize,
    /// Told when the last seat was given up; another may be taken before anyone looks.
    emptied: Notify,
}

/// How a flight ended.
pub(crate) enum Outcome<K, V> {
    /// With an entry, whether or not it was stored anywhere.
    Landed(EntryRef<K, V>, Source),
    /// With no value, but an entry that may answer in its place those to whom it is proven current enough.
    Stale(EntryRef<K, V>, Failure),
    /// With nothing: a lookup that found none.
    Absent,
    /// With no value.
    Failed(Failure),
}

impl<K, V> Clone for Outcome<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Landed(entry, source) => Self::Landed(entry.clone(), *source),
            Self::Stale(entry, failure) => Self::Stale(entry.clone(), failure.clone()),
            Self::Absent => Self::Absent,
            Self::Failed(failure) => Self::Failed(failure.clone()),
        }
    }
}

impl<K, V> Flight<K, V> {
    pub(crate) fn new(id: OperationId, standing: Standing, as_of: Stamp) -> Self {
        Self {
            id,
            standing,
            as_of,
            unleased: OnceLock::new(),
            stand_in: Mutex::new(None),
            led_by_caller: AtomicBool::new(false),
            unattended: AtomicBool::new(false),
            outcome: OnceLock::new(),
            landed: Notify::new(),
            seats: AtomicUsize::new(0),
            emptied: Notify::new(),
        }
    }

    /// Only under the lock of the flight's table: the flight decides there whether everyone has left.
    pub(crate) fn seat(self: &Arc<Self>) -> Seat<K, V> {
        self.seats.fetch_add(1, Ordering::Relaxed);
        Seat(Arc::clone(self))
    }

    pub(crate) fn stand_in(&self) -> Option<EntryRef<K, V>> {
        self.stand_in.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_stand_in(&self, entry: Option<EntryRef<K, V>>) {
        *self.stand_in.lock().unwrap_or_else(PoisonError::into_inner) = entry;
    }

    pub(crate) fn set_led_by_caller(&self, led_by_caller: bool) {
        self.led_by_caller.store(led_by_caller, Ordering::Release);
    }

    fn is_led_by_caller(&self) -> bool {
        self.led_by_caller.load(Ordering::Acquire)
    }

    /// The first outcome is the one that counts.
    fn end(&self, outcome: Outcome<K, V>) {
        if self.outcome.set(outcome).is_ok() {
            self.landed.notify_waiters();
        }
    }
}

/// A caller's place on a flight. Dropping it is leaving.
pub(crate) struct Seat<K, V>(Arc<Flight<K, V>>);

impl<K, V> Seat<K, V> {
    /// What may answer in place of a load that is slow.
    pub(crate) fn stand_in(&self) -> Option<EntryRef<K, V>> {
        self.0.stand_in()
    }

    /// Leaves, and lets the flight go on.
    pub(crate) fn leave_unattended(self) {
        self.0.unattended.store(true, Ordering::Release);
    }

    /// Whether its leader has still not read L2 after `patience`: that call is not dropped, and not polled.
    pub(crate) async fn is_stalled(&self, patience: Duration) -> bool {
        self.0.is_led_by_caller() && timeout(patience, self.outcome()).await.is_err() && self.0.is_led_by_caller()
    }

    pub(crate) async fn outcome(&self) -> Outcome<K, V> {
        let mut landed = pin!(self.0.landed.notified());
        // Before the look, so that an end in between is not missed.
        landed.as_mut().enable();
        if let Some(outcome) = self.0.outcome.get() {
            return outcome.clone();
        }
        landed.await;
        self.0.outcome.get().expect("a flight is told to have landed when it has an outcome").clone()
    }
}

impl<K, V> Drop for Seat<K, V> {
    fn drop(&mut self) {
        if self.0.seats.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.emptied.notify_one();
        }
    }
}

/// The end of a flight. Dropped without one (its runtime shut down, its loader could not be made, its leader left while it
/// read L2), it frees the place and tells those who wait.
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

    /// "Superseded?" and the insert into L1 are one critical section. So is the registration of the flight that is to replace
    /// what was brought, if that is stale: what revokes it supersedes that one too.
    pub(crate) fn land(&self, outcome: Outcome<K, V>, end: End, order: &Order<K, V>) -> Option<(Self, Behind<K, V>)> {
        let mut table = self.cache.table(self.hash);
        let is_current = table.finish(&self.key, self.flight.id);
        let (mut outcome, mut behind) = (outcome, None);
        match &outcome {
            Outcome::Landed(entry, source) if is_current => {
                if matches!(end, End::Promote | End::Loaded { admit: true }) {
                    self.cache.admit(self.hash, entry, clock::now());
                }
                let proof = &self.cache.stack.proof;
                let is_wanting = match source {
                    Source::Stale => true,
                    Source::L1 | Source::L2 => entry.is_due(clock::now(), proof),
                    _ => false,
                };
                if is_wanting && order.loader.is_some() {
                    behind = self.cache.behind(&mut table, entry, &order.entry_key, &order.tags);
                }
            }
            Outcome::Stale(entry, _) if is_current => {
                self.cache.note(Event::StaleOnError, self.hash, &self.key);
                let resident = self.cache.resident(self.hash, &self.key);
                if resident.is_none_or(|resident| resident.origin.id() == entry.origin.id()) {
                    // So that the next call knows when to try again.
                    self.cache.admit(self.hash, entry, clock::now());
                }
            }
            Outcome::Failed(failure) if is_current && order.paused.is_none() && self.flight.stand_in().is_none() => {
                if let Some(first) = self.cache.policy_now().error_backoff {
                    self.cache.backoff.note(&self.key, failure, &self.flight.standing, first);
                }
            }
            // What supersedes a flight may have revoked what it has.
            Outcome::Stale(_, failure) => outcome = Outcome::Failed(failure.clone()),
            _ => {}
        }
        drop(table);
        self.flight.end(outcome);
        behind.map(|behind| (Self::new(&self.cache, &behind.flight, &self.key, self.hash), behind))
    }

    /// [`land`](Self::land), for a fresh entry that L2 had.
    pub(crate) fn land_hit(&self, entry: &EntryRef<K, V>, now: Instant) {
        let mut table = self.cache.table(self.hash);
        if table.finish(&self.key, self.flight.id) {
            self.cache.admit(self.hash, entry, now);
        }
        drop(table);
        self.flight.end(Outcome::Landed(entry.clone(), Source::L2));
    }

    /// Resolves when the last seat was given up, and nobody can take one any more.
    pub(crate) async fn everyone_left(&self) {
        loop {
            self.flight.emptied.notified().await;
            let mut table = self.cache.table(self.hash);
            if self.flight.seats.load(Ordering::Acquire) == 0 && !self.flight.unattended.load(Ordering::Acquire) {
                table.finish(&self.key, self.flight.id);
                return;
            }
        }
    }
}

impl<K: CacheKey, V: CacheValue> Drop for Landing<K, V> {
    fn drop(&mut self) {
        // What has an outcome has left the table before.
        if self.flight.outcome.get().is_some() {
            return;
        }
        self.cache.table(self.hash).finish(&self.key, self.flight.id);
        self.flight.end(Outcome::Failed(Failure::Abandoned));
    }
}

/// A flight behind an answer, registered and ready to begin.
pub(crate) struct Behind<K, V> {
    pub(crate) flight: Arc<Flight<K, V>>,
    /// A seat that nobody gives up.
    pub(crate) seat: Seat<K, V>,
    pub(crate) place: Place<K, V>,
}

/// A flight's place among those that go on behind an answer. There is one for each entry, and no more than so many in all.
pub(crate) struct Place<K, V> {
    /// What it is to replace.
    pub(crate) entry: EntryRef<K, V>,
    _permit: OwnedSemaphorePermit,
}

impl<K, V> Place<K, V> {
    pub(crate) fn new(entry: &EntryRef<K, V>, permit: OwnedSemaphorePermit) -> Self {
        entry.retry.set_under_way(true);
        Self { entry: entry.clone(), _permit: permit }
    }
}

impl<K, V> Drop for Place<K, V> {
    fn drop(&mut self) {
        self.entry.retry.set_under_way(false);
    }
}

/// A loaded value on its way into the tiers.
pub(crate) struct Cargo<V> {
    pub(crate) value: V,
    /// When its load began.
    pub(crate) started: Instant,
    pub(crate) ttl: Duration,
    /// For so long after it the entry may be served as stale.
    pub(crate) grace: Duration,
    /// Whether L2 knew of the load, and so would have said that a guard is open.
    pub(crate) leased: bool,
    pub(crate) tags: Tags,
    pub(crate) validator: Option<Box<str>>,
    /// The encoded value, if any tier needs it.
    pub(crate) payload: Option<Payload>,
    /// Its size in bytes.
    pub(crate) size: Option<usize>,
    /// Its name in L2, once it is stored there.
    pub(crate) id: Option<EntryId>,
}

/// The shortest time to live that a store can keep.
pub(crate) const MIN_LIFE: Duration = Duration::from_millis(1);
