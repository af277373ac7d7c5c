//! Carrying out a flight. What it does next is decided by [`Course`].

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    select,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{Behind, Cargo, Flight, Landing, MIN_LIFE, Outcome, Place, Seat};
use crate::{
    answer::Source,
    backend::{Claim, Fill, FillReply, Found, Late, Lease, LeaseReply, Part, Read},
    bulkhead::Rooms,
    cache::{CacheKey, CacheValue, Shared},
    clock,
    coherence::{
        course::{Course, Effect, End, Event, Leased, Loaded, Mode, Reach, Seen},
        ledger::Moment,
        outbox::Trust,
        validity::SCOPES,
    },
    entry::{Entry, Life, Origin},
    judge::{Judge, Promotion, Verdict},
    key::{EntryKey, Mark, encode::KeyText},
    l2::L2,
    load::{self, BoxLoad, Failure, Lineage, Load, Wishes},
    policy::Policy,
    stats,
    tag::Tags,
    token::{EntryId, Epoch, LeaseToken, random_unit},
};

/// What a flight is to do.
pub(crate) struct Order<K, V> {
    pub(crate) text: KeyText,
    pub(crate) entry_key: EntryKey,
    /// What L1 has and may not serve as it is.
    pub(crate) resident: Option<Arc<Entry<K, V>>>,
    pub(crate) mode: Mode,
    pub(crate) tags: Tags,
    pub(crate) ttl: Option<Duration>,
    pub(crate) loader: Option<(BoxLoad<V>, Load)>,
    pub(crate) lineage: Lineage,
    /// Whether an entry inside its stale-while-revalidate window is an answer.
    pub(crate) serves_stale: bool,
    /// Since when the loader ran, if it has: on its caller's thread, before the flight.
    pub(crate) ran_from: Option<Instant>,
    /// How the last load failed, if it is not to be tried again yet.
    pub(crate) paused: Option<Failure>,
    /// Its place among the flights behind answers, if it is one of them.
    pub(crate) behind: Option<Place<K, V>>,
    /// A seat that nobody gives up: the flight goes on although everyone has left.
    pub(crate) _companion: Option<Seat<K, V>>,
}

/// Begins a flight.
pub(crate) fn launch<K: CacheKey, V: CacheValue>(landing: Landing<K, V>, order: Order<K, V>) {
    tokio::spawn(fly(landing, order));
}

/// Begins a flight that replaces an entry behind its back.
pub(crate) fn launch_behind<K: CacheKey, V: CacheValue>(
    landing: Landing<K, V>,
    behind: Behind<K, V>,
    order: Order<K, V>,
) {
    let Behind { seat, place, .. } = behind;
    landing.cache.note(stats::Event::Refresh, landing.hash, &landing.key);
    launch(
        landing,
        Order {
            resident: Some(Arc::clone(&place.entry)),
            serves_stale: false,
            behind: Some(place),
            _companion: Some(seat),
            // Nobody waits for it.
            lineage: Lineage::default(),
            ..order
        },
    );
}

/// Carries out a flight, until it has landed or everyone has left it.
pub(crate) async fn fly<K: CacheKey, V: CacheValue>(landing: Landing<K, V>, order: Order<K, V>) {
    let mut pilot = Pilot::new(&landing, order);
    match load::catch_panic(pilot.travel()).await {
        Ok(Some((outcome, end))) => {
            let order = pilot.order;
            if let Some((landing, behind)) = landing.land(outcome, end, &order) {
                launch_behind(landing, behind, order);
            }
        }
        Ok(None) => pilot.release().await,
        Err(panic) => {
            pilot.release().await;
            let order = pilot.order;
            landing.land(Outcome::Failed(Failure::Cache(panic)), End::Failed, &order);
        }
    }
}

struct Pilot<'a, K: CacheKey, V: CacheValue> {
    landing: &'a Landing<K, V>,
    cache: &'a Arc<Shared<K, V>>,
    order: Order<K, V>,
    entry_key: EntryKey,
    policy: Arc<Policy>,
    /// Drawn when a lease is asked for: from then on one may be held.
    token: Option<LeaseToken>,
    /// The tags whose epochs are asked for: those of the call, and those that an earlier entry had.
    known: Tags,
    /// Epochs captured with the lease: of the scopes, of `known`, and of any tag.
    captured: Vec<Epoch>,
    /// What L2 has.
    promotion: Option<Arc<Entry<K, V>>>,
    /// What L1 has, found to be current still.
    validated: Option<Arc<Entry<K, V>>>,
    cargo: Option<Cargo<V>>,
    failure: Option<Failure>,
}

