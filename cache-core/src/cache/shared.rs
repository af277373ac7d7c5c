//! What all handles of one cache share.

use std::{
    hash::{BuildHasher, Hasher},
    ops::{Deref, DerefMut},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use foldhash::quality::SeedableRandomState;
use tokio::time::Instant;

use super::{CacheKey, CacheValue};
use crate::{
    clock,
    codec::{
        self, ValueCodec,
        frame::{Frame, MAX_TAGS, Payload},
    },
    coherence::{
        course::Loaded,
        ledger::{LocalMark, Moment, Standing},
        proof::AsOf,
        table::{Kind, Table},
    },
    entry::{Entry, Life, Origin, Retry, Span},
    error::{Error, Result},
    flight::{Behind, Cargo, Flight, MIN_LIFE, Seat},
    judge::OTHER_SCHEMA,
    key::{
        CacheName, EntryKey, Mark,
        encode::{self, KeyText},
    },
    l1::{ENTRY_OVERHEAD, Front, Pin, Residence, collect},
    lookup::Lookup,
    policy::{LONGEST, Policy},
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
    pub(crate) id: u32,
    /// The name as the user wrote it.
    pub(crate) label: Arc<str>,
    pub(crate) name: CacheName,
    pub(crate) version: u32,
    pub(crate) policy: Policy,
    pub(crate) l1_ttl: Duration,
    pub(crate) codec: Arc<dyn ValueCodec<V>>,
    pub(crate) weigher: Option<Weigher<K, V>>,
    /// The marks of the namespace and of this cache: every entry has them.
    pub(crate) scopes: [Mark; 2],
    pub(crate) local_scopes: [Arc<LocalMark>; 2],
    pub(crate) counters: Arc<Counters>,
    /// Where a hit finds its entry.
    pub(crate) front: Arc<Front<K, V>>,
    tables: Box<[Mutex<Flights<K, V>>]>,
    hasher: SeedableRandomState,
    /// Values to verify before they are stored: see [`pack`](Self::pack).
    unverified: AtomicU32,
}

pub(crate) type Flights<K, V> = Table<K, Arc<Flight<K, V>>>;

/// A power of two.
const TABLES: usize = 16;

/// How many of the first values are read back before they are stored.
const VERIFIED: u32 = 16;

/// What a new cache is made of.
pub(crate) struct Parts<K, V> {
    pub(crate) stack: Arc<StackInner>,
    pub(crate) id: u32,
    pub(crate) label: Arc<str>,
    pub(crate) name: CacheName,
    pub(crate) version: u32,
    pub(crate) policy: Policy,
    pub(crate) codec: Arc<dyn ValueCodec<V>>,
    pub(crate) weigher: Option<Weigher<K, V>>,
    pub(crate) counters: Arc<Counters>,
}

impl<K: CacheKey, V: CacheValue> Shared<K, V> {
    pub(crate) fn new(parts: Parts<K, V>) -> Self {
        let Parts { stack, id, label, name, version, policy, codec, weigher, counters } = parts;
        let scopes = [stack.namespace.mark(), name.mark()];
        let local_scopes = [stack.ledger.local(&scopes[0]), stack.ledger.local(&scopes[1])];
        let l1_ttl = policy.l1_ttl.unwrap_or_else(|| stack.default_l1_ttl(policy.ttl + policy.grace()));
        let hasher = stack.store.hasher(id);
        Self {
            stack,
            id,
            label,
            name,
            version,
            policy,
            l1_ttl,
            codec,
            weigher,
            scopes,
            local_scopes,
            counters,
            front: Arc::new(Front::new()),
            tables: (0..TABLES).map(|_| Mutex::new(Table::new())).collect(),
            unverified: AtomicU32::new(VERIFIED),
            hasher,
        }
    }

    #[inline]
    pub(crate) fn hash<L: Lookup<Key = K>>(&self, key: &L) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        key.hash(&mut hasher);
        hasher.finish()
    }

    /// The value, if L1 may serve it now.
    #[inline(always)]
    pub(crate) fn value<L: Lookup<Key = K>>(&self, key: &L) -> Option<V> {
        // Before the hash, which would have to be put aside for it.
        let pin = Pin::new();
        self.hit_by(pin, self.hash(key), key, |entry| entry.value.clone())
    }

    /// What `read` makes of the entry, if L1 may serve it now.
    pub(crate) fn hit<L: Lookup<Key = K>, T>(
        &self,
        hash: u64,
        key: &L,
        read: impl FnOnce(&Arc<Entry<K, V>>) -> T,
    ) -> Option<T> {
        self.hit_by(Pin::new(), hash, key, read)
    }

    #[inline(always)]
    fn hit_by<L: Lookup<Key = K>, T>(
        &self,
        pin: Pin,
        hash: u64,
        key: &L,
        read: impl FnOnce(&Arc<Entry<K, V>>) -> T,
    ) -> Option<T> {
        let StackInner { store, ledger, proof, .. } = &*self.stack;
        if let Some(entry) = self.front.get(hash, key, &pin)
            && entry.is_servable(ledger, proof)
        {
            if store.is_due(entry) {
                store.tell(self.id, key, entry);
            }
            self.counters.count(Event::L1Hit);
            return Some(read(entry));
        }
        drop(pin);
        self.hit_behind(hash, key).map(|entry| read(&entry))
    }

    /// A hit that is not in the front, where the next one is to find it.
    #[cold]
    fn hit_behind<L: Lookup<Key = K>>(&self, hash: u64, key: &L) -> Option<Arc<Entry<K, V>>> {
        let StackInner { store, ledger, proof, .. } = &*self.stack;
        let entry = store.get::<L, V>(self.id, hash, key)?;
        if !entry.is_servable(ledger, proof) {
            return None;
        }
        self.counters.count(Event::L1Hit);
        // Who holds the lock already, or would have to wait for it, does without.
        let pin = Pin::new();
        if let Ok(_table) = self.tables[hash as usize % TABLES].try_lock() {
            store.promote(&self.front, self.id, key, &entry);
        }
        drop(pin);
        collect();
        Some(entry)
    }

    /// The entry that L1 has, fresh or stale, proven or not, but not revoked.
    pub(crate) fn resident(&self, hash: u64, key: &K) -> Option<Arc<Entry<K, V>>> {
        let entry = self.stack.store.get::<_, V>(self.id, hash, &key)?;
        (clock::now() < entry.life.leaves_l1 && !entry.standing.is_revoked()).then_some(entry)
    }

    /// Whether a call that began `now` may be answered with a stale entry, whatever becomes of its load: inside the window for
    /// that, or for as long as a load that failed is not tried again.
    pub(crate) fn may_serve_stale(&self, entry: &Entry<K, V>, now: Instant) -> bool {
        let (proof, Policy { stale_while_revalidate, stale_if_error, .. }) = (&self.stack.proof, &self.policy);
        let is_paused = || entry.retry.is_paused(proof, now);
        let is_servable = entry.life.is_within(*stale_while_revalidate, now)
            || (entry.life.is_within(*stale_if_error, now) && is_paused());
        let is_proven = proof.holds(entry.origin.as_of.get(), now);
        is_servable && is_proven && !entry.is_fresh(now) && !entry.standing.is_revoked()
    }

    /// Registers a flight.
    pub(crate) fn take_off(
        &self,
        table: &mut Flights<K, V>,
        kind: Kind,
        key: &K,
        entry_key: &EntryKey,
        tags: &Tags,
    ) -> (Arc<Flight<K, V>>, Seat<K, V>) {
        let standing = self.standing(entry_key, self.stack.ledger.moment(), tags);
        let as_of = self.stack.proof.stamp(clock::now());
        let flight = Arc::new(Flight::new(self.stack.next_operation(), standing, as_of));
        table.lead(key, kind, flight.id, Arc::clone(&flight));
        let seat = flight.seat();
        (flight, seat)
    }

    /// Registers a flight that replaces a stale entry, unless one is under way, or has just failed, or too many are.
    pub(crate) fn behind(
        &self,
        table: &mut Flights<K, V>,
        entry: &Arc<Entry<K, V>>,
        entry_key: &EntryKey,
        tags: &Tags,
    ) -> Option<Behind<K, V>> {
        let key = &entry.key;
        if entry.retry.is_paused(&self.stack.proof, clock::now()) || table.join(key, Kind::Load, |_| true).is_some() {
            return None;
        }
        let permit = Arc::clone(&self.stack.refreshes).try_acquire_owned().ok()?;
        let (flight, seat) = self.take_off(table, Kind::Load, key, entry_key, tags);
        Some(Behind { flight, entry: Arc::clone(entry), seat, permit })
    }

    /// Whether calls go past the cache: it is disabled, or the stack was shut down.
    pub(crate) fn is_bypassed(&self) -> bool {
        !self.policy.enabled || self.stack.is_closed()
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

    /// What something born at `born` rests on.
    pub(crate) fn standing(&self, key: &EntryKey, born: Moment, tags: &Tags) -> Standing {
        let lot = self.stack.ledger.lot(key.stem());
        let tags = tags.marks().map(|mark| self.stack.ledger.local(mark));
        Standing { born, marks: self.local_scopes.iter().cloned().chain([lot]).chain(tags).collect() }
    }

    /// How long a value lives: what was asked for or the policy's, shortened by jitter so that what was stored together
    /// does not expire together.
    pub(crate) fn lifetime(&self, value: &V, asked: Option<Duration>) -> Duration {
        let ttl = match (asked, self.policy.negative_ttl) {
            (Some(ttl), _) => ttl.min(LONGEST),
            (None, Some(ttl)) if codec::is_negative(value) => ttl,
            (None, _) => self.policy.ttl,
        };
        self.policy.jittered(ttl, random_unit())
    }

    /// Marks of an entry's tags outlive the entry and the load before it.
    pub(crate) fn retain(&self, ttl: Option<Duration>) -> Duration {
        self.foreseen(ttl) + self.policy.grace() + self.policy.hard_timeout
    }

    /// The longest that an entry is expected to live before its loader has spoken.
    pub(crate) fn foreseen(&self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or_default().min(LONGEST).max(self.policy.ttl)
    }

    /// How long L1 keeps an entry; jittered for each process by itself.
    pub(crate) fn l1_lifetime(&self) -> Duration {
        self.policy.jittered(self.l1_ttl, random_unit())
    }

    /// Encodes a value for the tiers that need it so, and says where it may be stored.
    pub(crate) fn pack(&self, cargo: &mut Cargo<V>) -> Loaded {
        if cargo.ttl < MIN_LIFE {
            return Loaded::Drop;
        }
        if cargo.tags.len() > MAX_TAGS {
            self.stack.problems.report(&self.label, "tags", || {
                format!("an entry has at most {MAX_TAGS} tags, its loader named more: it is not stored")
            });
            return Loaded::Drop;
        }
        if !self.is_measured() {
            return Loaded::Keep;
        }
        let payload = match self.encode_value(&cargo.value) {
            Ok(payload) => payload,
            Err(error) => {
                self.note_refused(&error);
                return Loaded::KeepHere;
            }
        };
        let size = payload.bytes().len();
        if size as u64 > self.policy.max_value_size {
            self.counters.count(Event::TooLarge);
            self.stack.problems.report(&self.label, "size", || {
                let limit = self.policy.max_value_size;
                format!("a value of {size} bytes is not stored: max_value_size is {limit}")
            });
            return Loaded::Drop;
        }
        cargo.size = Some(size);
        cargo.payload = Some(payload);
        Loaded::Keep
    }

    fn encode_value(&self, value: &V) -> Result<Payload> {
        let payload = Payload::write(|out| self.codec.encode(value, out))?;
        self.verify(value, payload.bytes())?;
        Ok(payload)
    }

    /// Whether anything needs the encoded value, or its size.
    fn is_measured(&self) -> bool {
        let is_weighed = self.weigher.is_none() && self.stack.store.is_weighed();
        self.stack.l2.is_some() || is_weighed || self.policy.max_value_size != Policy::default().max_value_size
    }

    /// A type that its codec can't read back must not be stored in silence, to be missed for ever. The first values are
    /// read back before they are stored; after an unreadable entry was met, so are the next ones.
    fn verify(&self, value: &V, payload: &[u8]) -> Result<()> {
        let left = self.unverified.load(Ordering::Relaxed);
        if left == 0 || self.stack.l2.is_none() {
            return Ok(());
        }
        self.codec.verify(value, payload)?;
        // Two at once may count as one: that verifies one value more.
        self.unverified.store(left - 1, Ordering::Relaxed);
        Ok(())
    }

    /// The frame of a loaded value; `tags` are in the order of the epochs that are stored beside it. None if it does not
    /// fit into one.
    pub(crate) fn frame(
        &self,
        text: &KeyText,
        cargo: &Cargo<V>,
        payload: Payload,
        tags: Vec<&str>,
        load: Duration,
        life: Duration,
    ) -> Option<Bytes> {
        let frame = Frame {
            codec: self.codec.id(),
            fingerprint: self.codec.fingerprint(),
            negative: codec::is_negative(&cargo.value),
            life_ms: millis(life),
            load_ms: millis(load),
            ttl_ms: millis(cargo.ttl),
            tags,
            key: &text.full,
            payload,
        };
        frame.encode().inspect_err(|error| self.note_refused(error)).ok()
    }

    /// The entry of a value whose load was registered at `born`, as old as its load.
    ///
    /// What was loaded shows all that was committed before its load began, so it is current as of then. Without a lease nobody
    /// knows whether a guard was open, whose write others need not hear of: then being in step with the log proves nothing,
    /// and it stays for `max_staleness` only.
    pub(crate) fn landed(&self, key: &K, entry_key: &EntryKey, born: Moment, cargo: Cargo<V>) -> Arc<Entry<K, V>> {
        let now = clock::now();
        let age = now - cargo.started;
        let fresh = cargo.ttl.saturating_sub(age);
        let left = if fresh.is_zero() { fresh } else { fresh + self.policy.grace() };
        let span = Span { age, ttl: cargo.ttl, left };
        let stay = match cargo.leased {
            true => self.l1_lifetime(),
            false => self.l1_lifetime().min(self.stack.settings.max_staleness.saturating_sub(age)),
        };
        let life = Life::new(now, span, stay);
        let standing = self.standing(entry_key, born, &cargo.tags);
        let origin = Origin { id: cargo.id, tags: cargo.tags, as_of: self.as_of(cargo.started) };
        self.entry(key, cargo.value, life, standing, origin, cargo.size)
    }

    pub(crate) fn as_of(&self, at: Instant) -> AsOf {
        AsOf::new(self.stack.proof.stamp(at))
    }

    pub(crate) fn entry(
        &self,
        key: &K,
        value: V,
        life: Life,
        standing: Standing,
        origin: Origin,
        size: Option<usize>,
    ) -> Arc<Entry<K, V>> {
        let weight = match &self.weigher {
            Some(weigher) => weigher(key, &value),
            None => u32::try_from(size.unwrap_or_default()).unwrap_or(u32::MAX),
        };
        let hash = self.hash(&key);
        let until = self.stack.proof.stamp(life.fresh_here_until());
        Arc::new(Entry {
            key: key.clone(),
            value,
            life,
            standing,
            origin,
            retry: Retry::default(),
            weight: weight.saturating_add(ENTRY_OVERHEAD),
            counters: Arc::clone(&self.counters),
            residence: Residence::new(hash, until, Arc::downgrade(&self.front)),
        })
    }

    /// Puts an entry into L1, in the place of what is there. One that may not stay leaves that place empty: what it
    /// supersedes must not outlive it. Only under the lock of its key's table, by an operation that was not superseded.
    pub(crate) fn admit(&self, hash: u64, entry: &Arc<Entry<K, V>>) {
        let stays = entry.life.leaves_l1.saturating_duration_since(clock::now());
        if stays.is_zero() || entry.standing.is_revoked() || self.stack.is_closed() {
            return self.remove(hash, &entry.key);
        }
        self.stack.store.insert(&self.front, self.id, hash, Arc::clone(entry), stays);
    }

    /// Drops an entry from L1 and bars what is under way for it from being joined or stored.
    pub(crate) fn drop_local(&self, hash: u64, key: &K) {
        let mut table = self.table(hash);
        table.supersede(key);
        self.remove(hash, key);
    }

    /// Only under the lock of its key's table.
    pub(crate) fn remove(&self, hash: u64, key: &K) {
        self.stack.store.remove(&self.front, self.id, hash, key);
    }

    pub(crate) fn note_load(&self, took: Duration, succeeded: bool) {
        self.counters.load(took);
        if !succeeded {
            self.counters.count(Event::LoadError);
        }
    }

    pub(crate) fn note_damage(&self, why: &'static str) {
        self.counters.count(Event::Damaged);
        crate::trace::damaged(&self.label, why);
        if why == OTHER_SCHEMA {
            self.stack.problems.report(&self.label, "schema", || {
                let version = self.version;
                format!(
                    "an entry in L2 was written for another type under version {version}: raise the cache's version"
                )
            });
        }
    }

    /// The codec can't read what it wrote for this very schema: the next values are verified again, and refused.
    pub(crate) fn note_unreadable(&self, error: &Error) {
        self.counters.count(Event::Damaged);
        self.unverified.store(VERIFIED, Ordering::Relaxed);
        self.stack.problems.report(&self.label, "unreadable", || format!("an entry in L2 can't be read back: {error}"));
    }

    fn note_refused(&self, error: &Error) {
        self.counters.count(Event::CodecRefused);
        self.stack.problems.report(&self.label, "codec", || format!("values are not stored in L2: {error}"));
    }
}

/// The operations on the keys of one shard, locked. Entries that were dropped meanwhile are freed when the lock is open again,
/// for a value's `Drop` is the user's code: hence this order.
pub(crate) struct Locked<'a, K, V> {
    table: MutexGuard<'a, Flights<K, V>>,
    _pin: Pin,
    _collected: Collected,
}

struct Collected;

impl Drop for Collected {
    fn drop(&mut self) {
        collect();
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
