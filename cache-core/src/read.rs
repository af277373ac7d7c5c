//! The read path on the caller's side: L1, or else a seat on a flight.
//!
//! A hit ends in [`Shared::hit`] and never comes here.

mod here;

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::{
    answer::Source,
    cache::{CacheKey, CacheValue, Call, Shared},
    clock,
    codec::frame::MAX_TAGS,
    coherence::{
        course::{Mode, Reach},
        ledger::Moment,
        table::Kind,
    },
    entry::{Asker, Entry, EntryRef},
    error::{Error, ErrorKind, LoadError},
    flight::{Behind, Flight, Landing, Order, Outcome, Seat, Ticket, embark, glance, launch, launch_behind},
    key::{EntryKey, encode::KeyText},
    load::{BoxLoad, Failure, Lineage, Load},
    stats::Event,
    tag::Tags,
};

/// An entry and where it came from.
pub(crate) type Fetched<K, V> = Option<(EntryRef<K, V>, Source)>;

/// What a call found when it looked again under the lock.
enum Boarding<K, V> {
    /// A fresh entry, with the flight that replaces it where that is due.
    Hit(EntryRef<K, V>, Option<Behind<K, V>>),
    /// A stale entry, with the flight that replaces it where that is to be launched.
    Stale(EntryRef<K, V>, Option<Behind<K, V>>),
    Joined(Seat<K, V>),
    Leads(Lead<K, V>),
}

/// A flight that a call is to begin.
struct Lead<K, V> {
    flight: Arc<Flight<K, V>>,
    seat: Seat<K, V>,
    /// What L1 has, and could not serve.
    resident: Option<EntryRef<K, V>>,
}

/// A call that boarded.
pub(crate) struct Trip<'a, K: CacheKey, V: CacheValue> {
    passenger: Passenger<'a, K, V>,
    departure: Departure<K, V>,
}

enum Departure<K, V> {
    Answered(Fetched<K, V>),
    /// On its own flight, or on another call's.
    Seated {
        seat: Seat<K, V>,
        own: bool,
    },
}

/// One call that was no hit in L1.
pub(crate) struct Passenger<'a, K: CacheKey, V: CacheValue> {
    cache: &'a Arc<Shared<K, V>>,
    key: K,
    hash: u64,
    text: KeyText,
    entry_key: EntryKey,
    tags: Tags,
    call: Call,
    lineage: Lineage,
    /// What was invalidated before this moment must not be served to it.
    since: Moment,
    began: Instant,
    /// Set when a flight failed with an error of a type that is not this call's: it then flies by itself.
    alone: bool,
}

impl<K: CacheKey, V: CacheValue> Shared<K, V> {
    /// Fetches by way of a flight. `load` is used at most once, and only by a call that leads; without one, L2 is asked
    /// and nothing is loaded.
    pub(crate) fn fetch<F, Fut, E>(
        self: &Arc<Self>,
        key: K,
        hash: u64,
        call: Call,
        load: Option<F>,
    ) -> Result<impl Future<Output = Result<Fetched<K, V>, LoadError<E>>>, Error>
    where
        F: FnOnce(Load) -> Fut,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        let mut load = load.map(|load| |handle| erased(load(handle)));
        let mut passenger = Passenger::new(self, key, hash, call)?;
        // Not an `async fn`, which would keep its arguments for as long as it waits.
        Ok(async move { passenger.travel::<_, E>(&mut load).await })
    }

    /// The first half of a [fetch](Self::fetch): everything up to the wait. A batch begins many before it waits for any, so a
    /// flight that is begun here must get on without being polled by its caller.
    pub(crate) fn depart<F, E>(
        self: &Arc<Self>,
        key: K,
        hash: u64,
        call: Call,
        load: &mut Option<F>,
    ) -> Result<Trip<'_, K, V>, Error>
    where
        F: FnOnce(Load) -> BoxLoad<V>,
        E: Send + Sync + 'static,
    {
        let passenger = Passenger::new(self, key, hash, call)?;
        let departure = passenger.depart::<F, E>(load)?;
        Ok(Trip { passenger, departure })
    }
}

impl<K: CacheKey, V: CacheValue> Trip<'_, K, V> {
    /// The second half, with what is left of the loader.
    pub(crate) async fn arrive<F, E>(self, mut load: Option<F>) -> Result<Fetched<K, V>, LoadError<E>>
    where
        F: FnOnce(Load) -> BoxLoad<V>,
        E: Send + Sync + 'static,
    {
        let Self { mut passenger, mut departure } = self;
        loop {
            match departure {
                Departure::Answered(fetched) => return Ok(fetched),
                Departure::Seated { seat, own } => {
                    if let Some(fetched) = passenger.arrive(seat, own).await? {
                        return Ok(fetched);
                    }
                }
            }
            departure = passenger.depart::<F, E>(&mut load)?;
        }
    }
}

