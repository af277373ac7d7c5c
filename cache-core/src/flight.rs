//! A flight: one operation that fetches an entry for everyone who asks for it meanwhile.
//!
//! It runs in a task of its own, so a caller that is dropped strands nobody. When the last caller has left, it is
//! cancelled and gives its lease back. What it does next is decided by [`Course`]; this file carries it out.

use std::{
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    select,
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep},
};

use crate::{
    answer::Source,
    backend::{Claim, Fill, FillReply, Found, Late, Lease, LeaseReply, Read},
    cache::{CacheKey, CacheValue, Shared},
    clock,
    codec::frame::Payload,
    coherence::{
        course::{Course, Effect, End, Event, Leased, Loaded, Mode, Reach, Seen},
        ledger::Standing,
        table::OperationId,
        validity::SCOPES,
    },
    entry::{Entry, Life},
    judge::{Judge, Promotion, Verdict},
    key::{EntryKey, Mark, encode::KeyText},
    l2::L2,
    load::{self, BoxLoad, Failure, Lineage, Load},
    stack::Running,
    stats,
    tag::Tags,
    token::{EntryId, Epoch, LeaseToken, random_unit},
};

/// What those who joined a flight hold on to.
pub(crate) struct Flight<K, V> {
    pub(crate) id: OperationId,
    /// Its birth, and the marks that are known to touch it.
    pub(crate) standing: Standing,
    outcome: OnceLock<Outcome<K, V>>,
    landed: Notify,
    seats: AtomicUsize,
    /// Told when the last seat was given up; another may be taken before anyone looks.
    emptied: Notify,
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

impl<K, V> Flight<K, V> {
    pub(crate) fn new(id: OperationId, standing: Standing) -> Self {
        Self {
            id,
            standing,
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
    pub(crate) async fn outcome(self) -> Outcome<K, V> {
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

/// What a flight is to do.
pub(crate) struct Order<K, V> {
    pub(crate) key: K,
    pub(crate) text: KeyText,
    pub(crate) mode: Mode,
    pub(crate) tags: Tags,
    pub(crate) ttl: Option<Duration>,
    pub(crate) loader: Option<(BoxLoad<V>, Load)>,
    pub(crate) lineage: Lineage,
    /// A seat that nobody gives up: the flight goes on although everyone has left.
    pub(crate) _companion: Option<Seat<K, V>>,
}

/// Carries out a flight.
pub(crate) struct Pilot<K: CacheKey, V: CacheValue> {
    cache: Arc<Shared<K, V>>,
    flight: Arc<Flight<K, V>>,
    landing: Landing<K, V>,
    order: Order<K, V>,
    entry_key: EntryKey,
    /// Drawn when a lease is asked for: from then on one may be held.
    token: Option<LeaseToken>,
    /// The tags whose epochs are asked for: those of the call, and those that an earlier entry had.
    known: Tags,
    /// Epochs captured with the lease: of the scopes, of `known`, and of any tag.
    captured: Vec<Epoch>,
    promotion: Option<(Promotion<V>, Instant)>,
    cargo: Option<Cargo<V>>,
    failure: Option<Failure>,
    /// From its launch on: a shutdown waits for it.
    _running: Running,
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

impl<V> Cargo<V> {
    /// Its tags in two: those whose epochs were captured with the lease, and those that the fill has to look up. An entry
    /// that outlives what was foreseen would outlive captured marks too, so the fill prolongs them all.
    fn manifest(&self, captured: &Tags, foreseen: Duration) -> (Tags, Tags) {
        match self.ttl > foreseen {
            true => self.tags.split(&Tags::default()),
            false => self.tags.split(captured),
        }
    }
}

impl<K: CacheKey, V: CacheValue> Pilot<K, V> {
    /// `landing` is that of the flight.
    pub(crate) fn new(landing: Landing<K, V>, order: Order<K, V>) -> Self {
        let cache = Arc::clone(&landing.cache);
        let entry_key = cache.entry_key(&order.text);
        let known = order.tags.clone();
        Self {
            _running: cache.stack.running(),
            cache,
            flight: Arc::clone(&landing.flight),
            landing,
            order,
            entry_key,
            token: None,
            known,
            captured: Vec::new(),
            promotion: None,
            cargo: None,
            failure: None,
        }
    }

    pub(crate) async fn fly(mut self) {
        let (cache, flight) = (Arc::clone(&self.cache), Arc::clone(&self.flight));
        let hash = self.landing.hash;
        let key = self.order.key.clone();
        let arrival = select! {
            arrival = load::catch_panic(self.travel()) => Some(arrival),
            () = everyone_left(&cache, &flight, &key, hash) => None,
        };
        match arrival {
            Some(Ok((outcome, end))) => self.landing.land(outcome, end),
            Some(Err(panic)) => {
                self.release().await;
                self.landing.land(Outcome::Failed(Failure::Cache(panic)), End::Failed);
            }
            None => self.release().await,
        }
    }

    async fn travel(&mut self) -> (Outcome<K, V>, End) {
        let end = self.follow_course().await;
        (self.outcome(end), end)
    }

    async fn follow_course(&mut self) -> End {
        let mut course = Course::new(self.order.mode, self.reach(), self.cache.stack.settings.patience);
        let mut event = Event::Began;
        loop {
            event = match course.next(event, clock::now(), random_unit) {
                Effect::Read => Event::Read(self.read().await),
                Effect::Lease(claim) => Event::Lease(self.lease(claim).await),
                Effect::Wait(pause) => {
                    self.count(stats::Event::LeaseWait);
                    sleep(pause).await;
                    Event::Waited
                }
                Effect::Load { leased } => Event::Loaded(self.load(leased).await),
                Effect::Fill => Event::Filled(self.fill().await),
                Effect::Release => {
                    self.release().await;
                    Event::Released
                }
                Effect::End(end) => return end,
            }
        }
    }

    fn reach(&self) -> Reach {
        let marks = self.cache.scopes.iter().chain(self.order.tags.marks());
        match &self.cache.stack.l2 {
            Some(_) if !self.cache.stack.distrusts(&self.entry_key, marks) => Reach::Shared,
            _ => Reach::LocalOnly,
        }
    }

    /// One round trip, unless the entry has tags that nobody here knew of.
    async fn read(&mut self) -> Seen {
        let mut seen = Seen::Absent;
        for _ in 0..MAX_READS {
            let asked = clock::now();
            let marks = self.marks();
            let read = Read { key: &self.entry_key, marks: &marks };
            let Some(found) = self.l2().read(read, &self.cache.counters).await else {
                return Seen::Unreachable;
            };
            match self.weigh(found, asked) {
                Weighed::Seen(verdict) => return verdict,
                Weighed::AskAgain(id) => seen = Seen::Useless(id),
            }
        }
        seen
    }

    async fn lease(&mut self, claim: Claim) -> Leased {
        let token = *self.token.get_or_insert_with(LeaseToken::random);
        let asked = clock::now();
        let mut marks = self.marks();
        marks.push(self.cache.stack.any_tag.clone());
        let settings = &self.cache.stack.settings;
        let ask = Lease {
            key: &self.entry_key,
            token,
            ttl: settings.lease_ttl,
            claim,
            marks: &marks,
            retain: self.cache.retain(self.order.ttl),
        };
        match self.l2().lease(ask, &self.cache.counters).await {
            None => Leased::Unreachable,
            Some(LeaseReply::Held { remaining }) => Leased::Held { remaining },
            Some(LeaseReply::Granted { epochs }) => {
                self.captured = epochs;
                Leased::Granted
            }
            Some(LeaseReply::Found(mut found)) => {
                found.epochs.truncate(marks.len() - 1);
                Leased::Found(match self.weigh(found, asked) {
                    Weighed::Seen(seen) => seen,
                    Weighed::AskAgain(_) => self.read().await,
                })
            }
        }
    }

    fn weigh(&mut self, found: Found, asked: Instant) -> Weighed {
        let judge = Judge {
            namespace: &self.cache.stack.namespace,
            codec: &*self.cache.codec,
            key: &self.order.text.full,
            declared: &self.order.tags,
            asked: &self.known,
        };
        Weighed::Seen(match judge.judge(found) {
            Verdict::Absent => Seen::Absent,
            Verdict::Usable(promotion) if self.cache.stack.distrusts_marks(promotion.tags.marks()) => Seen::Unreachable,
            Verdict::Usable(promotion) => {
                self.promotion = Some((promotion, asked));
                Seen::Usable
            }
            Verdict::Dead(id, tags) => {
                self.known = self.known.with(&tags);
                Seen::Useless(id)
            }
            Verdict::Unknown(id, tags) => {
                self.known = self.known.with(&tags);
                return Weighed::AskAgain(id);
            }
            Verdict::Damaged(id, why) => {
                self.cache.note_damage(why);
                Seen::Useless(id)
            }
            Verdict::Unreadable(id, error) => {
                self.cache.note_unreadable(&error);
                Seen::Useless(id)
            }
        })
    }

    async fn load(&mut self, leased: bool) -> Loaded {
        let (loader, wishes) = self.order.loader.take().expect("a course loads at most once, and only with a loader");
        if self.order.mode != Mode::Refresh {
            self.count(stats::Event::Miss);
        }
        if !leased && self.cache.stack.l2.is_some() {
            self.count(stats::Event::Unleased);
        }
        let keeper = leased.then(|| self.keep_lease());
        let started = clock::now();
        let lineage = self.order.lineage.with(self.flight.id);
        let loaded = load::run(&self.cache.label, lineage, self.cache.policy.hard_timeout, loader).await;
        drop(keeper);
        self.cache.note_load(clock::now() - started, loaded.is_ok());
        match loaded {
            Ok(value) => self.pack(value, started, wishes),
            Err(failure) => {
                self.failure = Some(failure);
                Loaded::Failed
            }
        }
    }

    fn pack(&mut self, value: V, started: Instant, load: Load) -> Loaded {
        let wishes = load.wishes();
        let tags = self.order.tags.with(&Tags::new(&self.cache.stack.namespace, &wishes.tags));
        let ttl = self.cache.lifetime(&value, wishes.ttl.or(self.order.ttl));
        let mut cargo = Cargo { value, started, ttl, tags, payload: None, size: None };
        let loaded = if wishes.no_store { Loaded::Drop } else { self.cache.pack(&mut cargo) };
        self.cargo = Some(cargo);
        loaded
    }

    async fn fill(&mut self) -> Option<FillReply> {
        let reply = match self.consign() {
            Some((frame, life)) => self.ship(&frame, life).await,
            None => {
                self.release().await;
                Some(FillReply::Refused)
            }
        };
        self.count(match reply {
            Some(FillReply::Stored) => stats::Event::Fill,
            Some(FillReply::Refused) | None => stats::Event::FillRefused,
        });
        reply
    }

    /// The frame of what was loaded and how long it may live; nothing if the load took longer than that.
    fn consign(&mut self) -> Option<(Bytes, Duration)> {
        let foreseen = self.foreseen();
        let cargo = self.cargo.as_mut().expect("a course fills what it loaded");
        let payload = cargo.payload.take().expect("what is kept in L2 was encoded");
        let took = clock::now() - cargo.started;
        let life = cargo.ttl.checked_sub(took).filter(|life| *life >= MIN_LIFE)?;
        let (early, late) = cargo.manifest(&self.known, foreseen);
        let tags = early.names().chain(late.names()).collect();
        let frame = self.cache.frame(&self.order.text, cargo, payload, tags, took, life);
        frame.map(|frame| (frame, life))
    }

    async fn ship(&mut self, frame: &Bytes, life: Duration) -> Option<FillReply> {
        let cargo = self.cargo.as_ref().expect("a course fills what it loaded");
        let (early, late) = cargo.manifest(&self.known, self.foreseen());
        let places = early.names().filter_map(|name| self.known.position(name)).map(|place| SCOPES + place);
        let epochs: Vec<Epoch> = (0..SCOPES).chain(places).map(|place| self.captured[place]).collect();
        let late: Vec<Mark> = late.marks().cloned().collect();
        let unchanged = *self.captured.last().expect("the mark of any tag is always captured");
        let fill = Fill {
            key: &self.entry_key,
            token: self.leased_token(),
            id: EntryId::random(),
            epochs: &epochs,
            late: (!late.is_empty()).then_some(Late {
                marks: &late,
                unchanged: (&self.cache.stack.any_tag, unchanged),
                retain: self.cache.retain(Some(life)),
            }),
            frame,
            ttl: life,
        };
        self.l2().fill(fill, &self.cache.counters).await
    }

    /// The marks that were captured live so long, and the time of a load besides.
    fn foreseen(&self) -> Duration {
        self.cache.foreseen(self.order.ttl)
    }

    /// Gives the lease back, if one was asked for.
    async fn release(&mut self) {
        if let (Some(l2), Some(token)) = (&self.cache.stack.l2, self.token) {
            l2.release(&self.entry_key, token, &self.cache.counters).await;
        }
    }

    fn leased_token(&self) -> LeaseToken {
        self.token.expect("a course loads under a lease that it asked for")
    }

    /// Extends the lease while the loader runs.
    fn keep_lease(&self) -> AbortOnDrop {
        let cache = Arc::clone(&self.cache);
        let key = self.entry_key.clone();
        let (token, ttl) = (self.leased_token(), cache.stack.settings.lease_ttl);
        let keeper = tokio::spawn(async move {
            let Some(l2) = &cache.stack.l2 else { return };
            loop {
                sleep(ttl / 3).await;
                if !l2.extend(&key, token, ttl, &cache.counters).await {
                    return;
                }
            }
        });
        AbortOnDrop(keeper.abort_handle())
    }

    fn outcome(&mut self, end: End) -> Outcome<K, V> {
        match end {
            End::Promote => {
                self.count(stats::Event::L2Hit);
                let (promotion, asked) = self.promotion.take().expect("a course promotes what was found usable");
                Outcome::Landed(self.promoted(promotion, asked), Source::L2)
            }
            End::Loaded { admit } => {
                let mut cargo = self.cargo.take().expect("a course that loaded has a value");
                if !admit {
                    // What nobody may keep is fresh for nobody.
                    cargo.ttl = Duration::ZERO;
                }
                Outcome::Landed(self.cache.landed(&self.order.key, &self.flight.standing, cargo), Source::Loaded)
            }
            End::Failed => Outcome::Failed(self.failure.take().expect("a course that failed has a failure")),
            End::Absent => Outcome::Absent,
        }
    }

    fn promoted(&self, promotion: Promotion<V>, asked: Instant) -> Arc<Entry<K, V>> {
        let Promotion { value, age, remaining, tags, size } = promotion;
        let life = Life::new(asked, age, remaining, self.cache.l1_lifetime());
        self.cache.entry(
            &self.order.key,
            value,
            life,
            self.cache.standing(self.flight.standing.born, &tags),
            Some(size),
        )
    }

    fn marks(&self) -> Vec<Mark> {
        self.cache.scopes.iter().chain(self.known.marks()).cloned().collect()
    }

    fn l2(&self) -> &L2 {
        self.cache.stack.l2.as_ref().expect("a course that reaches L2 has one")
    }

    fn count(&self, event: stats::Event) {
        self.cache.counters.count(event);
    }
}

/// Reads in a row for an entry whose tags nobody here knew of: it may be rewritten with others in between.
const MAX_READS: usize = 3;

/// The shortest time to live that a store can keep.
pub(crate) const MIN_LIFE: Duration = Duration::from_millis(1);

enum Weighed {
    Seen(Seen),
    AskAgain(EntryId),
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The end of a flight. Dropped without one (its runtime shut down, its loader could not be made), it frees the place and
/// tells those who wait.
pub(crate) struct Landing<K: CacheKey, V: CacheValue> {
    cache: Arc<Shared<K, V>>,
    flight: Arc<Flight<K, V>>,
    key: K,
    hash: u64,
}

impl<K: CacheKey, V: CacheValue> Landing<K, V> {
    pub(crate) fn new(cache: &Arc<Shared<K, V>>, flight: &Arc<Flight<K, V>>, key: &K, hash: u64) -> Self {
        Self { cache: Arc::clone(cache), flight: Arc::clone(flight), key: key.clone(), hash }
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
        self.flight.end(outcome);
    }
}

impl<K: CacheKey, V: CacheValue> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.cache.table(self.hash).finish(&self.key, self.flight.id);
        self.flight.end(Outcome::Failed(Failure::Abandoned));
    }
}

/// Resolves when the last seat was given up, and nobody can take one any more.
async fn everyone_left<K: CacheKey, V: CacheValue>(cache: &Shared<K, V>, flight: &Flight<K, V>, key: &K, hash: u64) {
    loop {
        flight.emptied.notified().await;
        let mut table = cache.table(hash);
        if flight.seats.load(Ordering::Acquire) == 0 {
            table.finish(key, flight.id);
            return;
        }
    }
}
