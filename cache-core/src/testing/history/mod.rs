//! What the callers of a fleet saw, and whether it is what [the contract](crate::consistency) promises.
//!
//! A fleet under test has two caches, whose keys are numbers. Their origin counts the commits to each key; a loader returns the
//! count, so that of two values of a key the older one is known. Whoever drives the fleet writes down what was asked and
//! answered, and when, on one clock; [`check`] knows the contract and nothing of how it is kept.

mod rules;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub use rules::{Rule, check, staleness};

use crate::Source;

/// What a fleet was built with, and is held to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms {
    /// X.
    pub max_staleness: Duration,
    /// Of the two caches.
    pub ttl: [Duration; 2],
    /// How long after that a stale value may be served; zero without a stale window.
    pub grace: [Duration; 2],
    /// How long a fill may be under way.
    pub lease_ttl: Duration,
    /// How long a guard outlives a process that does not prolong it.
    pub guard_ttl: Duration,
}

/// Keys live in two caches by turns.
pub const fn cache_of(key: usize) -> usize {
    key % 2
}

/// How an entry comes to have the one tag that there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tagged {
    /// The call names it.
    ByCall,
    /// The loader does.
    ByLoader,
    /// It has none.
    No,
}

/// Of four keys two are tagged by their calls, one by its loader, and one is not.
pub const fn tagged(key: usize) -> Tagged {
    match key % 4 {
        0 | 1 => Tagged::ByCall,
        2 => Tagged::ByLoader,
        _ => Tagged::No,
    }
}

/// When, on the clock of the run; and, where that stands still, after how many other things.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Moment {
    /// On a clock that all processes share.
    pub at: Duration,
    /// Grows with each thing that happens; zero on a clock that never stands still.
    pub step: u64,
}

impl Moment {
    /// Some time later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self { at: self.at + time, ..self }
    }
}

/// What an invalidation covers.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum Scope {
    /// One entry.
    Key(usize),
    /// All that have the tag.
    Tag,
    /// A cache.
    Cache(usize),
    /// The namespace.
    Everything,
}

impl Scope {
    /// Whether the key's entry is among them.
    pub fn covers(self, key: usize) -> bool {
        match self {
            Self::Key(one) => one == key,
            Self::Tag => tagged(key) != Tagged::No,
            Self::Cache(cache) => cache_of(key) == cache,
            Self::Everything => true,
        }
    }
}

/// How a call reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as the calls are")]
pub enum Mode {
    Get,
    GetWith,
    Validated,
    ValidatedGet,
    Refresh,
}

impl Mode {
    /// Whether G4 speaks of it.
    pub fn is_validated(self) -> bool {
        matches!(self, Self::Validated | Self::ValidatedGet)
    }
}

/// What a loader returns, and a read is answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Value {
    /// Whose it is.
    pub key: usize,
    /// The origin's; the first is 1.
    pub version: u64,
    /// When its load began, in milliseconds of the run.
    pub loaded: u64,
}

/// A call that came back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// Before the call.
    pub began: Moment,
    /// After it.
    pub ended: Moment,
    /// Who called. A process that is started again is another one.
    pub process: usize,
    /// What.
    pub deed: Deed,
}

/// What a call did, and what its caller was told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Deed {
    /// One of the calls that read.
    Read {
        /// Of which entry.
        key: usize,
        /// By which call.
        mode: Mode,
        /// What it was served.
        answer: Option<(Value, Source)>,
    },
    /// An invalidation.
    Invalidate {
        /// Of what.
        scope: Scope,
        /// Each key's version that was current before it.
        versions: Vec<u64>,
        /// Whether L2 is known to have heard of it.
        told: bool,
    },
    /// A soft one.
    Expire {
        /// Of what.
        scope: Scope,
        /// Each key's version that was current before it.
        versions: Vec<u64>,
        /// Whether L2 is known to have heard of it.
        told: bool,
    },
    /// A guarded write.
    Write {
        /// Of which entry.
        key: usize,
        /// What it committed.
        version: u64,
        /// Whether it returned `Ok`.
        told: bool,
    },
}

/// The store went back to an earlier state, as another server.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rollback {
    /// Not later than the first answer from that state, nor earlier than the last one from before.
    pub at: Moment,
    /// When the namespace had been renewed for it.
    pub noticed: Option<Moment>,
}

/// A time in which the store may have lost any record, guards among them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Loss {
    /// Before.
    pub from: Moment,
    /// After.
    pub to: Moment,
}

/// All that happened.
#[derive(Clone, PartialEq, Default)]
pub struct Record {
    /// In any order.
    pub operations: Vec<Operation>,
    /// When each key was committed to, in order.
    pub commits: Vec<Vec<Moment>>,
    /// In any order.
    pub rollbacks: Vec<Rollback>,
    /// In any order.
    pub losses: Vec<Loss>,
    /// From here on nothing fails, and every read must have the origin's value.
    pub quiet: Option<Moment>,
}

impl Record {
    /// Nothing yet, of so many keys.
    pub fn of(keys: usize) -> Self {
        Self { commits: vec![Vec::new(); keys], ..Self::default() }
    }

    /// A key's version at the origin.
    pub fn version(&self, key: usize, at: Moment) -> u64 {
        1 + self.commits[key].partition_point(|commit| *commit <= at) as u64
    }

    /// When a key's version was committed: at first, all have one.
    pub fn committed(&self, key: usize, version: u64) -> Option<Moment> {
        self.commits[key].get((version as usize).checked_sub(2)?).copied()
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms#{}", self.at.as_millis(), self.step)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} – {:?} p{}: ", self.began, self.ended, self.process)?;
        match &self.deed {
            Deed::Read { key, mode, answer: Some((value, source)) } => {
                let Value { version, loaded, .. } = value;
                write!(f, "read {key} ({mode:?}): version {version} from {source:?}, loaded at {loaded}ms")
            }
            Deed::Read { key, mode, answer: None } => write!(f, "read {key} ({mode:?}): nothing"),
            Deed::Invalidate { scope, versions, told } => {
                write!(f, "invalidate {scope:?} at {versions:?}: {}", if *told { "ok" } else { "queued" })
            }
            Deed::Expire { scope, versions, told } => {
                write!(f, "expire {scope:?} at {versions:?}: {}", if *told { "ok" } else { "queued" })
            }
            Deed::Write { key, version, told } => {
                write!(f, "write {key}, version {version}: {}", if *told { "ok" } else { "failed" })
            }
        }
    }
}

/// All of it, in the order in which things began.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = self.operations.iter().map(|operation| (operation.began, operation.to_string()));
        let commits = self.commits.iter().enumerate().flat_map(|(key, commits)| {
            let line = move |(number, at): (usize, &Moment)| (*at, format!("{at:?} commit {key}: {}", number + 2));
            commits.iter().enumerate().map(line)
        });
        let rollbacks =
            self.rollbacks.iter().map(|back| (back.at, format!("{:?} rollback, noticed {:?}", back.at, back.noticed)));
        let losses =
            self.losses.iter().map(|loss| (loss.from, format!("{:?} – {:?} records lost", loss.from, loss.to)));
        let mut lines: Vec<_> = operations.chain(commits).chain(rollbacks).chain(losses).collect();
        lines.sort();
        lines.iter().try_for_each(|(_, line)| writeln!(f, "{line}"))
    }
}
