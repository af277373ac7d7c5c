//! What shuttle has no likeness of: the real thing, before each use of which another thread may have its turn.

use shuttle::thread::yield_now;
use tokio::sync::futures::Notified;

pub(crate) struct OnceLock<T>(std::sync::OnceLock<T>);

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        yield_now();
        self.0.get()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        yield_now();
        self.0.set(value)
    }
}

pub(crate) struct Notify(tokio::sync::Notify);

impl Notify {
    pub(crate) fn new() -> Self {
        Self(tokio::sync::Notify::new())
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        yield_now();
        self.0.notified()
    }

    pub(crate) fn notify_one(&self) {
        yield_now();
        self.0.notify_one();
    }

    pub(crate) fn notify_waiters(&self) {
        yield_now();
        self.0.notify_waiters();
    }
}
