//! What all handles of one cache share.

mod control;
mod packing;

use std::{
    borrow::Cow,
    hash::{BuildHasher, Hasher},
    ops::{Deref, DerefMut},
    sync::{
        Arc, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use foldhash::quality::SeedableRandomState;
use tokio::time::Instant;

use self::{control::bulkhead, packing::VERIFIED};
use super::{CacheKey, CacheValue, backoff::Backoff};
use crate::{
    answer::Source,
    attention,
    backend::{Found, Part, Read},
    batch::Gathering,
    bulkhead::{Bulkhead, Rooms},
    clock,
    codec::{self, ValueCodec, digest::digest},
    coherence::{
        course::Reach,
        ledger::{Lot, Moment, Scopes, Standing},
        proof::{AsOf, Stamp},
        table::{Kind, Table},
    },
    entry::{Asker, Entry, EntryRef, Life, Origin, Span},
    error::Result,
    events,
    flight::{Behind, Cargo, Flight, Place, Seat},
    key::{
        CacheName, EntryKey, Mark,
        encode::{self, KeyText},
    },
    l1::{ENTRY_OVERHEAD, Front, Pin, collect_lot},
    l2::L2,
    lookup::Lookup,
    policy::{LONGEST, Overrides, Policy, Tiers},
    scope,
    stack::StackInner,
    stats::{Counters, Event},
    sync::{Mutex, MutexGuard},
    tag::Tags,
    token::random_unit,
};

pub(crate) type Weigher<K, V> = Arc<dyn Fn(&K, &V) -> u32 + Send + Sync>;

/// A cache: its configuration, its accessors to the tiers, and the operations under way on its keys.
pub(crate) struct Shared<K, V> {
    pub(crate) stack: Arc<StackInner>,
    /// The name as the user wrote it.
    pub(crate) label: Arc<str>,
    pub(crate) name: CacheName,
    pub(crate) version: u32,
    definition: Definition,
    policy: ArcSwap<Policy>,
    /// Which tiers it uses, for as long as it is.
    tiers: Tiers,
    /// Switched off by hand, whatever the policy says.
    is_off: AtomicBool,
    pub(crate) codec: Arc<dyn ValueCodec<V>>,
    pub(crate) weigher: Option<Weigher<K, V>>,
    /// The marks of the namespace and of this cache: every entry has them.
    pub(crate) scopes: [Mark; 2],
    local_scopes: Arc<Scopes>,
    pub(crate) counters: Arc<Counters>,
    /// Where a hit finds its entry.
    pub(crate) front: Arc<Front<K, V>>,
    tables: Box<[Mutex<Flights<K, V>>]>,
    hasher: SeedableRandomState,
    pub(crate) loads: ArcSwapOption<Bulkhead>,
    pub(crate) backoff: Backoff<K>,
    /// Where single calls of a function of many keys meet.
    pub(crate) gathering: OnceLock<Arc<Gathering<K, V>>>,
    /// Values to verify before they are stored: see [`pack`](Self::pack).
    unverified: AtomicU32,
}

pub(crate) type Flights<K, V> = Table<K, Arc<Flight<K, V>>>;

/// A power of two.
const TABLES: usize = 16;

/// What its builder said of its policy.
pub(crate) struct Definition {
    /// Its entry in the TTL map.
    pub(crate) kind: String,
    pub(crate) overrides: Overrides,
    /// Whether it named a codec itself, so that the policy's is none of its business.
    pub(crate) has_codec: bool,
}

/// What a new cache is made of.
pub(crate) struct Parts<K, V> {
    pub(crate) stack: Arc<StackInner>,
    pub(crate) id: u32,
    /// It was built before, and finds the entries that it had.
    pub(crate) is_known: bool,
    pub(crate) label: Arc<str>,
    pub(crate) name: CacheName,
    pub(crate) version: u32,
    pub(crate) definition: Definition,
    pub(crate) policy: Policy,
    pub(crate) codec: Arc<dyn ValueCodec<V>>,
    pub(crate) weigher: Option<Weigher<K, V>>,
    pub(crate) counters: Arc<Counters>,
}

impl<K: CacheKey, V: CacheValue> Shared<K, V> {
    pub(crate) fn new(parts: Parts<K, V>) -> Self {
        let Parts { stack, id, is_known, label, name, version, definition, policy, codec, weigher, counters } = parts;
        let scopes = [stack.log.mark().clone(), name.mark()];
        let hasher = stack.store.hasher(id);
        let loads = bulkhead(&policy, &stack);
        let backoff = Backoff::default();
        let front = Arc::new(Front::new(id, Arc::clone(&counters)));
        if is_known {
            front.is_behind();
        }
        let found_in: Weak<Front<K, V>> = Arc::downgrade(&front);
        let local_scopes = Arc::new(stack.ledger.scopes(&scopes).of_cache(id, found_in));
        Self {
            stack,
            label,
            name,
            version,
            definition,
            tiers: policy.tiers,
            policy: ArcSwap::from_pointee(policy),
            is_off: AtomicBool::new(false),
            codec,
            weigher,
            scopes,
            local_scopes,
            front,
            counters,
            tables: (0..TABLES).map(|_| Mutex::new(Table::new())).collect(),
            loads: ArcSwapOption::new(loads),
            backoff,
            gathering: OnceLock::new(),
            unverified: AtomicU32::new(VERIFIED),
            hasher,
        }
    }

    /// L2, if this cache uses it.
    pub(crate) fn l2(&self) -> Option<&L2> {
        self.stack.l2.as_ref().filter(|_| self.tiers.has_l2())
    }

    #[inline]
    pub(crate) fn hash<L: Lookup<Key = K>>(&self, key: &L) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        key.hash(&mut hasher);
        hasher.finish()
    }

    /// The value, if L1 may serve it now.
    #[inline(always)]
    pub(crate) fn value<L: Lookup<Key = K>>(&self, key: &L, to: Asker) -> Option<V> {
        if attention::is_asked() {
            return self.value_attentively(key, to);
        }
        // Before the hash, which would have to be put aside for it.
        let pin = Pin::new();
        self.hit_by(pin, self.hash(key), key, to, |entry| entry.value.clone())
    }

    #[cold]
    #[inline(never)]
    fn value_attentively<L: Lookup<Key = K>>(&self, key: &L, to: Asker) -> Option<V> {
        if scope::current().is_some() {
            return None;
        }
        self.hit(self.hash(key), key, to, |entry| entry.value.clone())
    }

    /// What `read` makes of the entry, if L1 may serve it now.
    pub(crate) fn hit<L: Lookup<Key = K>, T>(
        &self,
        hash: u64,
        key: &L,
        to: Asker,
        read: impl FnOnce(&Entry<K, V>) -> T,
    ) -> Option<T> {
        self.hit_by(Pin::new(), hash, key, to, |entry| {
            if attention::is_asked() {
                self.counters.tell(events::Kind::Hit { source: Source::L1 }, hash, || encode::text(&entry.key));
            }
            read(entry)
        })
    }

    #[inline(always)]
    fn hit_by<L: Lookup<Key = K>, T>(
        &self,
        pin: Pin,
        hash: u64,
        key: &L,
        to: Asker,
        read: impl FnOnce(&Entry<K, V>) -> T,
    ) -> Option<T> {
        let StackInner { ledger, proof, .. } = &*self.stack;
        if let Some(entry) = self.front.get(hash, key, &pin)
            && entry.is_proven(proof, to)
            && (entry.residence.is_as_seen(ledger.changes()) || self.look_again(entry))
        {
            self.counters.count(Event::L1Hit);
            return Some(read(entry));
        }
        drop(pin);
        let entry = self.hit_behind(hash, key, to)?;
        Some(read(&entry))
    }

    /// Whether its marks hold, after something changed. Has moka told of it, if that is due.
    #[cold]
    #[inline(never)]
    fn look_again(&self, entry: &Entry<K, V>) -> bool {
        let changes = self.stack.ledger.changes();
        let holds = entry.standing.holds();
        if holds {
            self.stack.store.tell(entry);
            entry.residence.see(changes);
        }
        holds
    }

    /// A hit that is not in the front, where the next one is to find it.
    #[cold]
    fn hit_behind<L: Lookup<Key = K>>(&self, hash: u64, key: &L, to: Asker) -> Option<EntryRef<K, V>> {
        let store = &self.stack.store;
        let entry = store.get(&self.front, hash, key).filter(|entry| self.hits(entry, to))?;
        self.counters.count(Event::L1Hit);
        // Who holds the lock already, or would have to wait for it, does without.
        let pin = Pin::new();
        if let Ok(_table) = self.tables[hash as usize % TABLES].try_lock() {
            store.promote(&self.front, key, &entry);
        }
        drop(pin);
        collect_lot();
        Some(entry)
    }

    /// Whether L1 may serve an entry that it has now.
    pub(crate) fn hits(&self, entry: &Entry<K, V>, to: Asker) -> bool {
        entry.is_proven(&self.stack.proof, to) && entry.standing.holds()
    }

    /// The entry that L1 has, fresh or stale, proven or not, but not revoked.
    pub(crate) fn resident(&self, hash: u64, key: &K) -> Option<EntryRef<K, V>> {
        let entry = self.stack.store.get(&self.front, hash, &key)?;
        (entry.life().is_kept(clock::now()) && !entry.standing.is_revoked()).then_some(entry)
    }

    /// Whether a call that began `now` may be answered with a stale entry, whatever becomes of its load: inside the window for
    /// that, or for as long as a load that failed is not tried again.
    pub(crate) fn may_serve_stale(&self, entry: &Entry<K, V>, now: Instant) -> bool {
        let (proof, policy) = (&self.stack.proof, self.policy());
        let Policy { stale_while_revalidate, stale_if_error, .. } = &*policy;
        let is_paused = || entry.retry.is_paused(proof, now);
        let life = entry.life();
        let is_servable =
            life.is_within(*stale_while_revalidate, now) || (life.is_within(*stale_if_error, now) && is_paused());
        let is_proven = proof.holds(entry.origin.as_of.get(), now);
        is_servable && is_proven && !entry.is_fresh(now) && !entry.standing.is_revoked()
    }

    /// Registers a flight.
    pub(crate) fn take_off(
        &self,
        table: &mut Flights<K, V>,
        kind: Kind,
        (hash, key): (u64, &K),
        entry_key: &EntryKey,
        tags: &Tags,
    ) -> (Arc<Flight<K, V>>, Seat<K, V>) {
        let standing = self.standing(self.lot(hash, entry_key), self.stack.ledger.moment(), tags);
        let as_of = self.stack.proof.stamp(clock::now());
        let flight = Arc::new(Flight::new(self.stack.next_operation(), standing, as_of));
        table.lead(key, kind, flight.id, Arc::clone(&flight));
        let seat = flight.seat();
        (flight, seat)
    }

    /// Registers a flight that replaces an entry that is stale or due, unless one is under way, or has just failed, or too many are.
    pub(crate) fn behind(
        &self,
        table: &mut Flights<K, V>,
        entry: &EntryRef<K, V>,
        entry_key: &EntryKey,
        tags: &Tags,
    ) -> Option<Behind<K, V>> {
        let key = &entry.key;
        if entry.retry.is_paused(&self.stack.proof, clock::now()) || table.join(key, Kind::Load, |_| true).is_some() {
            return None;
        }
        let permit = Arc::clone(&self.stack.refreshes).try_acquire_owned().ok()?;
        let (flight, seat) = self.take_off(table, Kind::Load, (entry.residence.hash, key), entry_key, tags);
        Some(Behind { flight, seat, place: Place::new(entry, permit) })
    }

    /// Room for a load, within its deadline. One that is `exempt` needs none: it runs in that of another.
    pub(crate) async fn room(&self, is_exempt: bool) -> Result<Rooms> {
        let mut rooms = [None, None];
        if is_exempt {
            return Ok(rooms);
        }
        let (own, patience) = (self.loads.load_full(), self.policy().hard_timeout);
        for (room, bulkhead) in rooms.iter_mut().zip([own.as_deref(), self.stack.loads.as_ref()]) {
            if let Some(bulkhead) = bulkhead {
                *room = Some(bulkhead.enter(patience, &self.counters).await?);
            }
        }
        Ok(rooms)
    }

    /// The operations on the keys of one shard.
    pub(crate) fn table(&self, hash: u64) -> Locked<'_, K, V> {
        let pin = Pin::new();
        Locked { table: lock(&self.tables[hash as usize % TABLES]), _pin: pin, _collected: Collected }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.tables.iter().map(|table| lock(table).len()).sum()
    }

    pub(crate) fn encode(&self, key: &K) -> Result<KeyText> {
        encode::encode(key, &self.stack.domain)
    }

    pub(crate) fn entry_key(&self, text: &KeyText) -> EntryKey {
        EntryKey::new(&self.name, self.version, &text.text)
    }

    /// Whether L2 may be asked about an entry at present.
    pub(crate) fn reach(&self, key: &EntryKey, tags: &Tags) -> Reach {
        let marks = self.scopes.iter().chain(tags.marks());
        match self.l2().is_some() && !self.stack.distrusts(key, marks) {
            true => Reach::Shared,
            false => Reach::LocalOnly,
        }
    }

    /// What L2 has of an entry, and of the marks that judge it if its tags are among `tags`. Nothing if there is no answer.
    pub(crate) async fn found(&self, key: &EntryKey, tags: &Tags) -> Option<Found> {
        let marks = match tags.len() {
            0 => Cow::Borrowed(&self.scopes[..]),
            _ => Cow::Owned(self.scopes.iter().chain(tags.marks()).cloned().collect()),
        };
        let read = Read { key, marks: &marks, part: Part::Whole };
        self.l2()?.read(read, &self.counters).await.ok()
    }

    /// What something born at `born` rests on.
    pub(crate) fn standing(&self, lot: Lot, born: Moment, tags: &Tags) -> Standing {
        Standing::new(born, &self.local_scopes, lot, tags.clone())
    }

    /// The lot of an entry: by its name, for so others speak of it, or where there are none, by its hash.
    pub(crate) fn lot(&self, hash: u64, key: &EntryKey) -> Lot {
        let ledger = &self.stack.ledger;
        if self.stack.l2.is_some() { ledger.lot(key.stem()) } else { ledger.lot_by_hash(hash) }
    }

    /// How long a value lives: what was asked for or the policy's, shortened by jitter so that what was stored together
    /// does not expire together.
    pub(crate) fn lifetime(&self, policy: &Policy, value: &V, asked: Option<Duration>) -> Duration {
        let ttl = asked.unwrap_or_else(|| match policy.negative_ttl {
            Some(ttl) if codec::is_negative(value) => ttl,
            _ => policy.ttl,
        });
        policy.jittered(ttl.min(LONGEST), random_unit())
    }

    /// The time to live of an entry whose reload brought what `earlier` has, or something else.
    pub(crate) fn adapted(
        &self,
        policy: &Policy,
        earlier: &Entry<K, V>,
        value: &V,
        is_unchanged: bool,
    ) -> Option<Duration> {
        let adaptive = policy.adaptive?;
        let is_same = is_unchanged || digest(&earlier.value) == digest(value);
        self.counters.count(if is_same { Event::Unchanged } else { Event::Changed });
        Some(adaptive.next(earlier.life().ttl(), is_same))
    }

    /// How long L1 keeps an entry; jittered for each process by itself.
    pub(crate) fn l1_lifetime(&self, policy: &Policy) -> Duration {
        match (policy.l1_ttl, &self.stack.l2) {
            (Some(ttl), _) => policy.jittered(ttl, random_unit()),
            (None, Some(_)) => {
                let longest = policy.longest_ttl() + policy.grace();
                policy.jittered(longest.min(self.stack.settings.l1_ttl), random_unit())
            }
            // As long as there is an entry.
            (None, None) => LONGEST,
        }
    }

    /// The entry of a value that came `now`, as old as its load.
    ///
    /// What was loaded shows all that was committed before its load began, so it is current as of then. Without a lease nobody
    /// knows whether a guard was open, whose write others need not hear of: then being in step with the log proves nothing,
    /// and it stays for `max_staleness` only.
    pub(crate) fn landed(
        &self,
        policy: &Policy,
        key: K,
        standing: Standing,
        cargo: Cargo<V>,
        now: Instant,
    ) -> EntryRef<K, V> {
        // What a caller brings has no age.
        let age = if cargo.started == now { Duration::ZERO } else { now - cargo.started };
        let fresh = cargo.ttl.saturating_sub(age);
        let left = if fresh.is_zero() { fresh } else { fresh + cargo.grace };
        let span = Span { age, ttl: cargo.ttl, left };
        let stay = match cargo.leased {
            true => self.l1_lifetime(policy),
            false => self.l1_lifetime(policy).min(self.stack.settings.max_staleness.saturating_sub(age)),
        };
        let life = Life::new(now, span, stay).due_by(policy, age);
        let as_of = self.as_of(cargo.started);
        let origin = Origin::new(as_of, cargo.id, cargo.validator);
        self.entry(key, cargo.value, life, standing, origin, cargo.size)
    }

    pub(crate) fn as_of(&self, at: Instant) -> AsOf {
        match self.stack.l2 {
            Some(_) => AsOf::new(self.stack.proof.stamp(at)),
            // Alone it is always in step.
            None => AsOf::new(Stamp(0)),
        }
    }

    pub(crate) fn entry(
        &self,
        key: K,
        value: V,
        life: Life,
        standing: Standing,
        origin: Origin,
        size: Option<usize>,
    ) -> EntryRef<K, V> {
        let weight = match &self.weigher {
            Some(weigher) => weigher(&key, &value),
            None => {
                let text = self.stack.store.is_weighed().then(|| encode::text(&key)).flatten();
                let size = size.unwrap_or_default() + text.map_or(0, |text| text.len());
                u32::try_from(size).unwrap_or(u32::MAX)
            }
        };
        let (hash, weight) = (self.hash(&&key), weight.saturating_add(ENTRY_OVERHEAD));
        EntryRef::new(Entry::new((key, hash), (value, weight), life, standing, origin))
    }

    /// Puts an entry into L1, in the place of what is there. One that may not stay leaves that place empty: what it
    /// supersedes must not outlive it. Only under the lock of its key's table, by an operation that was not superseded.
    pub(crate) fn admit(&self, hash: u64, entry: &EntryRef<K, V>, now: Instant) {
        self.backoff.forgive(&entry.key);
        let may_stay = entry.life().is_kept(now) && self.tiers.has_l1() && !self.is_bypassed();
        if !may_stay || self.stack.ledger.was_revoked(&entry.standing) {
            return self.remove(hash, &entry.key);
        }
        if self.stack.store.insert(&self.front, entry.clone()) {
            self.stack.ledger.stir();
        }
    }

    /// Drops an entry from L1 and bars what is under way for it from being joined or stored.
    pub(crate) fn drop_local(&self, hash: u64, key: &K) {
        let mut table = self.table(hash);
        table.supersede(key);
        self.backoff.forgive(key);
        self.remove(hash, key);
    }

    /// Only under the lock of its key's table.
    pub(crate) fn remove(&self, hash: u64, key: &K) {
        self.stack.store.remove(&self.front, hash, key);
    }

    /// Counts what happened to an entry, and tells those who want to know.
    #[inline]
    pub(crate) fn note(&self, event: Event, hash: u64, key: &K) {
        self.counters.note(event, Some(hash), || encode::text(key));
    }

    pub(crate) fn note_load(&self, took: Duration, succeeded: bool, hash: u64, key: &K) {
        self.counters.load(took);
        if !succeeded {
            self.counters.count(Event::LoadError);
        }
        let kind = if succeeded { events::Kind::Loaded { took } } else { events::Kind::LoadFailed { took } };
        self.counters.tell(kind, hash, || encode::text(key));
    }
}

/// The operations on the keys of one shard, locked. A lot of entries that were dropped is freed when the lock is open again,
/// for a value's `Drop` is the user's code: hence this order.
pub(crate) struct Locked<'a, K, V> {
    table: MutexGuard<'a, Flights<K, V>>,
    _pin: Pin,
    _collected: Collected,
}

struct Collected;

impl Drop for Collected {
    fn drop(&mut self) {
        collect_lot();
    }
}

impl<K, V> Deref for Locked<'_, K, V> {
    type Target = Flights<K, V>;

    fn deref(&self) -> &Flights<K, V> {
        &self.table
    }
}

impl<K, V> DerefMut for Locked<'_, K, V> {
    fn deref_mut(&mut self) -> &mut Flights<K, V> {
        &mut self.table
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
