use std::{
    array,
    cell::Cell,
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::{EVENTS, Event, Stats, export::Exported};
use crate::events::{Hub, Kind, Subject};

/// Counts what happens to one cache, and hands it to recorders.
///
/// A thread counts in a stripe of its own, with a load and a store where threads that share one need a locked addition; only
/// those that are more than there are cores share. A reader adds the stripes up.
pub(crate) struct Counters {
    own: Box<[Stripe]>,
    shared: Stripe,
    exported: Exported,
    /// The cache's name, for events.
    name: Arc<str>,
    hub: Arc<Hub>,
}

/// Two cache lines apart from the next, because processors fetch lines in pairs.
#[repr(align(128))]
struct Stripe([AtomicU64; EVENTS]);

const MAX_STRIPES: usize = 32;

impl Counters {
    pub(crate) fn new(namespace: &str, cache: &str, hub: &Arc<Hub>) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        // A runtime has a worker for each core, and the thread that it was started on; as many again for what else a process runs.
        let own = (2 * (cores + 1)).min(MAX_STRIPES);
        Self {
            own: (0..own).map(|_| Stripe::new()).collect(),
            shared: Stripe::new(),
            exported: Exported::new(namespace, cache),
            name: cache.into(),
            hub: Arc::clone(hub),
        }
    }

    #[inline]
    pub(crate) fn count(&self, event: Event) {
        self.add(event, 1);
    }

    #[inline]
    pub(crate) fn add(&self, event: Event, n: u64) {
        match self.own.get(ORDINAL.get()) {
            Some(stripe) => {
                let count = &stripe.0[event as usize];
                count.store(count.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
            }
            None => self.add_otherwise(event, n),
        }
    }

    /// Of a thread that has no number yet, or none that has a stripe.
    #[cold]
    fn add_otherwise(&self, event: Event, n: u64) {
        match self.own.get(number_this_thread()) {
            Some(_) => self.add(event, n),
            None => _ = self.shared.0[event as usize].fetch_add(n, Ordering::Relaxed),
        }
    }

    /// Counts it, and tells those who want to know. `key` makes the text of an entry's key for those who want that too.
    #[inline]
    pub(crate) fn note(&self, event: Event, entry: Option<u64>, key: impl Fn() -> Option<Arc<str>>) {
        self.count(event);
        self.hub.note(event, Subject { cache: Some(&self.name), entry, key: &key });
    }

    /// Tells what is not counted as it is told.
    #[inline]
    pub(crate) fn tell(&self, kind: Kind, entry: u64, key: impl Fn() -> Option<Arc<str>>) {
        self.hub.tell(kind, Subject { cache: Some(&self.name), entry: Some(entry), key: &key });
    }

    /// Counts a load that ran to an end in `took`.
    pub(crate) fn load(&self, took: Duration) {
        self.count(Event::Load);
        self.add(Event::LoadNanos, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        self.exported.load(took);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let stripes = || self.own.iter().chain([&self.shared]);
        Stats::new(|event| stripes().map(|stripe| stripe.0[event as usize].load(Ordering::Relaxed)).sum())
    }

    /// Tells the recorder of the `metrics` crate how things stand.
    pub(crate) fn publish(&self) {
        self.exported.publish(&self.snapshot());
    }
}

impl Stripe {
    fn new() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

thread_local! {
    /// The number of this thread, which no other has at the same time: the smallest that was free when it first counted. A thread
    /// that is about to end has none, and shares. Apart from what gives it back, so that to read it takes one instruction.
    static ORDINAL: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn number_this_thread() -> usize {
    thread_local! {
        static OWNED: Ordinal = Ordinal::take();
    }
    let _ = OWNED.try_with(|ordinal| ORDINAL.set(ordinal.0));
    ORDINAL.get()
}

struct Ordinal(usize);

static ORDINALS: Mutex<Ordinals> = Mutex::new(Ordinals { next: 0, free: BinaryHeap::new() });

struct Ordinals {
    next: usize,
    /// Those of threads that ended. The next to have one has seen all that they counted: it passed the same lock.
    free: BinaryHeap<Reverse<usize>>,
}

impl Ordinal {
    fn take() -> Self {
        let mut ordinals = ORDINALS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Reverse(ordinal)) = ordinals.free.pop() {
            return Self(ordinal);
        }
        ordinals.next += 1;
        Self(ordinals.next - 1)
    }
}

impl Drop for Ordinal {
    fn drop(&mut self) {
        ORDINAL.set(usize::MAX);
        ORDINALS.lock().unwrap_or_else(PoisonError::into_inner).free.push(Reverse(self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_many_threads_count_is_lost() {
        let counters = Counters::new("shop", "plan", &Arc::default());
        thread::scope(|scope| {
            for _ in 0..MAX_STRIPES + 8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counters.count(Event::L1Hit);
                        counters.add(Event::Damaged, 2);
                    }
                });
            }
        });
        let stats = counters.snapshot();
        assert_eq!((stats.l1_hits, stats.damaged, stats.requests()), (40_000, 80_000, 40_000));
    }

    #[test]
    fn threads_that_follow_each_other_lose_nothing() {
        let counters = Counters::new("shop", "plan", &Arc::default());
        for _ in 0..3 * MAX_STRIPES {
            thread::scope(|scope| {
                scope.spawn(|| counters.count(Event::L1Hit));
            });
        }
        assert_eq!(counters.snapshot().l1_hits, 3 * MAX_STRIPES as u64);
    }

    #[test]
    fn stripes_are_bounded_and_share_no_line() {
        assert!(Counters::new("shop", "plan", &Arc::default()).own.len() <= MAX_STRIPES);
        assert_eq!(size_of::<Stripe>() % 128, 0);
    }

    #[test]
    fn threads_have_numbers_of_their_own() {
        let here = number_this_thread();
        assert_eq!(here, number_this_thread());
        assert_ne!(thread::spawn(number_this_thread).join().unwrap(), here);
    }

    #[test]
    fn a_load_counts_itself_and_its_time() {
        let counters = Counters::new("shop", "plan", &Arc::default());
        counters.load(Duration::from_millis(3));
        counters.load(Duration::from_millis(5));
        let stats = counters.snapshot();
        assert_eq!((stats.loads, stats.load_errors), (2, 0));
        assert_eq!(stats.mean_load_time(), Duration::from_millis(4));
    }
}
