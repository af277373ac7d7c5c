//! Was anything invalidated since?
//!
//! Every invalidation that this process sends or hears of gets the next number. A [`LocalMark`] (of a tag, a cache, the
//! namespace) holds the number of its last one; an entry holds the number that was current when its flight was
//! registered. It is valid while none of its marks has a larger one. So a tag check on a hit is one load and compare, and
//! invalidating a tag with a million entries is one store.
//!
//! Numbers never leave the process: in the shared store, where a counter could be lost and come round again, epochs are
//! random.

use std::{
    any::Any,
    collections::HashMap,
    hash::BuildHasher,
    sync::{Arc, OnceLock, PoisonError, Weak},
};

use foldhash::quality::SeedableRandomState;

use crate::{
    key::{Mark, Namespace},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    tag::{List, Tag, Tags},
    token::random_hasher,
};

/// A point in the order of invalidations that this process knows of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Moment(u64);

/// The local state of a mark: the moments of its last invalidations.
#[derive(Debug)]
pub(crate) struct LocalMark {
    /// Of the last one, soft or hard: the only one that a hit looks at.
    touched: AtomicU64,
    /// Of the last hard one, which is no later.
    revoked: AtomicU64,
}

impl LocalMark {
    fn new(moment: u64) -> Self {
        Self { touched: AtomicU64::new(moment), revoked: AtomicU64::new(moment) }
    }

    #[inline]
    fn was_touched_after(&self, moment: Moment) -> bool {
        self.touched.load(Ordering::Acquire) > moment.0
    }

    fn was_revoked_after(&self, moment: Moment) -> bool {
        self.revoked.load(Ordering::Acquire) > moment.0
    }

    fn revoke(&self, moment: u64) {
        // In this order: who sees that it was touched sees by what.
        self.revoked.fetch_max(moment, Ordering::AcqRel);
        self.expire(moment);
    }

    fn expire(&self, moment: u64) {
        self.touched.fetch_max(moment, Ordering::AcqRel);
    }
}

/// What all entries of a cache rest on, or may.
#[derive(Debug)]
pub(crate) struct Scopes {
    /// Of the namespace and the cache.
    marks: Vec<Arc<LocalMark>>,
    lots: Arc<Lots>,
    /// Of the ledger.
    all: Weak<Mutex<Marks>>,
    /// The number of the cache.
    pub(crate) cache: u32,
    /// Where its entries are found.
    pub(crate) front: Weak<dyn Any + Send + Sync>,
}

impl Scopes {
    fn new(marks: Vec<Arc<LocalMark>>, lots: Arc<Lots>, all: Weak<Mutex<Marks>>) -> Self {
        Self { marks, lots, all, cache: 0, front: Weak::<()>::new() }
    }

    pub(crate) fn of_cache(self, cache: u32, front: Weak<dyn Any + Send + Sync>) -> Self {
        Self { cache, front, ..self }
    }
}

/// Entries are drawn into so many lots, each with a mark. When an entry is invalidated that is only known by its name, its lot is
/// renewed: that costs no index of what is in L1, and one in so many of the other entries.
#[derive(Default, Debug)]
struct Lots(OnceLock<Box<[LocalMark]>>);

/// A simulated scheduler knows each of their atomics.
const LOTS: usize = if cfg!(shuttle) { 4 } else { 16_384 };

/// The number of a lot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lot(u16);

impl Lots {
    fn mark(&self, lot: Lot) -> &LocalMark {
        let marks = self.0.get_or_init(|| (0..LOTS).map(|_| LocalMark::new(0)).collect());
        &marks[usize::from(lot.0) % LOTS]
    }
}

/// What an entry or a flight rests on: its birth and its marks.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) born: Moment,
    pub(crate) scopes: Arc<Scopes>,
    lot: Option<Lot>,
    tags: Tags,
}

impl Standing {
    pub(crate) fn new(born: Moment, scopes: &Arc<Scopes>, lot: Lot, tags: Tags) -> Self {
        Self { born, scopes: Arc::clone(scopes), lot: Some(lot), tags }
    }

    /// On these marks alone.
    #[cfg(test)]
    pub(crate) fn on(born: Moment, marks: impl IntoIterator<Item = Arc<LocalMark>>) -> Self {
        let scopes = Scopes::new(marks.into_iter().collect(), Arc::default(), Weak::new());
        Self { born, scopes: Arc::new(scopes), lot: None, tags: Tags::default() }
    }

    #[inline]
    pub(crate) fn tags(&self) -> &Tags {
        &self.tags
    }

    /// The entry in L1 that rested on this is gone. Tags that nothing else has are forgotten at once, for there is room for as much
    /// as they weighed: a sweep would come late.
    pub(crate) fn leave(&mut self) {
        if let Some(tags) = self.tags.leave()
            && let Some(marks) = self.scopes.all.upgrade()
        {
            lock(&marks).forget(tags);
        }
    }

