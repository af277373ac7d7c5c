//! How many calls there were in the last while, and how many of them failed. Counting takes no lock.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::clock;

/// The window moves on by one of so many slices.
const SLICES: u64 = 10;

pub(super) struct Window {
    origin: Instant,
    /// How long a slice is, in nanoseconds.
    length: u64,
    slices: [AtomicU64; SLICES as usize],
}

impl Window {
    pub(super) fn new(window: Duration) -> Self {
        let length = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX) / SLICES;
        Self { origin: clock::now(), length: length.max(1), slices: array::from_fn(|_| AtomicU64::new(0)) }
    }

    pub(super) fn note(&self, at: Instant, failed: bool) {
        let number = self.number(at);
        let slice = &self.slices[(number % SLICES) as usize];
        // Always given another value, it never fails.
        let _ = slice.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            Some(Slice::unpack(packed).of(number).with(failed).pack())
        });
    }

    /// Calls and failures in the window that ends at `now`.
    pub(super) fn sum(&self, now: Instant) -> (u64, u64) {
        let newest = self.number(now);
        let slices = self.slices.iter().map(|slice| Slice::unpack(slice.load(Ordering::Relaxed)));
        slices
            .filter(|slice| newest.wrapping_sub(slice.number) & NUMBERS < SLICES)
            .fold((0, 0), |(calls, failures), slice| (calls + slice.calls, failures + slice.failures))
    }

    pub(super) fn clear(&self) {
        self.slices.iter().for_each(|slice| slice.store(0, Ordering::Relaxed));
    }

    fn number(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.origin).as_nanos();
        (u64::try_from(nanos).unwrap_or(u64::MAX) / self.length) & NUMBERS
    }
}

/// Numbers of slices begin again after these.
const NUMBERS: u64 = (1 << 20) - 1;
/// So much of either is counted in one slice.
const MOST: u64 = (1 << 22) - 1;

/// One slice, in 64 bits.
#[derive(Clone, Copy)]
struct Slice {
    number: u64,
    calls: u64,
    failures: u64,
}

impl Slice {
    fn unpack(packed: u64) -> Self {
        Self { number: packed >> 44, calls: (packed >> 22) & MOST, failures: packed & MOST }
    }

    fn pack(self) -> u64 {
        self.number << 44 | self.calls << 22 | self.failures
    }

    /// Itself, if it has this number; else an empty one that has.
    fn of(self, number: u64) -> Self {
        if self.number == number { self } else { Self { number, calls: 0, failures: 0 } }
    }

    fn with(self, failed: bool) -> Self {
        if self.calls == MOST {
            return self;
        }
        Self { calls: self.calls + 1, failures: self.failures + u64::from(failed), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let window = Window::new(10 * SECOND);
        let start = window.origin;
        for second in 0..10 {
            window.note(start + second * SECOND, second % 2 == 0);
        }
        assert_eq!(window.sum(start + 9 * SECOND), (10, 5));
        assert_eq!(window.sum(start + 12 * SECOND), (7, 3));
        window.note(start + 12 * SECOND, true);
        assert_eq!(window.sum(start + 12 * SECOND), (8, 4));
        assert_eq!(window.sum(start + 30 * SECOND), (0, 0));
        window.clear();
        assert_eq!(window.sum(start + 12 * SECOND), (0, 0));
    }

    #[test]
    fn nothing_that_many_threads_note_is_lost() {
        let window = Window::new(10 * SECOND);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|call| window.note(window.origin, call % 4 == 0)));
            }
        });
        assert_eq!(window.sum(window.origin), (4000, 1000));
    }

    #[test]
    fn a_slice_that_is_full_keeps_its_share() {
        let full = Slice { number: 7, calls: MOST, failures: 5 };
        let same = Slice::unpack(full.with(true).pack());
        assert_eq!((same.number, same.calls, same.failures), (7, MOST, 5));
    }
}