impl<'a, K: CacheKey, V: CacheValue> Passenger<'a, K, V> {
    pub(crate) fn new(cache: &'a Arc<Shared<K, V>>, key: K, hash: u64, call: Call) -> Result<Self, Error> {
        let tags = cache.stack.ledger.tags(&call.tags);
        if tags.len() > MAX_TAGS {
            let context = format!("an entry has at most {MAX_TAGS} tags, this call names {}", tags.len());
            return Err(Error::new(ErrorKind::Config, "tags").context(context));
        }
        cache.stack.ensure_tended();
        let since = cache.stack.ledger.moment();
        let text = cache.encode(&key)?;
        let entry_key = cache.entry_key(&text);
        Ok(Self {
            cache,
            key,
            hash,
            text,
            entry_key,
            tags,
            call,
            lineage: Lineage::current(),
            since,
            began: clock::now(),
            alone: false,
        })
    }

    /// All of it. A flight that this call leads begins in its own task: a hit in L2 needs no other.
    pub(crate) async fn travel<F, E>(&mut self, load: &mut Option<F>) -> Result<Fetched<K, V>, LoadError<E>>
    where
        F: FnOnce(Load) -> BoxLoad<V>,
        E: Send + Sync + 'static,
    {
        loop {
            let (seat, own) = match self.board()? {
                Boarding::Leads(Lead { flight, seat, resident }) => {
                    let entry = self.embark::<F, E>(&flight, resident, load).await;
                    flight.set_led_by_caller(false);
                    if let Some(entry) = entry {
                        return Ok(Some((entry, Source::L2)));
                    }
                    (seat, true)
                }
                boarding => match self.take::<F, E>(boarding, load) {
                    Departure::Answered(fetched) => return Ok(fetched),
                    Departure::Seated { seat, .. } => (seat, false),
                },
            };
            if let Some(fetched) = self.arrive(seat, own).await? {
                return Ok(fetched);
            }
        }
    }

    /// Boards: answers at once, or takes a seat. `load` is left where somebody else's flight was joined.
    fn depart<F, E>(&self, load: &mut Option<F>) -> Result<Departure<K, V>, Error>
    where
        F: FnOnce(Load) -> BoxLoad<V>,
        E: Send + Sync + 'static,
    {
        let boarding = self.board()?;
        Ok(self.take::<F, E>(boarding, load))
    }

    fn take<F, E>(&self, boarding: Boarding<K, V>, load: &mut Option<F>) -> Departure<K, V>
    where
        F: FnOnce(Load) -> BoxLoad<V>,
        E: Send + Sync + 'static,
    {
        match boarding {
            Boarding::Hit(entry, behind) => {
                self.launch_behind::<F, E>(behind, load);
                Departure::Answered(Some((entry, Source::L1)))
            }
            Boarding::Stale(entry, behind) => {
                self.cache.note(Event::StaleHit, self.hash, &self.key);
                self.launch_behind::<F, E>(behind, load);
                Departure::Answered(Some((entry, Source::Stale)))
            }
            Boarding::Joined(seat) => Departure::Seated { seat, own: false },
            Boarding::Leads(Lead { flight, seat, resident }) => {
                self.launch::<F, E>(&flight, resident, load.take());
                Departure::Seated { seat, own: true }
            }
        }
    }

    /// Waits for the flight to land. Nothing if its answer is none for this call, which is to board once more.
    async fn arrive<E>(&mut self, seat: Seat<K, V>, own: bool) -> Result<Option<Fetched<K, V>>, LoadError<E>>
    where
        E: Send + Sync + 'static,
    {
        if !own && self.is_stalled(&seat).await {
            self.alone = true;
            return Ok(None);
        }
        let outcome = match self.wait(&seat).await {
            Some(outcome) => outcome,
            // The load is slow.
            None => match seat.stand_in().filter(|entry| self.may_stand_in(entry)) {
                Some(entry) => {
                    seat.leave_unattended();
                    return Ok(Some(Some(self.stale(entry, own))));
                }
                None => seat.outcome().await,
            },
        };
        let failure = match outcome {
            Outcome::Stale(entry, _) if self.may_stand_in(&entry) => return Ok(Some(Some(self.stale(entry, own)))),
            Outcome::Landed(entry, source) if own => return Ok(Some(Some((entry, source)))),
            // Asked once more when the entry is there: now the tags are known that only the loader named.
            Outcome::Landed(entry, source) if entry.standing.may_serve(self.since) => {
                let (event, source) = match source {
                    Source::Stale => (Event::StaleHit, Source::Stale),
                    _ => (Event::Joined, Source::Joined),
                };
                self.cache.note(event, self.hash, &self.key);
                return Ok(Some(Some((entry, source))));
            }
            Outcome::Landed(..) => return Ok(None),
            Outcome::Absent => {
                self.cache.note(Event::Miss, self.hash, &self.key);
                return Ok(Some(None));
            }
            Outcome::Stale(_, failure) | Outcome::Failed(failure) => failure,
        };
        match failure {
            Failure::Cache(error) => return Err(LoadError::Cache(error)),
            Failure::Loader(error) => match error.downcast() {
                Ok(error) => return Err(LoadError::Loader(error)),
                Err(_) => self.alone = true,
            },
            Failure::Missing if self.call.is_of_a_batch => return Ok(Some(None)),
            Failure::Missing => self.alone = true,
            Failure::Abandoned if own => return Err(Error::new(ErrorKind::Closed, "load").into()),
            Failure::Abandoned => {}
        }
        Ok(None)
    }

