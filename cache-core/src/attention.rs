//! Whether hits have to look any further than at their entry.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many want that: subscriptions to hits, and [`scope`](crate::scope) from when the first one was opened.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// A hit looks at this alone.
#[inline(always)]
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed) != 0
}

pub(crate) fn ask() {
    ASKED.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn release() {
    ASKED.fetch_sub(1, Ordering::Relaxed);
}