/// A loaded value in its frame, as a fill sends it.
struct Parcel {
    frame: Bytes,
    life: Duration,
    /// Its tags whose epochs were captured with the lease.
    early: Tags,
    /// Its tags whose epochs the fill has to look up.
    late: Tags,
}

impl<'a, K: CacheKey, V: CacheValue> Pilot<'a, K, V> {
    fn new(landing: &'a Landing<K, V>, order: Order<K, V>) -> Self {
        let cache = &landing.cache;
        Self {
            landing,
            cache,
            entry_key: order.entry_key.clone(),
            policy: cache.policy(),
            token: None,
            known: order.tags.clone(),
            order,
            captured: Vec::new(),
            promotion: None,
            validated: None,
            cargo: None,
            failure: None,
        }
    }

    async fn travel(&mut self) -> Option<(Outcome<K, V>, End)> {
        let end = self.follow_course().await?;
        Some((self.outcome(end), end))
    }

    /// To its end, or to where everyone has left. A call to L2 is never cut short: the lease that it may bring could not be
    /// given back, because on another connection its release would overtake it.
    async fn follow_course(&mut self) -> Option<End> {
        self.flight().set_stand_in(self.order.resident.clone());
        let mut course = Course::new(self.order.mode, self.reach(), self.cache.stack.settings.patience);
        let mut event = Event::Began;
        let landing = self.landing;
        let mut everyone_left = pin!(landing.everyone_left());
        loop {
            event = match course.next(event, clock::now(), random_unit) {
                Effect::Read => Event::Read(self.read().await),
                Effect::Lease(claim) => Event::Lease(self.lease(claim).await),
                Effect::Wait(pause) => {
                    self.count(stats::Event::LeaseWait);
                    self.order.loader.iter().for_each(|(_, handle)| handle.is_late());
                    select! {
                        biased;
                        () = &mut everyone_left => return None,
                        () = sleep(pause) => Event::Waited,
                    }
                }
                Effect::Load { leased } => select! {
                    biased;
                    () = &mut everyone_left => return None,
                    loaded = self.load(leased) => Event::Loaded(loaded),
                },
                Effect::Fill => Event::Filled(self.fill().await),
                Effect::Release => {
                    self.release().await;
                    Event::Released
                }
                Effect::End(end) => return Some(end),
            }
        }
    }

    fn reach(&self) -> Reach {
        let marks = self.cache.scopes.iter().chain(self.order.tags.marks());
        match self.cache.l2() {
            Some(_) if !self.cache.stack.distrusts(&self.entry_key, marks) => Reach::Shared,
            _ => Reach::LocalOnly,
        }
    }

    /// One round trip, unless the entry has tags that nobody here knew of.
    async fn read(&mut self) -> Seen {
        if let Some(resident) = self.order.resident.take()
            && self.order.behind.is_none()
            && resident.is_fresh(clock::now())
            && resident.origin.id.is_some()
            && self.validate(&resident).await
        {
            self.validated = Some(resident);
            return Seen::Usable;
        }
        let mut seen = Seen::Absent;
        for _ in 0..MAX_READS {
            let asked = self.asking();
            let marks = self.marks();
            let read = Read { key: &self.entry_key, marks: &marks, part: Part::Whole };
            let Some(found) = self.l2().read(read, &self.cache.counters).await else {
                return Seen::Unreachable;
            };
            match self.weigh(found, asked) {
                Weighed::Seen(verdict) => return verdict,
                Weighed::AskAgain(or_else) => seen = or_else,
            }
        }
        seen
    }

    /// Whether L2 still has the entry that L1 has, with the marks as they are: one round trip that moves no value.
    async fn validate(&mut self, resident: &Entry<K, V>) -> bool {
        let asked = clock::now();
        let Origin { id, tags, .. } = &resident.origin;
        let marks: Vec<Mark> = self.cache.scopes.iter().chain(tags.marks()).cloned().collect();
        let read = Read { key: &self.entry_key, marks: &marks, part: Part::Head };
        let Some(found) = self.l2().read(read, &self.cache.counters).await else { return false };
        let is_same = found.entry.is_some_and(|stored| {
            // No two marks ever have one epoch, so the order, which the frame would tell, is not needed.
            let has = |epoch: &Option<Epoch>| epoch.is_some_and(|epoch| stored.epochs.contains(&epoch));
            Some(stored.id) == *id
                && !stored.expired
                && stored.epochs.len() == marks.len()
                && found.epochs.iter().all(has)
        });
        let names_all = self.order.tags.names().all(|name| tags.contains(name));
        if is_same && names_all {
            resident.origin.as_of.raise(self.cache.stack.proof.stamp(asked));
            self.count(stats::Event::Validated);
        }
        is_same && names_all
    }

