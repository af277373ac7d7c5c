//! The backend inside the process.

#[cfg(feature = "test-util")]
mod mishaps;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{
    Attach, Attached, Backend, Claim, Expire, Fill, FillReply, Follow, Found, Guard, Invalidate, Lease, LeaseReply,
    Message, Position, Pulse, Put, Read, Stored,
};
use crate::{
    clock,
    error::{Error, ErrorKind, Result},
    key::{EntryKey, Log, Mark, Scope},
    token::{EntryId, Epoch, LeaseToken, ProcessId, ServerId},
};

#[cfg(feature = "test-util")]
pub use self::mishaps::Snapshot;

/// A backend that lives in this process: for tests, demonstrations, and several stacks that share
/// one store without a server.
///
/// It keeps to the same contract as a server does. Its time is tokio's, so a paused clock moves it.
/// A clone shares the store; closing one of them leaves the others open. What has expired is
/// dropped when it is met, and all of it from time to time, so that memory follows what is alive.
/// There is no limit to that, and no eviction.
#[derive(Debug)]
pub struct Memory {
    store: Arc<Mutex<Store>>,
    /// Told whenever a log grows. It wakes in the order of arrival, so that simulations repeat; a watch draws lots.
    grown: Arc<Notify>,
    closed: AtomicBool,
}