    /// Under the lock of the key's table: looks at L1 once more (a flight may have landed since), joins, or registers a
    /// flight, before L2 or the origin is asked.
    fn board(&self) -> Result<Boarding<K, V>, Error> {
        let mut table = self.cache.table(self.hash);
        let resident = self.cache.resident(self.hash, &self.key);
        if !self.asks_further()
            && let Some(entry) = resident.clone().filter(|entry| self.cache.hits(entry, Asker::Looks))
        {
            self.cache.note(Event::L1Hit, self.hash, &self.key);
            let is_due =
                self.call.mode == Mode::Load && !self.call.here && entry.is_due(clock::now(), &self.cache.stack.proof);
            let behind = is_due.then(|| self.cache.behind(&mut table, &entry, &self.entry_key, &self.tags));
            return Ok(Boarding::Hit(entry, behind.flatten()));
        }
        if self.serves_stale()
            && let Some(entry) = resident.clone().filter(|entry| self.cache.may_serve_stale(entry, clock::now()))
        {
            let behind = self.cache.behind(&mut table, &entry, &self.entry_key, &self.tags);
            return Ok(Boarding::Stale(entry, behind));
        }
        let kind = self.kind();
        let joined = match self.alone || self.asks_further() {
            true => None,
            false => table.join(&self.key, kind, |flight| self.may_join(flight)),
        };
        if let Some(flight) = joined {
            if self.lineage.contains(flight.id) {
                return Err(Error::new(ErrorKind::Reentrant, "load").context(self.cache.label.clone()));
            }
            return Ok(Boarding::Joined(flight.seat()));
        }
        let (flight, seat) = self.cache.take_off(&mut table, kind, (self.hash, &self.key), &self.entry_key, &self.tags);
        Ok(Boarding::Leads(Lead { flight, seat, resident }))
    }

    /// Whether neither L1 as it is nor another call's flight can answer.
    fn asks_further(&self) -> bool {
        self.call.mode == Mode::Refresh || (self.call.validated && self.cache.l2().is_some())
    }

    fn serves_stale(&self) -> bool {
        self.call.mode == Mode::Load && !self.call.validated && !self.call.here
    }

    /// How a flight ended; nothing if that takes longer than the soft timeout.
    async fn wait(&self, seat: &Seat<K, V>) -> Option<Outcome<K, V>> {
        match self.cache.policy_now().soft_timeout {
            Some(patience) if self.serves_stale() => timeout_at(self.began + patience, seat.outcome()).await.ok(),
            _ => Some(seat.outcome().await),
        }
    }

    /// Whether another call's flight stands still because nobody polls that call.
    async fn is_stalled(&self, seat: &Seat<K, V>) -> bool {
        match self.cache.l2() {
            Some(l2) => seat.is_stalled(2 * l2.deadline()).await,
            None => false,
        }
    }

    /// An answer in place of a load that is slow or failed. Who led the flight is counted by it.
    fn stale(&self, entry: EntryRef<K, V>, own: bool) -> (EntryRef<K, V>, Source) {
        if !own {
            self.cache.note(Event::StaleHit, self.hash, &self.key);
        }
        (entry, Source::Stale)
    }

    /// Whether an entry may answer in place of a load. It may be older than the flight that it comes by.
    fn may_stand_in(&self, entry: &Entry<K, V>) -> bool {
        let is_proven = self.cache.stack.proof.holds(entry.origin.as_of.get(), self.began);
        let is_servable = entry.life().is_within(Some(self.cache.policy_now().grace()), clock::now());
        // Revoked is asked last: what proves it may have come with what revokes it.
        self.serves_stale() && is_proven && is_servable && !entry.standing.is_revoked()
    }

    /// Joining is serving: what could not be served had it been in L1 is not joined either.
    fn may_join(&self, flight: &Flight<K, V>) -> bool {
        let (proof, now) = (&self.cache.stack.proof, clock::now());
        let is_proven = match flight.unleased.get() {
            Some(began) => proof.is_recent(*began, now),
            None => proof.holds(flight.as_of, now),
        };
        if !is_proven {
            self.cache.counters.count(Event::JoinRefused);
        }
        is_proven && flight.standing.may_serve(self.since)
    }