    fn marks(&self) -> impl Iterator<Item = &LocalMark> {
        let Scopes { marks, lots, .. } = &*self.scopes;
        let lot = self.lot.map(|lot| lots.mark(lot));
        marks.iter().map(|mark| &**mark).chain(self.tags.locals()).chain(lot)
    }

    /// Whether none of its marks was invalidated since it was born, nor expired.
    #[inline]
    pub(crate) fn holds(&self) -> bool {
        !self.marks().any(|mark| mark.was_touched_after(self.born))
    }

    /// Whether one of its marks was invalidated since it was born. If it does not hold and is not revoked, it is stale.
    pub(crate) fn is_revoked(&self) -> bool {
        self.marks().any(|mark| mark.was_revoked_after(self.born))
    }

    /// Whether a call that began at `since` may be served what rests on this, although it came by another call: joining
    /// is serving, and what was invalidated before a call began is not for it.
    pub(crate) fn may_serve(&self, since: Moment) -> bool {
        self.born >= since || self.holds()
    }
}

/// All marks of a namespace that something here rests on.
pub(crate) struct Ledger {
    namespace: Namespace,
    moment: AtomicU64,
    /// Counted when a mark has its number, where `moment` is when it is given one.
    changes: AtomicU64,
    marks: Arc<Mutex<Marks>>,
    lots: Arc<Lots>,
    hasher: SeedableRandomState,
}

struct Marks {
    live: HashMap<Mark, Arc<LocalMark>, SeedableRandomState>,
    /// Those of tags that are in use, by what their users call them: the name of a mark is made once.
    tags: HashMap<Arc<str>, Arc<Tag>, SeedableRandomState>,
    /// A mark that is not in `live` was last renewed at this moment or before.
    floor: u64,
    /// The moment of the last sweep: what was renewed since is kept.
    swept: u64,
}

impl Ledger {
    pub(crate) fn new(namespace: Namespace) -> Self {
        let (live, tags) = (HashMap::with_hasher(random_hasher()), HashMap::with_hasher(random_hasher()));
        Self {
            namespace,
            moment: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            marks: Arc::new(Mutex::new(Marks { live, tags, floor: 0, swept: 0 })),
            lots: Arc::default(),
            hasher: random_hasher(),
        }
    }

