//! The monotonic clock that every deadline and lifetime is measured with.

use tokio::time::Instant;

/// The present moment of tokio's clock, so that a paused clock in a test moves everything.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "this is the clock that the others are told to use"
)]
pub fn now() -> Instant {
    Instant::now()
}
