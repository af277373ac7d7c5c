//! Carrying out a flight. What it does next is decided by [`Course`].

mod departure;
mod freight;
mod scales;

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    select,
    time::{Instant, sleep},
};

use super::{Cargo, Flight, Landing, Outcome, Place, Seat};
use crate::{
    answer::Source,
    backend::{Claim, Found, Lease, LeaseReply, Part, Read},
    bulkhead::Rooms,
    cache::{CacheKey, CacheValue, Shared},
    clock,
    coherence::{
        course::{Course, Effect, End, Event, Leased, Loaded, Mode, Seen},
        ledger::Moment,
    },
    entry::{Entry, EntryRef},
    key::{EntryKey, Mark, encode::KeyText},
    l2::L2,
    load::{self, BoxLoad, Failure, Lineage, Load},
    policy::Policy,
    stats,
    tag::Tags,
    token::{Epoch, LeaseToken, random_unit},
};

use self::{
    departure::Progress,
    scales::{Asked, Scales, Weighed},
};
pub(crate) use self::{
    departure::{embark, fly, glance, launch, launch_behind},
    scales::Ticket,
};

/// What a flight is to do.
pub(crate) struct Order<K, V> {
    pub(crate) text: KeyText,
    pub(crate) entry_key: EntryKey,
    /// What L1 has and may not serve as it is.
    pub(crate) resident: Option<EntryRef<K, V>>,
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

impl<K, V> Order<K, V> {
    fn ticket(&self) -> Ticket<'_> {
        Ticket { text: &self.text, entry_key: &self.entry_key, tags: &self.tags, serves_stale: self.serves_stale }
    }
}

/// Reads in a row for an entry whose tags nobody here knew of: it may be rewritten with others in between, or revoked.
const MAX_READS: usize = 3;

struct Pilot<'a, K: CacheKey, V: CacheValue> {
    landing: &'a Landing<K, V>,
    cache: &'a Arc<Shared<K, V>>,
    order: Order<K, V>,
    course: Course,
    /// What is to be done next.
    next: Effect,
    policy: Arc<Policy>,
    /// Drawn when a lease is asked for: from then on one may be held.
    token: Option<LeaseToken>,
    /// The tags whose epochs are asked for: those of the call, and those that an earlier entry had.
    known: Tags,
    /// Epochs captured with the lease: of the scopes, of `known`, and of any tag.
    captured: Vec<Epoch>,
    /// What L2 has.
    promotion: Option<EntryRef<K, V>>,
    /// What L1 has, found to be current still.
    validated: Option<EntryRef<K, V>>,
    cargo: Option<Cargo<V>>,
    failure: Option<Failure>,
}

impl<'a, K: CacheKey, V: CacheValue> Pilot<'a, K, V> {
    fn new(landing: &'a Landing<K, V>, order: Order<K, V>) -> Self {
        landing.flight.set_stand_in(order.resident.clone());
        Self::go_on(landing, Progress::new(landing, order))
    }

    fn go_on(landing: &'a Landing<K, V>, progress: Progress<K, V>) -> Self {
        let Progress { order, known, course, next } = progress;
        Self {
            landing,
            cache: &landing.cache,
            policy: landing.cache.policy(),
            order,
            course,
            next,
            token: None,
            known,
            captured: Vec::new(),
            promotion: None,
            validated: None,
            cargo: None,
            failure: None,
        }
    }

    /// What is left to do, of a flight that has found nothing and holds nothing.
    fn rest(self) -> Progress<K, V> {
        Progress { order: self.order, known: self.known, course: self.course, next: self.next }
    }

    /// A read of L2, if that is what comes first, and the end if that was all.
    async fn look(&mut self) -> Option<(Outcome<K, V>, End)> {
        if self.next == Effect::Read {
            let seen = self.read().await;
            self.proceed(Event::Read(seen));
        }
        self.ended()
    }

    fn ended(&mut self) -> Option<(Outcome<K, V>, End)> {
        match self.next {
            Effect::End(end) => Some((self.outcome(end), end)),
            _ => None,
        }
    }

    fn proceed(&mut self, event: Event) {
        self.next = self.course.next(event, clock::now(), random_unit);
    }

    async fn travel(&mut self) -> Option<(Outcome<K, V>, End)> {
        let end = self.follow_course().await?;
        Some((self.outcome(end), end))
    }