impl Default for Memory {
    fn default() -> Self {
        Self { store: Arc::default(), grown: Arc::default(), closed: AtomicBool::new(false) }
    }
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn open(&self, operation: &'static str) -> Result<MutexGuard<'_, Store>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, operation));
        }
        Ok(self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), grown: Arc::clone(&self.grown), closed: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Backend for Memory {
    async fn read(&self, ask: Read<'_>) -> Result<Found> {
        let now = clock::now();
        let mut store = self.open("read")?;
        Ok(store.found(&ask.key.entry(ask.key.version()), ask.marks, now))
    }

    async fn lease(&self, ask: Lease<'_>) -> Result<LeaseReply> {
        let now = clock::now();
        let mut store = self.open("lease")?;
        store.make_room(now);
        if store.is_guarded(ask.key, ask.marks, now) {
            return Ok(LeaseReply::Guarded);
        }
        store.register(ask.key, now);
        let epochs = store.renew(ask.marks, ask.retain, now);

        let (entry, lease) = (ask.key.entry(ask.key.version()), ask.key.lease(ask.key.version()));
        if let Claim::Join { seen } = ask.claim {
            if store.entries.live(&entry, now).is_some_and(|there| Some(there.value.id) != seen) {
                return Ok(LeaseReply::Found(store.found(&entry, ask.marks, now)));
            }
            if let Some(held) = store.leases.live(&lease, now).filter(|l| l.value != ask.token) {
                return Ok(LeaseReply::Held { remaining: held.remaining(now) });
            }
        }
        store.leases.insert(lease, Record::until(ask.token, now, ask.ttl));
        Ok(LeaseReply::Granted { epochs })
    }

    async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration) -> Result<bool> {
        let now = clock::now();
        let mut store = self.open("extend")?;
        let lease = store.leases.live(&key.lease(key.version()), now);
        Ok(lease.filter(|lease| lease.value == token).is_some_and(|lease| {
            lease.expires = Some(after(now, ttl));
            true
        }))
    }

    async fn fill(&self, fill: Fill<'_>) -> Result<FillReply> {
        let now = clock::now();
        let mut store = self.open("fill")?;
        store.make_room(now);
        if !store.end_lease(fill.key, fill.token, now) {
            return Ok(FillReply::Refused);
        }
        // A guard ends the leases of its key in the versions that are registered: there may be others.
        if store.has_guard(fill.key, now) {
            return Ok(FillReply::Refused);
        }
        let mut epochs = fill.epochs.to_vec();
        if let Some(late) = fill.late {
            let (any_tag, captured) = late.unchanged;
            let mut marks = late.marks.iter();
            if store.epoch(any_tag, now) != Some(captured) || marks.any(|mark| store.is_held(mark, now)) {
                return Ok(FillReply::Refused);
            }
            epochs.extend(store.renew(late.marks, late.retain, now));
        }
        let entry = Entry { id: fill.id, epochs, expired: false, frame: fill.frame.clone() };
        let name = fill.key.entry(fill.key.version());
        store.entries.insert(name, Record::until(entry, now, fill.ttl));
        Ok(FillReply::Stored)
    }

    async fn release(&self, key: &EntryKey, token: LeaseToken) -> Result<()> {
        self.open("release")?.end_lease(key, token, clock::now());
        Ok(())
    }

    async fn put(&self, put: Put<'_>) -> Result<FillReply> {
        let now = clock::now();
        let mut store = self.open("put")?;
        store.make_room(now);
        if store.is_guarded(put.key, put.marks, now) {
            return Ok(FillReply::Refused);
        }
        store.register(put.key, now);
        let epochs = store.renew(put.marks, put.retain, now);
        let entry = Entry { id: put.id, epochs, expired: false, frame: put.frame.clone() };
        let version = put.key.version();
        store.entries.insert(put.key.entry(version), Record::until(entry, now, put.ttl));
        store.leases.remove(&put.key.lease(version));
        store.append(put.log, Some(put.from), Change::revoked(vec![put.key.entry(version)]), now);
        drop(store);
        self.grown.notify_waiters();
        Ok(FillReply::Stored)
    }

    async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        if what.keys.is_empty() && what.marks.is_empty() {
            return self.open("invalidate").map(|_| None);
        }
        let now = clock::now();
        let mut store = self.open("invalidate")?;
        let mut revoked = Vec::new();
        // Versions are registered with marks, so keys go first.
        for key in what.keys {
            for version in store.versions(key) {
                store.entries.remove(&key.entry(version));
                store.leases.remove(&key.lease(version));
                revoked.push(key.entry(version));
            }
            store.guard(key, what.guard, now);
        }
        for mark in what.marks {
            store.revoke(mark, what.guard, now);
            revoked.push(mark.name().to_owned());
        }
        if what.marks.iter().any(|mark| mark.scope() == Scope::Tag) {
            store.marks.remove(what.any_tag.name());
        }
        let end = store.append(what.log, Some(what.from), Change::revoked(revoked), now);
        drop(store);
        self.grown.notify_waiters();
        Ok(Some(end))
    }

    async fn expire(&self, what: Expire<'_>) -> Result<Option<Position>> {
        if what.keys.is_empty() && what.tags.is_empty() {
            return self.open("expire").map(|_| None);
        }
        let now = clock::now();
        let mut store = self.open("expire")?;
        let mut expired = Vec::new();
        for key in what.keys {
            for version in store.versions(key) {
                if let Some(record) = store.entries.live(&key.entry(version), now) {
                    record.value.expired = true;
                }
                store.leases.remove(&key.lease(version));
                expired.push(key.entry(version));
            }
        }
        for (place, tag) in what.tags.iter().enumerate() {
            // One that is named twice expires once.
            if !what.tags[..place].contains(tag) {
                store.expire(tag, now);
            }
            expired.push(tag.name().to_owned());
        }
        if !what.tags.is_empty() {
            store.marks.remove(what.any_tag.name());
        }
        let end = store.append(what.log, Some(what.from), Change { revoked: Vec::new(), expired }, now);
        drop(store);
        self.grown.notify_waiters();
        Ok(Some(end))
    }

    async fn attach(&self, ask: Attach<'_>) -> Result<Attached> {
        let now = clock::now();
        let mut store = self.open("attach")?;
        let server = store.server;
        let recorded = store.attached.get(ask.log.server()).copied();
        let is_known = recorded.is_some_and(|(recorded, _)| recorded == server);
        let max_staleness = recorded.map_or(ask.max_staleness, |(_, longest)| longest.max(ask.max_staleness));
        store.attached.insert(ask.log.server().to_owned(), (server, max_staleness));
        let renewed = !is_known && !ask.keep;
        if renewed {
            store.revoke(ask.log.mark(), None, now);
            store.append(ask.log, Some(ask.from), Change::revoked(vec![ask.log.mark().name().to_owned()]), now);
        }
        let end = match store.end(ask.log) {
            Some(end) => end,
            None => store.append(ask.log, Some(ask.from), Change::default(), now),
        };
        drop(store);
        self.grown.notify_waiters();
        Ok(Attached { end, server, renewed, max_staleness })
    }

    async fn beat(&self, log: &Log) -> Result<Pulse> {
        let store = self.open("beat")?;
        let recorded = store.attached.get(log.server()).copied();
        Ok(Pulse {
            end: store.end(log),
            server: store.server,
            recorded: recorded.map(|(server, _)| server),
            max_staleness: recorded.map_or(Duration::ZERO, |(_, longest)| longest),
        })
    }

    async fn follow(&self, ask: Follow<'_>) -> Result<Vec<Message>> {
        let deadline = clock::now() + ask.wait.min(Duration::from_secs(3600));
        loop {
            let mut grown = pin!(self.grown.notified());
            // Before the look, so that a message in between is not missed.
            grown.as_mut().enable();
            let messages = self.open("follow")?.messages(&ask);
            if !messages.is_empty() || timeout_at(deadline, grown).await.is_err() {
                return Ok(messages);
            }
        }
    }

    async fn probe(&self) -> Result<()> {
        self.open("probe").map(drop)
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // Those who wait find out.
        self.grown.notify_waiters();
    }

    fn name(&self) -> &'static str {
        "memory"
    }
}

