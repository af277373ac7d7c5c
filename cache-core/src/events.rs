//! What happens to values, told as it happens: for an audit, a live view, or a reaction of one's own.
//!
//! ```
//! use cache_core::{Stack, events::Kind};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> cache_core::Result<()> {
//! # let stack = Stack::builder("shop").build().await?;
//! let mut events = stack.events(1024).without_hits();
//! let plans = stack.cache::<u64, String>("plan").build()?;
//! plans.get_with(&7, |_| async { "gold".into() }).await?;
//!
//! let miss = events.recv().await.expect("the stack is there");
//! assert_eq!((miss.kind, miss.cache.as_deref()), (Kind::Miss, Some("plan")));
//! assert!(matches!(events.recv().await.map(|event| event.kind), Some(Kind::Loaded { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! A subscription never slows the cache: nothing waits for it. It holds so many events as it was given room for; those that
//! find none are dropped, and the next one that is told says how many ([`Event::missed`]). While nobody subscribes an event
//! costs a look at one flag.
//!
//! Events carry no value, and no text of a key or tag unless that is asked for ([`Events::with_keys`]): keys hold what people
//! typed. [`Event::entry`] tells entries apart without it.
//!
//! For numbers there are [`stats`], which miss nothing.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use crate::{answer::Source, attention, breaker::BreakerState, stats};

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// What it was.
    pub kind: Kind,
    /// The name of the cache; `None` for what concerns tags, the namespace or the shared store.
    pub cache: Option<Arc<str>>,
    /// A number for the entry: the same for all of its events in this process, and with nothing of the key in it. `None` for
    /// what concerns more than one.
    pub entry: Option<u64>,
    /// The key's text, or the name of what was invalidated in L2; only for a subscription [`with_keys`](Events::with_keys).
    pub key: Option<Arc<str>>,
    /// How many events before this one were dropped, because the subscriber was behind.
    pub missed: u64,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A call was answered from a tier: [`Source::L1`] or [`Source::L2`].
    Hit {
        /// Which tier.
        source: Source,
    },
    /// A call was answered by an entry past its time to live, inside a stale window.
    Stale,
    /// A call was answered by a load under way for another one.
    Joined,
    /// A call found a value nowhere: it loads one, or asked for no load.
    Miss,
    /// A loader gave a value.
    Loaded {
        /// How long that took.
        took: Duration,
    },
    /// A loader gave none: an error, a panic, a deadline.
    LoadFailed {
        /// How long that took.
        took: Duration,
    },
    /// A load began behind a call that was answered with an old value.
    Refresh,
    /// A call was answered with the default value that it gave, because its load failed.
    Default,
    /// L1 dropped an entry for want of room.
    Evicted,
    /// L1 dropped an entry whose time was up. It is told when its memory is freed, which is some time after nobody was served
    /// it any more.
    Expired,
    /// Something was revoked, or marked as stale, by this process.
    Invalidated,
    /// An invalidation of another process was heard of.
    Heard,
    /// L1 was revoked as a whole: the log of invalidations has a gap, or belongs to another server.
    Flushed,
    /// The circuit breaker in front of L2 is in another state.
    Breaker(BreakerState),
}

impl Kind {
    fn of(event: stats::Event) -> Option<Self> {
        Some(match event {
            stats::Event::L1Hit => Self::Hit { source: Source::L1 },
            stats::Event::L2Hit => Self::Hit { source: Source::L2 },
            stats::Event::StaleHit | stats::Event::StaleOnError => Self::Stale,
            stats::Event::Joined => Self::Joined,
            stats::Event::Miss => Self::Miss,
            stats::Event::Refresh => Self::Refresh,
            stats::Event::Default => Self::Default,
            stats::Event::Eviction => Self::Evicted,
            stats::Event::Expiration => Self::Expired,
            stats::Event::Invalidation => Self::Invalidated,
            _ => return None,
        })
    }
}

/// A subscription to events: made by [`Stack::events`](crate::Stack::events) and [`Cache::events`](crate::Cache::events).
///
/// It ends when it is dropped, or after the last event of a stack that was shut down.
#[derive(Debug)]
pub struct Events {
    events: mpsc::Receiver<Event>,
    wishes: Arc<Wishes>,
    hub: Weak<Hub>,
}

impl Events {
    /// Tells the text of keys, and the names of tags, too. They may hold what people typed: mind where it goes.
    #[must_use]
    pub fn with_keys(self) -> Self {
        self.wishes.keys.store(true, Ordering::Relaxed);
        self
    }

