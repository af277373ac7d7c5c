//! Where threads meet: std's and tokio's, unless a test explores in which order they do (`scripts/interleavings`).

#[cfg(all(test, shuttle))]
mod interruptible;

#[cfg(not(all(test, shuttle)))]
pub(crate) use {
    std::sync::{Mutex, MutexGuard, OnceLock, atomic},
    tokio::sync::Notify,
};

#[cfg(all(test, shuttle))]
pub(crate) use {
    self::interruptible::{Notify, OnceLock},
    shuttle::sync::{Mutex, MutexGuard, atomic},
};