#[derive(Clone, Debug)]
struct Store {
    entries: Table<Entry>,
    leases: Table<LeaseToken>,
    marks: Table<Marked>,
    guards: HashMap<String, Vec<(LeaseToken, Instant)>>,
    logs: HashMap<String, VecDeque<Message>>,
    /// By the names where it is recorded: the server that each namespace was attached to, and its longest staleness.
    attached: HashMap<String, (ServerId, Duration)>,
    server: ServerId,
    began: Instant,
    writes: usize,
}

/// A tag remembers so many earlier epochs.
const EXPIRED: usize = 4;

/// A log keeps so many messages.
const LOG: usize = 16_384;

impl Default for Store {
    fn default() -> Self {
        Self {
            entries: Table::default(),
            leases: Table::default(),
            marks: Table::default(),
            guards: HashMap::new(),
            logs: HashMap::new(),
            attached: HashMap::new(),
            server: ServerId::random(),
            began: clock::now(),
            writes: 0,
        }
    }
}

/// What a message is about.
#[derive(Default)]
struct Change {
    revoked: Vec<String>,
    expired: Vec<String>,
}

impl Change {
    fn revoked(names: Vec<String>) -> Self {
        Self { revoked: names, ..Self::default() }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    id: EntryId,
    epochs: Vec<Epoch>,
    expired: bool,
    frame: Bytes,
}

#[derive(Clone, Debug)]
struct Marked {
    /// `None` while a hold-off lasts: then it counts as missing, and none is made.
    epoch: Option<Epoch>,
    /// Earlier epochs whose entries are stale, the latest one first.
    expired: Vec<Epoch>,
    /// Of a cache: the versions of it that are alive.
    versions: BTreeSet<u32>,
}

impl Store {
    fn found(&mut self, entry: &str, marks: &[Mark], now: Instant) -> Found {
        let entry = self.entries.live(entry, now).map(|record| Stored {
            id: record.value.id,
            remaining: Some(record.remaining(now)),
            epochs: record.value.epochs.iter().copied().collect(),
            expired: record.value.expired,
            frame: record.value.frame.clone(),
        });
        let expired = marks.iter().flat_map(|mark| self.expired(mark, now)).collect();
        Found { entry, epochs: marks.iter().map(|mark| self.epoch(mark, now)).collect(), expired }
    }

