//! What the test and its processes say to each other.

use std::time::Duration;

use cache_core::testing::history::{Moment, Operation};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// The monotonic clock that all processes of a machine share, from the start of a run on. It is also the one that a stack reads.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Clock(Duration);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(monotonic())
    }

    pub(crate) fn now(self) -> Moment {
        Moment { at: monotonic() - self.0, step: 0 }
    }
}

fn monotonic() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What a process is told when it is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: usize,
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    /// Its way to Redis.
    pub(crate) url: String,
    /// The port of the origin.
    pub(crate) origin: u16,
    pub(crate) lie: Lie,
}

/// What no process must do: the checker has to notice each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Lie {
    None,
    /// L1 is trusted for longer than the fleet was promised.
    LongStaleness,
    /// An invalidation is reported, and not done.
    IdleInvalidations,
    /// What a store has that was rolled back is trusted.
    WarmRollbacks,
}

/// What a process is told later: a line of its standard input.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// To begin nothing more, and to say when all is well.
    Rest,
    /// To read every key once more, and to end.
    Close,
}

/// What a process tells: a line of its standard output. What was written there survives it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Did(Operation),
    Rested,
}

/// What a process asks of the origin. The answer is each key's version.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Versions,
    Commit {
        key: usize,
        by: usize,
        /// When the guarded write began that this is the commit of.
        write: Option<Moment>,
    },
}