    /// Leaves out [`Kind::Hit`], which is most of what happens: hits then cost what they cost without a subscription.
    #[must_use]
    pub fn without_hits(self) -> Self {
        if self.wishes.hits.swap(false, Ordering::Relaxed) {
            attention::release();
        }
        self
    }

    /// The next event, waited for; `None` when the stack was shut down and all were told.
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The next event, if there is one already.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// How many events were dropped so far, because there was no room for them.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.wishes.missed.load(Ordering::Relaxed)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.change(|subscribers| subscribers.retain(|subscriber| !Arc::ptr_eq(&subscriber.wishes, &self.wishes)));
        }
        if self.wishes.hits.load(Ordering::Relaxed) {
            attention::release();
        }
    }
}

/// What a subscriber wants, and has missed.
#[derive(Debug)]
struct Wishes {
    /// Only those of the cache with this name.
    cache: Option<Arc<str>>,
    keys: AtomicBool,
    hits: AtomicBool,
    /// Since the last one that was told.
    missing: AtomicU64,
    /// All in all.
    missed: AtomicU64,
}

#[derive(Clone)]
struct Subscriber {
    wishes: Arc<Wishes>,
    events: mpsc::Sender<Event>,
}

/// The subscriptions of a stack.
#[derive(Default)]
pub(crate) struct Hub {
    is_watched: AtomicBool,
    subscribers: ArcSwap<Vec<Subscriber>>,
    /// Held while they change; whether nobody can subscribe any more.
    is_closed: Mutex<bool>,
}

/// What an event is about.
pub(crate) struct Subject<'a> {
    pub(crate) cache: Option<&'a Arc<str>>,
    pub(crate) entry: Option<u64>,
    /// Made only for those who want it.
    pub(crate) key: &'a dyn Fn() -> Option<Arc<str>>,
}

impl Subject<'_> {
    pub(crate) const NONE: Self = Self { cache: None, entry: None, key: &|| None };
}

impl Hub {
    pub(crate) fn subscribe(self: &Arc<Self>, cache: Option<Arc<str>>, capacity: usize) -> Events {
        let (sender, events) = mpsc::channel(capacity.max(1));
        let wishes = Arc::new(Wishes {
            cache,
            keys: AtomicBool::new(false),
            hits: AtomicBool::new(true),
            missing: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        });
        let subscriber = Subscriber { wishes: Arc::clone(&wishes), events: sender };
        attention::ask();
        self.change(|subscribers| subscribers.push(subscriber));
        Events { events, wishes, hub: Arc::downgrade(self) }
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&self) {
        *self.is_closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.change(|_| {});
    }

    /// Tells what was counted, if it is an event.
    #[inline]
    pub(crate) fn note(&self, event: stats::Event, subject: Subject<'_>) {
        if self.is_watched.load(Ordering::Relaxed)
            && let Some(kind) = Kind::of(event)
        {
            self.tell_all(kind, &subject);
        }
    }

    #[inline]
    pub(crate) fn tell(&self, kind: Kind, subject: Subject<'_>) {
        if self.is_watched.load(Ordering::Relaxed) {
            self.tell_all(kind, &subject);
        }
    }

    #[cold]
    fn tell_all(&self, kind: Kind, subject: &Subject<'_>) {
        let subscribers = self.subscribers.load();
        let is_hit = matches!(kind, Kind::Hit { .. });
        let interested = || {
            subscribers.iter().filter(|Subscriber { wishes, .. }| {
                let is_of_cache = wishes.cache.as_ref().is_none_or(|cache| subject.cache == Some(cache));
                is_of_cache && (!is_hit || wishes.hits.load(Ordering::Relaxed))
            })
        };
        let wants_key = |subscriber: &Subscriber| subscriber.wishes.keys.load(Ordering::Relaxed);
        let key = if interested().any(wants_key) { (subject.key)() } else { None };
        for subscriber in interested() {
            let key = key.as_ref().filter(|_| wants_key(subscriber)).cloned();
            subscriber.tell(Event { kind, cache: subject.cache.cloned(), entry: subject.entry, key, missed: 0 });
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Subscriber>)) {
        let is_closed = self.is_closed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut subscribers = Vec::clone(&self.subscribers.load());
        change(&mut subscribers);
        if *is_closed {
            subscribers.clear();
        }
        self.is_watched.store(!subscribers.is_empty(), Ordering::Relaxed);
        self.subscribers.store(Arc::new(subscribers));
    }
}

impl Subscriber {
    fn tell(&self, event: Event) {
        let Wishes { missing, missed, .. } = &*self.wishes;
        let before = missing.swap(0, Ordering::Relaxed);
        if self.events.try_send(Event { missed: before, ..event }).is_err() {
            missing.fetch_add(before + 1, Ordering::Relaxed);
            missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
