//! The one place that reads a clock.
//!
//! It is tokio's, so a test that pauses time (`#[tokio::test(start_paused = true)]`, `tokio::time::advance`) moves every
//! lifetime, deadline and back-off of a stack with it.

use tokio::time::Instant;

/// The present, on the monotonic clock of this process.
#[allow(clippy::disallowed_methods, reason = "this is the clock that everything else asks")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}