    fn expired(&mut self, mark: &Mark, now: Instant) -> Vec<Epoch> {
        self.marks.live(mark.name(), now).map(|record| record.value.expired.clone()).unwrap_or_default()
    }

    /// A fresh epoch for a tag that has one.
    fn expire(&mut self, tag: &Mark, now: Instant) {
        let Some(record) = self.marks.live(tag.name(), now) else { return };
        let Marked { epoch: Some(epoch), expired, .. } = &mut record.value else { return };
        expired.insert(0, std::mem::replace(epoch, Epoch::random()));
        expired.truncate(EXPIRED);
    }

    fn epoch(&mut self, mark: &Mark, now: Instant) -> Option<Epoch> {
        self.marks.live(mark.name(), now)?.value.epoch
    }

    /// Removes a mark, or puts a hold-off in its place; one that is there stays until it ends.
    fn revoke(&mut self, mark: &Mark, guard: Option<Guard>, now: Instant) {
        let held = self.marks.live(mark.name(), now).filter(|record| record.value.epoch.is_none());
        let until = held.and_then(|record| record.expires);
        match guard {
            Some(Guard::Hold { ttl }) => {
                let expires = until.max(Some(after(now, ttl)));
                let value = Marked { epoch: None, expired: Vec::new(), versions: BTreeSet::new() };
                self.marks.insert(mark.name().to_owned(), Record { value, expires });
            }
            _ if until.is_some() => {}
            _ => self.marks.remove(mark.name()),
        }
    }

    fn guard(&mut self, key: &EntryKey, guard: Option<Guard>, now: Instant) {
        let Some(guard) = guard else { return };
        let guards = self.guards.entry(key.guard()).or_default();
        let mut open = |token, ttl| {
            guards.retain(|(other, _)| *other != token);
            guards.push((token, after(now, ttl)));
        };
        match guard {
            Guard::Open { token, ttl } => open(token, ttl),
            Guard::Hold { ttl } => open(LeaseToken::random(), ttl),
            Guard::Close { token } => guards.retain(|(other, _)| *other != token),
        }
        self.has_guard(key, now);
    }

    fn is_guarded(&mut self, key: &EntryKey, marks: &[Mark], now: Instant) -> bool {
        self.has_guard(key, now) || [key.cache()].into_iter().chain(marks).any(|mark| self.is_held(mark, now))
    }

    fn has_guard(&mut self, key: &EntryKey, now: Instant) -> bool {
        let name = key.guard();
        if let Some(guards) = self.guards.get_mut(&name) {
            guards.retain(|(_, expires)| *expires > now);
            if guards.is_empty() {
                self.guards.remove(&name);
            }
        }
        self.guards.contains_key(&name)
    }

    fn is_held(&mut self, mark: &Mark, now: Instant) -> bool {
        self.marks.live(mark.name(), now).is_some_and(|record| record.value.epoch.is_none())
    }

    fn end(&self, log: &Log) -> Option<Position> {
        self.logs.get(log.name())?.back().map(|message| message.position)
    }

    /// Positions follow the clock, as a server's do: they never come round again, not even in a log that was lost.
    fn append(&mut self, log: &Log, from: Option<ProcessId>, change: Change, now: Instant) -> Position {
        let millis = u64::try_from((now - self.began).as_millis()).unwrap_or(u64::MAX) + 1;
        let messages = self.logs.entry(log.name().to_owned()).or_default();
        let last = messages.back().map(|message| message.position);
        let position = match last {
            Some(last) if last.millis >= millis => Position { millis: last.millis, sequence: last.sequence + 1 },
            _ => Position { millis, sequence: 0 },
        };
        // As in a stream, where it is the position before the first one.
        let after = last.unwrap_or(Position { millis: 0, sequence: 0 });
        let Change { revoked, expired } = change;
        messages.push_back(Message { position, after: Some(after), from, revoked, expired });
        if messages.len() > LOG {
            messages.pop_front();
        }
        position
    }

    fn messages(&self, ask: &Follow<'_>) -> Vec<Message> {
        let Some(log) = self.logs.get(ask.log.name()) else { return Vec::new() };
        let next = log.partition_point(|message| message.position <= ask.after);
        log.range(next..).take(ask.most).cloned().collect()
    }