    /// Now, in the order of invalidations.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.moment.load(Ordering::Acquire))
    }

    /// Whether it was revoked since it was born. Looks at its marks only if anything was invalidated at all.
    pub(crate) fn was_revoked(&self, standing: &Standing) -> bool {
        standing.born < self.moment() && standing.is_revoked()
    }

    /// How often something changed that hits go by: an invalidation was applied, or [`stir`](Self::stir) was called. What held
    /// when it was looked at after this was read still holds while this is the same: so a hit compares one number, however many
    /// marks there are.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Has the next hit of each entry look at all that it goes by.
    pub(crate) fn stir(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// The local state of `mark`.
    pub(crate) fn local(&self, mark: &Mark) -> Arc<LocalMark> {
        self.lock().local(mark)
    }

    /// Tags by what their users call them.
    pub(crate) fn tags(&self, names: &[impl AsRef<str>]) -> Tags {
        if names.is_empty() {
            return Tags::default();
        }
        let mut marks = self.lock();
        names.iter().map(|name| marks.tag(name.as_ref(), &self.namespace)).collect()
    }

    /// What the entries of a cache rest on, or may: `marks` are those of its namespace and its own.
    pub(crate) fn scopes<'a>(&self, marks: impl IntoIterator<Item = &'a Mark>) -> Scopes {
        let marks = marks.into_iter().map(|mark| self.local(mark)).collect();
        Scopes::new(marks, Arc::clone(&self.lots), Arc::downgrade(&self.marks))
    }

    /// Applies invalidations of `marks`: what was born before rests on nothing any more.
    ///
    /// A mark that nothing here rests on yet is remembered all the same: a load whose tags only its loader knows may be
    /// under way.
    pub(crate) fn renew<'a>(&self, marks: impl IntoIterator<Item = &'a Mark>) {
        for mark in marks {
            self.apply(|moment| self.local(mark).revoke(moment));
        }
    }

    /// Marks as stale what rests on `marks` and was born before.
    pub(crate) fn expire<'a>(&self, marks: impl IntoIterator<Item = &'a Mark>) {
        for mark in marks {
            self.apply(|moment| self.local(mark).expire(moment));
        }
    }

    /// The lot of an entry that others know by the stem of its names.
    pub(crate) fn lot(&self, stem: &str) -> Lot {
        self.lot_by_hash(self.hasher.hash_one(stem))
    }

    /// The lot of an entry that nobody else knows.
    pub(crate) fn lot_by_hash(&self, hash: u64) -> Lot {
        // Not by those bits of it by which an entry is found.
        Lot((hash >> 40) as u16 % LOTS as u16)
    }

    /// Applies an invalidation of an entry, and of one in so many of the others.
    pub(crate) fn renew_lot(&self, lot: Lot) {
        self.apply(|moment| self.lots.mark(lot).revoke(moment));
    }

    /// Marks an entry as stale, and one in so many of the others.
    pub(crate) fn expire_lot(&self, lot: Lot) {
        self.apply(|moment| self.lots.mark(lot).expire(moment));
    }

    /// Gives the next invalidation its number.
    fn apply(&self, to: impl FnOnce(u64)) {
        to(self.moment.fetch_add(1, Ordering::AcqRel) + 1);
        self.stir();
    }

    /// Forgets marks that nothing rests on, unless they were renewed since the last sweep.
    ///
    /// A flight that is older than two sweeps and then names a forgotten tag is stored dead: safe, and rare.
    pub(crate) fn sweep(&self) {
        let mut marks = self.lock();
        marks.tags.retain(|_, tag| Arc::strong_count(tag) > 1);
        let horizon = marks.swept;
        let mut floor = marks.floor;
        marks.live.retain(|_, local| {
            // Who renews it has a share in it until that is done: looked at earlier, the renewal might be lost.
            let Some(local) = Arc::get_mut(local) else { return true };
            let touched = local.touched.load(Ordering::Acquire);
            let keep = touched > horizon;
            if !keep {
                floor = floor.max(touched);
            }
            keep
        });
        marks.floor = floor;
        marks.swept = self.moment.load(Ordering::Acquire);
    }

    /// How many marks are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().live.len()
    }

    /// A ledger of its own with the same contents. Standings stay with the old one.
    #[cfg(test)]
    pub(crate) fn fork(&self) -> Self {
        let marks = self.lock();
        let copy = |local: &Arc<LocalMark>| LocalMark::new(local.revoked.load(Ordering::Acquire));
        let live = marks.live.iter().map(|(mark, local)| (mark.clone(), Arc::new(copy(local)))).collect();
        let tags = HashMap::with_hasher(random_hasher());
        Self {
            namespace: self.namespace.clone(),
            moment: AtomicU64::new(self.moment().0),
            changes: AtomicU64::new(self.changes()),
            marks: Arc::new(Mutex::new(Marks { live, tags, floor: marks.floor, swept: marks.swept })),
            lots: Arc::default(),
            hasher: self.hasher.clone(),
        }
    }

    /// All that tells two ledgers apart which know of no mark but `mark`.
    #[cfg(test)]
    pub(crate) fn contents(&self, mark: &Mark) -> (u64, u64, u64, Option<u64>) {
        let marks = self.lock();
        let renewed = marks.live.get(mark).map(|local| local.revoked.load(Ordering::Acquire));
        (self.moment().0, marks.floor, marks.swept, renewed)
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        lock(&self.marks)
    }
}

