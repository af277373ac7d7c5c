use std::{
    array,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use super::{EVENTS, Event, Stats, export::Exported};

/// Counts what happens to one cache, and hands it to recorders.
///
/// There are several stripes of counters, and a thread always writes to the same one, so that cores seldom write to a
/// cache line of another's. A reader adds them up.
pub(crate) struct Counters {
    /// A power of two of them.
    stripes: Box<[Stripe]>,
    exported: Exported,
}

/// Two cache lines apart from the next, because processors fetch lines in pairs.
#[repr(align(128))]
struct Stripe([AtomicU64; EVENTS]);

const MAX_STRIPES: usize = 16;

impl Counters {
    pub(crate) fn new(namespace: &str, cache: &str) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let stripes = cores.next_power_of_two().min(MAX_STRIPES);
        Self {
            stripes: (0..stripes).map(|_| Stripe(array::from_fn(|_| AtomicU64::new(0)))).collect(),
            exported: Exported::new(namespace, cache),
        }
    }

    #[inline]
    pub(crate) fn count(&self, event: Event) {
        self.add(event, 1);
    }

    #[inline]
    pub(crate) fn add(&self, event: Event, n: u64) {
        let stripe = &self.stripes[ordinal() & (self.stripes.len() - 1)];
        stripe.0[event as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// Counts a load that ran to an end in `took`.
    pub(crate) fn load(&self, took: Duration) {
        self.count(Event::Load);
        self.add(Event::LoadNanos, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        self.exported.load(took);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        Stats::new(|event| self.stripes.iter().map(|stripe| stripe.0[event as usize].load(Ordering::Relaxed)).sum())
    }

    /// Tells the recorder of the `metrics` crate how things stand.
    pub(crate) fn publish(&self) {
        self.exported.publish(&self.snapshot());
    }
}

/// The number of this thread, given out in the order in which threads first count.
fn ordinal() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static ORDINAL: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    ORDINAL.with(|ordinal| *ordinal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_many_threads_count_is_lost() {
        let counters = Counters::new("shop", "plan");
        thread::scope(|scope| {
            for _ in 0..MAX_STRIPES + 1 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counters.count(Event::L1Hit);
                        counters.add(Event::Damaged, 2);
                    }
                });
            }
        });
        let stats = counters.snapshot();
        assert_eq!((stats.l1_hits, stats.damaged, stats.requests()), (17_000, 34_000, 17_000));
    }

    #[test]
    fn stripes_are_a_bounded_power_of_two_and_share_no_line() {
        let stripes = Counters::new("shop", "plan").stripes.len();
        assert!(stripes.is_power_of_two() && stripes <= MAX_STRIPES);
        assert_eq!(size_of::<Stripe>() % 128, 0);
    }

    #[test]
    fn threads_have_numbers_of_their_own() {
        let here = ordinal();
        assert_eq!(here, ordinal());
        assert_ne!(thread::spawn(ordinal).join().unwrap(), here);
    }

    #[test]
    fn a_load_counts_itself_and_its_time() {
        let counters = Counters::new("shop", "plan");
        counters.load(Duration::from_millis(3));
        counters.load(Duration::from_millis(5));
        let stats = counters.snapshot();
        assert_eq!((stats.loads, stats.load_errors), (2, 0));
        assert_eq!(stats.mean_load_time(), Duration::from_millis(4));
    }
}