    /// The epochs of `marks`, which are made where they are missing, and live on for `retain`.
    fn renew(&mut self, marks: &[Mark], retain: Duration, now: Instant) -> Vec<Epoch> {
        marks
            .iter()
            .map(|mark| {
                let record = self.marked(mark, now);
                if mark.scope() == Scope::Tag {
                    record.expires = record.expires.max(Some(after(now, retain)));
                }
                record.value.epoch.expect("no mark of these is held")
            })
            .collect()
    }

    fn register(&mut self, key: &EntryKey, now: Instant) {
        self.marked(key.cache(), now).value.versions.insert(key.version());
    }

    fn marked(&mut self, mark: &Mark, now: Instant) -> &mut Record<Marked> {
        self.marks.live_or_insert_with(mark.name(), now, || {
            Record::lasting(Marked { epoch: Some(Epoch::random()), expired: Vec::new(), versions: BTreeSet::new() })
        })
    }

    /// The versions in which an entry may be, its own among them.
    fn versions(&self, key: &EntryKey) -> BTreeSet<u32> {
        let registered = self.marks.0.get(key.cache().name());
        let mut versions = registered.map(|record| record.value.versions.clone()).unwrap_or_default();
        versions.insert(key.version());
        versions
    }

    fn end_lease(&mut self, key: &EntryKey, token: LeaseToken, now: Instant) -> bool {
        let name = key.lease(key.version());
        let held = self.leases.live(&name, now).is_some_and(|lease| lease.value == token);
        if held {
            self.leases.remove(&name);
        }
        held
    }

    /// Sweeps out what has expired, once there were half as many writes as there are records.
    fn make_room(&mut self, now: Instant) {
        const LEAST: usize = 1024;
        self.writes += 1;
        let records = self.entries.0.len() + self.leases.0.len() + self.marks.0.len();
        if self.writes >= LEAST.max(records / 2) {
            self.writes = 0;
            self.entries.sweep(now);
            self.leases.sweep(now);
            self.marks.sweep(now);
        }
    }
}

/// Records by name, of which those that expired count as missing.
#[derive(Clone, Debug)]
struct Table<T>(HashMap<String, Record<T>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Table<T> {
    fn live(&mut self, name: &str, now: Instant) -> Option<&mut Record<T>> {
        if self.0.get(name).is_some_and(|record| record.has_expired(now)) {
            self.0.remove(name);
        }
        self.0.get_mut(name)
    }

    fn live_or_insert_with(&mut self, name: &str, now: Instant, fresh: impl FnOnce() -> Record<T>) -> &mut Record<T> {
        if self.live(name, now).is_none() {
            self.0.insert(name.to_owned(), fresh());
        }
        self.0.get_mut(name).expect("it is there or was just inserted")
    }

    fn insert(&mut self, name: String, record: Record<T>) {
        self.0.insert(name, record);
    }

    fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, record| !record.has_expired(now));
        self.0.shrink_to(self.0.len() * 2);
    }
}

#[derive(Clone, Debug)]
struct Record<T> {
    value: T,
    /// `None` if it lasts.
    expires: Option<Instant>,
}

impl<T> Record<T> {
    const fn lasting(value: T) -> Self {
        Self { value, expires: None }
    }

    fn until(value: T, now: Instant, ttl: Duration) -> Self {
        Self { value, expires: Some(after(now, ttl)) }
    }

    fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn remaining(&self, now: Instant) -> Duration {
        self.expires.map_or(Duration::MAX, |expires| expires - now)
    }
}

/// `ttl` from now, or a century from now if that is sooner: an `Instant` can't hold every sum.
fn after(now: Instant, ttl: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now + ttl.min(CENTURY)
}

#[cfg(test)]
mod tests;

#[cfg(all(test, feature = "test-util"))]
mod conformance {
    crate::conformance!(async { (super::Memory::new(), ()) });
}
