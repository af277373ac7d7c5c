//! A cache that takes part.

use std::time::Duration;

use tokio::runtime::Handle;

/// Entries that each may keep: more than are asked for.
pub const CAPACITY: usize = 200_000;

/// For which no entry of a run ever grows too old.
pub const TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// A cache, and how its hits are run.
pub struct Contestant {
    /// As it is called in the table.
    pub name: &'static str,
    /// What it does for a hit beside finding the value.
    pub does: &'static str,
    /// What its hits are timed by.
    pub clock: Clock,
    /// Asks for each key, on this thread.
    pub run: fn(&Handle, &[u64]),
}

/// What hits are timed by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// The processor time of the thread that asks: other load on the machine is not in it, though it may drive things out of the
    /// processor's caches.
    Processor,
    /// The time that passes, for hits that wait for another process: those of one request in 64.
    Elapsed,
}

impl Clock {
    /// Of so many requests, how many are made.
    pub(crate) fn share(self, requests: usize) -> usize {
        match self {
            Self::Processor => requests,
            Self::Elapsed => requests / 64,
        }
    }
}

/// A contestant whose hit is a call of an asynchronous function with a number.
#[macro_export]
macro_rules! contestant {
    ($name:expr, $does:literal, $function:path) => {
        $crate::contestant!($name, $does, $function, $crate::Clock::Processor)
    };
    ($name:expr, $does:literal, $function:path, $clock:expr) => {
        $crate::Contestant {
            name: $name,
            does: $does,
            clock: $clock,
            run: |handle, keys| {
                handle.block_on(async {
                    for key in keys {
                        ::std::hint::black_box($function(*key).await);
                    }
                })
            },
        }
    };
}