    async fn lease(&mut self, claim: Claim) -> Leased {
        let asked = self.asking();
        let token = *self.token.get_or_insert_with(LeaseToken::random);
        let mut marks = self.marks();
        marks.push(self.cache.stack.any_tag.clone());
        let settings = &self.cache.stack.settings;
        let ask = Lease {
            key: &self.entry_key,
            token,
            ttl: settings.lease_ttl,
            claim,
            marks: &marks,
            retain: self.policy.retain(self.order.ttl),
        };
        match self.l2().lease(ask, &self.cache.counters).await {
            None => Leased::Unreachable,
            Some(LeaseReply::Guarded) => Leased::Guarded,
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

    fn asking(&self) -> Asked {
        Asked { at: clock::now(), deliveries: self.cache.stack.deliveries() }
    }

    fn weigh(&mut self, found: Found, asked: Asked) -> Weighed {
        let judge = Judge {
            namespace: &self.cache.stack.namespace,
            codec: &*self.cache.codec,
            entry: &self.entry_key,
            seal: self.cache.stack.settings.seal.as_ref(),
            most: self.policy.max_value_size,
            key: &self.order.text.full,
            declared: &self.order.tags,
            asked: &self.known,
        };
        Weighed::Seen(match judge.judge(found) {
            Verdict::Absent => Seen::Absent,
            Verdict::Usable(promotion) => match self.cache.stack.trust(asked.deliveries, promotion.tags.marks()) {
                Trust::Full => self.promote(promotion, asked.at),
                Trust::Denied => Seen::Unreachable,
                Trust::Outdated => return Weighed::AskAgain(Seen::Unreachable),
            },
            Verdict::Dead(id) => {
                self.flight().set_stand_in(None);
                Seen::Useless(id)
            }
            Verdict::Unknown(id, tags) => {
                self.known = self.known.with(&tags);
                return Weighed::AskAgain(Seen::Useless(id));
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

    /// An entry past its time to live answers inside its window, or else only if the load fails. One that is to be replaced
    /// ahead of its end answers nobody here.
    fn promote(&mut self, promotion: Promotion<V>, asked: Instant) -> Seen {
        let (id, now) = (promotion.id, clock::now());
        let entry = self.promoted(promotion, asked);
        let window = self.policy.stale_while_revalidate;
        let is_replaced = self.order.behind.as_ref().is_some_and(|place| place.entry.origin.id == Some(id));
        if is_replaced && entry.life.is_fresh(now) {
            return Seen::Useless(id);
        }
        if entry.life.is_fresh(now) || (self.order.serves_stale && entry.life.is_within(window, now)) {
            self.promotion = Some(entry);
            return Seen::Usable;
        }
        match self.flight().stand_in() {
            // If it expired softly, this process may not know of it yet, and must not take it for current.
            Some(known) if known.origin.id == Some(id) && !entry.life.expired => {
                known.origin.as_of.raise(entry.origin.as_of.get());
            }
            _ => self.flight().set_stand_in(Some(entry)),
        }
        Seen::Useless(id)
    }

    async fn load(&mut self, leased: bool) -> Loaded {
        let (loader, wishes) = self.order.loader.take().expect("a course loads at most once, and only with a loader");
        if self.order.mode != Mode::Refresh && self.order.behind.is_none() {
            self.count(stats::Event::Miss);
        }
        let leased = leased || self.cache.l2().is_none();
        if !leased {
            self.count(stats::Event::Unleased);
        }
        let keeper = self.token.filter(|_| leased).map(|token| self.keep_lease(token));
        let began = clock::now();
        if !leased {
            // Once: a course loads at most once.
            let _ = self.landing.flight.unleased.set(self.cache.stack.proof.stamp(began));
        }
        if let Some(started) = self.order.ran_from {
            let loaded = load::finish(loader).await;
            return self.loaded(loaded, started, leased, wishes);
        }
        let room = match self.find_room(wishes.is_of_a_batch()).await {
            Ok(room) => room,
            Err(failure) => {
                self.failure = Some(failure);
                return Loaded::Failed;
            }
        };
        let started = clock::now();
        wishes.replaces(self.flight().stand_in());
        let lineage = self.order.lineage.with(self.landing.flight.id);
        let deadline = self.policy.hard_timeout.saturating_sub(started - began);
        let loaded = load::run(&self.cache.label, lineage, deadline, loader).await;
        drop((keeper, room));
        self.loaded(loaded, started, leased, wishes)
    }

    fn loaded(&mut self, loaded: Result<V, Failure>, started: Instant, leased: bool, wishes: Load) -> Loaded {
        let Landing { hash, key, .. } = self.landing;
        self.cache.note_load(clock::now() - started, loaded.is_ok(), *hash, key);
        match loaded {
            Ok(value) => self.pack(value, started, leased, wishes),
            Err(failure) => {
                self.failure = Some(failure);
                Loaded::Failed
            }
        }
    }

    /// Room to load in, unless the last load of the key has just failed. One that another load waits for uses its room: it
    /// could not wait for one that its own waiter holds.
    async fn find_room(&mut self, is_of_a_batch: bool) -> Result<Rooms, Failure> {
        if let Some(failure) = &self.order.paused {
            self.count(stats::Event::BackedOff);
            return Err(failure.clone());
        }
        // A batch has one room for all of its keys.
        let is_exempt = is_of_a_batch || !self.order.lineage.is_empty();
        self.cache.room(is_exempt).await.map_err(Failure::Cache)
    }

    fn pack(&mut self, value: V, started: Instant, leased: bool, load: Load) -> Loaded {
        let wishes = load.take();
        let earlier = self.flight().stand_in();
        let mut tags = self.order.tags.with(&Tags::new(&self.cache.stack.namespace, &wishes.tags));
        if let (true, Some(earlier)) = (wishes.is_unchanged, &earlier) {
            tags = tags.with(&earlier.origin.tags);
        }
        let policy = &self.policy;
        let adapted = || self.cache.adapted(policy, earlier.as_deref()?, &value, wishes.is_unchanged);
        let asked = wishes.ttl.or(self.order.ttl).or_else(adapted);
        let (ttl, grace) = (self.cache.lifetime(policy, &value, asked), policy.grace());
        let Wishes { validator, no_store, .. } = wishes;
        let mut cargo =
            Cargo { value, started, ttl, grace, leased, tags, validator, payload: None, size: None, id: None };
        let loaded = if no_store { Loaded::Drop } else { self.cache.pack(policy, &mut cargo) };
        self.cargo = Some(cargo);
        loaded
    }

    async fn fill(&mut self) -> Option<FillReply> {
        let reply = match self.consign() {
            Some(parcel) => self.ship(&parcel).await,
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

    /// What was loaded, ready to be sent; nothing if the load took longer than it may live.
    fn consign(&mut self) -> Option<Parcel> {
        let foreseen = self.policy.foreseen(self.order.ttl);
        let cargo = self.cargo.as_mut().expect("a course fills what it loaded");
        let payload = cargo.payload.take().expect("what is kept in L2 was encoded");
        let took = clock::now() - cargo.started;
        let fresh = cargo.ttl.checked_sub(took).filter(|fresh| *fresh >= MIN_LIFE)?;
        let life = fresh + cargo.grace;
        // An entry that outlives what was foreseen would outlive captured marks too: then the fill prolongs them all.
        let captured = if cargo.ttl > foreseen { &Tags::default() } else { &self.known };
        let (early, late) = cargo.tags.split(captured);
        let names = early.names().chain(late.names()).collect();
        let frame =
            self.cache.frame(&self.policy, (&self.order.text, &self.entry_key), cargo, payload, names, took, life)?;
        Some(Parcel { frame, life, early, late })
    }

    async fn ship(&mut self, parcel: &Parcel) -> Option<FillReply> {
        let Parcel { frame, life, early, late } = parcel;
        let places = early.names().filter_map(|name| self.known.position(name)).map(|place| SCOPES + place);
        let epochs: Vec<Epoch> = (0..SCOPES).chain(places).map(|place| self.captured[place]).collect();
        let late: Vec<Mark> = late.marks().cloned().collect();
        let unchanged = *self.captured.last().expect("the mark of any tag is always captured");
        let id = EntryId::random();
        let fill = Fill {
            key: &self.entry_key,
            token: self.token.expect("a course fills only under a lease"),
            id,
            epochs: &epochs,
            late: (!late.is_empty()).then_some(Late {
                marks: &late,
                unchanged: (&self.cache.stack.any_tag, unchanged),
                retain: self.policy.retain(Some(*life)),
            }),
            frame,
            ttl: *life,
        };
        let reply = self.l2().fill(fill, &self.cache.counters).await;
        if let (Some(FillReply::Stored), Some(cargo)) = (reply, &mut self.cargo) {
            cargo.id = Some(id);
        }
        reply
    }

    /// Gives back the lease that may be held.
    async fn release(&mut self) {
        if let (Some(l2), Some(token)) = (self.cache.l2(), self.token) {
            l2.release(&self.entry_key, token, &self.cache.counters).await;
        }
    }

    /// Extends the lease while the loader runs, in a task of its own: a loader may block its thread. Dropping the set ends
    /// it.
    fn keep_lease(&self, token: LeaseToken) -> JoinSet<()> {
        let cache = Arc::clone(self.cache);
        let key = self.entry_key.clone();
        let ttl = cache.stack.settings.lease_ttl;
        let mut keeper = JoinSet::new();
        keeper.spawn(async move {
            let Some(l2) = cache.l2() else { return };
            loop {
                sleep(ttl / 3).await;
                if !l2.extend(&key, token, ttl, &cache.counters).await {
                    return;
                }
            }
        });
        keeper
    }

    fn outcome(&mut self, end: End) -> Outcome<K, V> {
        match end {
            End::Promote => {
                if let Some(validated) = self.validated.take() {
                    self.count(stats::Event::L1Hit);
                    return Outcome::Landed(validated, Source::L1);
                }
                let entry = self.promotion.take().expect("a course promotes what was found usable");
                let (event, source) = match entry.life.is_fresh(clock::now()) {
                    true => (stats::Event::L2Hit, Source::L2),
                    false => (stats::Event::StaleHit, Source::Stale),
                };
                if self.order.behind.is_none() {
                    self.count(event);
                }
                Outcome::Landed(entry, source)
            }
            End::Loaded { admit } => {
                let mut cargo = self.cargo.take().expect("a course that loaded has a value");
                if !admit {
                    // What nobody may keep is fresh for nobody.
                    cargo.ttl = Duration::ZERO;
                }
                Outcome::Landed(
                    self.cache.landed(&self.landing.key, &self.entry_key, self.born(), cargo),
                    Source::Loaded,
                )
            }
            End::Failed => self.failed(),
            End::Absent => Outcome::Absent,
        }
    }

    fn failed(&mut self) -> Outcome<K, V> {
        let failure = self.failure.take().expect("a course that failed has a failure");
        let Some(entry) = self.flight().stand_in() else { return Outcome::Failed(failure) };
        let now = clock::now();
        entry.retry.failed(&self.cache.stack.proof, now);
        if !entry.standing.is_revoked() && entry.life.is_within(self.policy.stale_if_error, now) {
            return Outcome::Stale(entry, failure);
        }
        Outcome::Failed(failure)
    }

    fn promoted(&self, promotion: Promotion<V>, asked: Instant) -> Arc<Entry<K, V>> {
        let Promotion { value, id, span, cost, expired, tags, validator, size } = promotion;
        let life = Life { expired, ..Life::new(asked, span, self.cache.l1_lifetime()) };
        let life = self.cache.with_due(life, cost);
        let standing = self.cache.standing(&self.entry_key, self.born(), &tags);
        let origin = Origin { id: Some(id), tags, as_of: self.cache.as_of(asked), validator };
        self.cache.entry(&self.landing.key, value, life, standing, origin, Some(size))
    }

    /// When the flight was registered, in the order of invalidations.
    fn born(&self) -> Moment {
        self.landing.flight.standing.born
    }

    fn flight(&self) -> &Flight<K, V> {
        &self.landing.flight
    }

    fn marks(&self) -> Vec<Mark> {
        self.cache.scopes.iter().chain(self.known.marks()).cloned().collect()
    }

    fn l2(&self) -> &L2 {
        self.cache.l2().expect("a course that reaches L2 has one")
    }

    fn count(&self, event: stats::Event) {
        self.cache.note(event, self.landing.hash, &self.landing.key);
    }
}

/// Reads in a row for an entry whose tags nobody here knew of: it may be rewritten with others in between, or revoked.
const MAX_READS: usize = 3;

/// When L2 was asked.
#[derive(Clone, Copy)]
struct Asked {
    at: Instant,
    /// How many invalidations that had failed before it had been told of.
    deliveries: u64,
}

enum Weighed {
    Seen(Seen),
    /// This, unless asking again brings something better.
    AskAgain(Seen),
}