    fn launch_behind<F, E>(&self, behind: Option<Behind<K, V>>, load: &mut Option<F>)
    where
        F: FnOnce(Load) -> BoxLoad<V>,
        E: Send + Sync + 'static,
    {
        if let Some(behind) = behind {
            let landing = Landing::new(self.cache, &behind.flight, &self.key, self.hash);
            launch_behind(landing, behind, self.order::<F, E>(load.take()));
        }
    }

    fn launch<F, E>(&self, flight: &Arc<Flight<K, V>>, resident: Option<EntryRef<K, V>>, load: Option<F>)
    where
        F: FnOnce(Load) -> BoxLoad<V>,
        E: Send + Sync + 'static,
    {
        // Before the caller's code runs: should making the loader panic, the flight ends with it.
        let landing = Landing::new(self.cache, flight, &self.key, self.hash);
        let order = Order {
            resident: resident.filter(|_| self.call.mode != Mode::Refresh),
            _companion: self.call.to_the_end.then(|| flight.seat()),
            ..self.order::<F, E>(load)
        };
        launch(landing, order);
    }

    /// Begins a flight in this task, where that will do. Returns what it brought if that was fresh in L2.
    async fn embark<F, E>(
        &self,
        flight: &Arc<Flight<K, V>>,
        resident: Option<EntryRef<K, V>>,
        load: &mut Option<F>,
    ) -> Option<EntryRef<K, V>>
    where
        F: FnOnce(Load) -> BoxLoad<V>,
        E: Send + Sync + 'static,
    {
        // Who may have to be answered before L2 has, or must not be waited for, has it read from afar.
        let is_afar = self.call.to_the_end || self.cache.policy_now().soft_timeout.is_some();
        let reads = self.call.mode != Mode::Refresh && self.cache.reach(&self.entry_key, &self.tags) == Reach::Shared;
        if is_afar || !reads {
            self.launch::<F, E>(flight, resident, load.take());
            return None;
        }
        flight.set_led_by_caller(true);
        // Before the caller's code runs: should making the loader panic, the flight ends with it.
        let landing = Landing::new(self.cache, flight, &self.key, self.hash);
        if resident.is_some() {
            // Apart: it takes more room than others need.
            let order = Order { resident, ..self.order::<F, E>(load.take()) };
            Box::pin(embark(landing, order)).await;
            return None;
        }
        let Self { text, entry_key, tags, .. } = self;
        let ticket = Ticket { text, entry_key, tags, serves_stale: self.serves_stale() };
        glance(landing, ticket, || self.order::<F, E>(load.take())).await
    }

    fn order<F, E>(&self, load: Option<F>) -> Order<K, V>
    where
        F: FnOnce(Load) -> BoxLoad<V>,
        E: Send + Sync + 'static,
    {
        Order {
            text: self.text.clone(),
            entry_key: self.entry_key.clone(),
            resident: None,
            mode: self.call.mode,
            tags: self.tags.clone(),
            ttl: self.call.ttl,
            loader: load.map(prepare),
            lineage: self.lineage.clone(),
            serves_stale: self.serves_stale(),
            ran_from: None,
            paused: self.paused::<E>(),
            behind: None,
            _companion: None,
        }
    }

    /// How the last load of the key failed, if that is to answer this call in place of another load. Its error must be of this
    /// call's type.
    fn paused<E: Send + Sync + 'static>(&self) -> Option<Failure> {
        if self.call.mode != Mode::Load || self.alone {
            return None;
        }
        self.cache.policy_now().error_backoff?;
        self.cache.backoff.failure(&self.key).filter(|failure| match failure {
            Failure::Loader(error) => error.is::<E>(),
            _ => true,
        })
    }

    fn kind(&self) -> Kind {
        match self.call.mode {
            Mode::Load | Mode::Refresh => Kind::Load,
            Mode::Lookup => Kind::Lookup,
        }
    }
}

/// Makes the loader's future. It is not polled before the flight needs it.
fn prepare<V>(load: impl FnOnce(Load) -> BoxLoad<V>) -> (BoxLoad<V>, Load) {
    let handle = Load::default();
    (load(handle.clone()), handle)
}

/// A loader's future without the type of its error.
pub(crate) fn erased<V, E: Send + Sync + 'static>(
    loading: impl Future<Output = Result<V, E>> + Send + 'static,
) -> BoxLoad<V> {
    Box::pin(async move { loading.await.map_err(|error| Failure::Loader(Arc::new(error))) })
}

#[cfg(all(test, shuttle))]
mod interleavings;