fn lock(marks: &Mutex<Marks>) -> MutexGuard<'_, Marks> {
    marks.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Marks {
    fn local(&mut self, mark: &Mark) -> Arc<LocalMark> {
        if let Some(local) = self.live.get(mark) {
            return Arc::clone(local);
        }
        let local = Arc::new(LocalMark::new(self.floor));
        self.live.insert(mark.clone(), Arc::clone(&local));
        local
    }

    fn tag(&mut self, name: &str, namespace: &Namespace) -> Arc<Tag> {
        if let Some(tag) = self.tags.get(name) {
            return Arc::clone(tag);
        }
        let (name, mark) = (Arc::from(name), namespace.tag(name));
        let local = self.local(&mark);
        let tag = Arc::new(Tag::new(Arc::clone(&name), mark, local));
        self.tags.insert(name, Arc::clone(&tag));
        tag
    }

    /// Forgets those tags that nobody else has, and with each its mark, unless it was renewed: that is for a sweep to forget.
    fn forget(&mut self, tags: List) {
        for tag in tags {
            // That of `tags` and that of this: while this is locked nobody comes by another.
            if Arc::strong_count(&tag) > 2 {
                continue;
            }
            self.tags.remove(&tag.name);
            let mark = tag.mark.clone();
            drop(tag);
            let local = self.live.get_mut(&mark).and_then(Arc::get_mut);
            if local.is_some_and(|local| local.touched.load(Ordering::Acquire) <= self.floor) {
                self.live.remove(&mark);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(Namespace::new("test").unwrap())
    }

    fn standing(ledger: &Ledger, mark: &Mark) -> Standing {
        Standing::on(ledger.moment(), [ledger.local(mark)])
    }

    fn tag(name: &str) -> Mark {
        Namespace::new("test").unwrap().tag(name)
    }

    #[test]
    fn an_invalidation_ends_what_was_born_before_it_and_nothing_else() {
        let ledger = ledger();
        let before = standing(&ledger, &tag("a"));
        let other = standing(&ledger, &tag("b"));
        ledger.renew([&tag("a")]);
        let after = standing(&ledger, &tag("a"));
        assert!(!before.holds());
        assert!(other.holds() && after.holds());
    }

    #[test]
    fn a_call_is_served_what_was_invalidated_only_if_it_began_before() {
        let ledger = ledger();
        let old = standing(&ledger, &tag("a"));
        let before = ledger.moment();
        ledger.renew([&tag("a")]);
        assert!(old.may_serve(before));
        assert!(!old.may_serve(ledger.moment()));
    }

    #[test]
    fn a_tag_that_a_loader_names_late_counts_from_the_birth_of_its_load() {
        let ledger = ledger();
        let born = ledger.moment();
        ledger.renew([&tag("late")]);
        assert!(!Standing::on(born, [ledger.local(&tag("late"))]).holds());
        assert!(Standing::on(born, [ledger.local(&tag("untouched"))]).holds());
    }

    #[test]
    fn an_entry_that_others_invalidate_ends_with_its_lot() {
        let ledger = ledger();
        let scopes = Arc::new(ledger.scopes([]));
        let standing = |stem| Standing::new(ledger.moment(), &scopes, ledger.lot(stem), Tags::default());
        let (before, other) = (standing("shop:user:{a}:v"), standing("shop:user:{b}:v"));
        ledger.renew_lot(ledger.lot("shop:user:{a}:v"));
        assert!(!before.holds());
        assert!(standing("shop:user:{a}:v").holds());
        assert!(other.holds() || other.lot == before.lot, "unless both are in one lot");
    }

    #[test]
    fn what_expired_does_not_hold_and_is_not_revoked() {
        let ledger = ledger();
        let before = standing(&ledger, &tag("a"));
        ledger.expire([&tag("a")]);
        assert!(!before.holds() && !before.is_revoked());
        assert!(!before.may_serve(ledger.moment()));
        assert!(standing(&ledger, &tag("a")).holds());
        ledger.renew([&tag("a")]);
        assert!(before.is_revoked());
    }

    #[test]
    fn sweeping_forgets_idle_marks_and_revives_nothing() {
        let ledger = ledger();
        let born = ledger.moment();
        let kept = standing(&ledger, &tag("kept"));
        ledger.renew([&tag("idle")]);
        ledger.sweep();
        assert_eq!(ledger.len(), 2, "renewed since the last sweep");
        ledger.sweep();
        assert_eq!(ledger.len(), 1);
        assert!(kept.holds());
        assert!(!Standing::on(born, [ledger.local(&tag("idle"))]).holds());
    }

    #[test]
    fn a_tag_ends_with_its_mark_for_as_long_as_anything_rests_on_it() {
        let ledger = ledger();
        let scopes = Arc::new(ledger.scopes([]));
        let standing = || Standing::new(ledger.moment(), &scopes, ledger.lot(""), ledger.tags(&["a"]));
        let before = standing();
        (0..3).for_each(|_| ledger.sweep());
        let after = standing();
        assert_eq!(ledger.len(), 1);
        ledger.renew([&tag("a")]);
        assert!(!before.holds() && !after.holds());
        drop((before, after));
        (0..3).for_each(|_| ledger.sweep());
        assert_eq!(ledger.len(), 0);
    }

    #[test]
    fn a_tag_goes_with_the_last_entry_that_has_it_unless_it_was_invalidated() {
        let ledger = ledger();
        let scopes = Arc::new(ledger.scopes([]));
        let entry = |names: &[&str]| {
            let standing = Standing::new(ledger.moment(), &scopes, ledger.lot(""), ledger.tags(names));
            standing.tags().enter();
            standing
        };
        let (mut one, mut other) = (entry(&["own", "shared"]), entry(&["shared", "invalidated"]));
        one.leave();
        assert_eq!(ledger.len(), 2);
        assert!(other.holds());
        let born = ledger.moment();
        ledger.renew([&tag("invalidated")]);
        other.leave();
        assert_eq!(ledger.len(), 1);
        assert!(!Standing::on(born, [ledger.local(&tag("invalidated"))]).holds());
    }

    #[test]
    fn a_tag_that_is_named_by_a_call_outlives_the_entries_that_have_it() {
        let ledger = ledger();
        let scopes = Arc::new(ledger.scopes([]));
        let standing = || Standing::new(ledger.moment(), &scopes, ledger.lot(""), ledger.tags(&["a"]));
        let (mut entry, flight) = (standing(), standing());
        entry.tags().enter();
        entry.leave();
        ledger.renew([&tag("a")]);
        assert!(!flight.holds());
    }
}