    /// To its end, or to where everyone has left. A call to L2 is never cut short: the lease that it may bring could not be
    /// given back, because on another connection its release would overtake it.
    async fn follow_course(&mut self) -> Option<End> {
        let landing = self.landing;
        let mut everyone_left = pin!(landing.everyone_left());
        loop {
            let event = match self.next {
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
            };
            self.proceed(event);
        }
    }

    /// One round trip, unless the entry has tags that nobody here knew of.
    async fn read(&mut self) -> Seen {
        if let Some(resident) = self.order.resident.take()
            && self.order.behind.is_none()
            && resident.is_fresh(clock::now())
            && resident.origin.id().is_some()
            && self.validate(&resident).await
        {
            self.validated = Some(resident);
            return Seen::Usable;
        }
        let mut seen = Seen::Absent;
        for _ in 0..MAX_READS {
            let asked = Asked::now(self.cache);
            let Some(found) = self.cache.found(&self.order.entry_key, &self.known).await else {
                return Seen::Unreachable;
            };
            match self.weigh(found, asked) {
                Ok(verdict) => return verdict,
                Err(or_else) => seen = or_else,
            }
        }
        seen
    }

    /// Whether L2 still has the entry that L1 has, with the marks as they are: one round trip that moves no value.
    async fn validate(&mut self, resident: &Entry<K, V>) -> bool {
        let asked = clock::now();
        let (id, tags) = (resident.origin.id(), resident.standing.tags());
        let marks: Vec<Mark> = self.cache.scopes.iter().chain(tags.marks()).cloned().collect();
        let read = Read { key: &self.order.entry_key, marks: &marks, part: Part::Head };
        let Ok(found) = self.l2().read(read, &self.cache.counters).await else { return false };
        let is_same = found.entry.is_some_and(|stored| {
            // No two marks ever have one epoch, so the order, which the frame would tell, is not needed.
            let has = |epoch: &Option<Epoch>| epoch.is_some_and(|epoch| stored.epochs.contains(&epoch));
            Some(stored.id) == id
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
        let asked = Asked::now(self.cache);
        let token = *self.token.get_or_insert_with(LeaseToken::random);
        let mut marks = self.marks();
        marks.push(self.cache.stack.any_tag.clone());
        let settings = &self.cache.stack.settings;
        let ask = Lease {
            key: &self.order.entry_key,
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
                    Ok(seen) => seen,
                    Err(_) => self.read().await,
                })
            }
        }
    }

    /// What was seen; or else what it comes to unless asking again brings something better.
    fn weigh(&mut self, found: Found, asked: Asked) -> Result<Seen, Seen> {
        let replaced = self.order.behind.as_ref().and_then(|place| place.entry.origin.id());
        let (landing, policy, ticket) = (self.landing, &*self.policy, self.order.ticket());
        let scales = Scales { landing, policy, ticket, known: &self.known, replaced };
        match scales.weigh(found, asked) {
            Weighed::Fresh(entry, _) | Weighed::Stale(entry) => {
                self.promotion = Some(entry);
                Ok(Seen::Usable)
            }
            Weighed::Seen(seen) => Ok(seen),
            Weighed::AskAgain { or_else, more } => {
                self.known = self.known.with(&more);
                Err(or_else)
            }
        }
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
        let cache = self.cache;
        let keep = |token| cache.stack.keep_lease(&self.order.entry_key, token, &cache.counters);
        let kept = self.token.filter(|_| leased).map(keep);
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
        drop((kept, room));
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

    /// Gives back the lease that may be held.
    async fn release(&mut self) {
        if let (Some(l2), Some(token)) = (self.cache.l2(), self.token) {
            l2.release(&self.order.entry_key, token, &self.cache.counters).await;
        }
    }

    fn outcome(&mut self, end: End) -> Outcome<K, V> {
        match end {
            End::Promote => {
                if let Some(validated) = self.validated.take() {
                    self.count(stats::Event::L1Hit);
                    return Outcome::Landed(validated, Source::L1);
                }
                let entry = self.promotion.take().expect("a course promotes what was found usable");
                let (event, source) = match entry.life().is_fresh(clock::now()) {
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
                let lot = self.cache.lot(self.landing.hash, &self.order.entry_key);
                let standing = self.cache.standing(lot, self.born(), &cargo.tags);
                let entry = self.cache.landed(&self.policy, self.landing.key.clone(), standing, cargo, clock::now());
                Outcome::Landed(entry, Source::Loaded)
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
        if !entry.standing.is_revoked() && entry.life().is_within(self.policy.stale_if_error, now) {
            return Outcome::Stale(entry, failure);
        }
        Outcome::Failed(failure)
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
