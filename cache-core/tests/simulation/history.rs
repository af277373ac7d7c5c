//! What happened in a run, as its callers saw it.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use cache_core::{Source, clock};
use tokio::time::Instant;

pub(crate) const KEYS: usize = 4;

/// Whose entry has the tag: two calls name it, one loader does, and the last entry has none.
pub(crate) const fn is_tagged(key: usize) -> bool {
    key != 3
}

/// Keys live in two caches by turns.
pub(crate) const fn cache_of(key: usize) -> usize {
    key % 2
}

/// When, in virtual time, and after how many other things.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Moment {
    pub(crate) step: u64,
    pub(crate) at: Duration,
}

/// Each key's version at the origin. The first is 1.
pub(crate) type Versions = [u64; KEYS];

/// What an invalidation covers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Scope {
    Key(usize),
    Tag,
    Cache(usize),
    Everything,
}

impl Scope {
    pub(crate) fn covers(self, key: usize) -> bool {
        match self {
            Self::Key(one) => one == key,
            Self::Tag => is_tagged(key),
            Self::Cache(cache) => cache_of(key) == cache,
            Self::Everything => true,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Get,
    GetWith,
    Validated,
    ValidatedGet,
    Refresh,
}

impl Mode {
    pub(crate) fn is_validated(self) -> bool {
        matches!(self, Self::Validated | Self::ValidatedGet)
    }
}

/// What a loader returns, and a read is answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Value {
    pub(crate) key: usize,
    pub(crate) version: u64,
    /// When its load began, in milliseconds of the run.
    pub(crate) loaded: u64,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Operation {
    pub(crate) began: Moment,
    pub(crate) ended: Moment,
    pub(crate) process: usize,
    pub(crate) deed: Deed,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Deed {
    Read {
        key: usize,
        mode: Mode,
        answer: Option<(Value, Source)>,
    },
    /// `versions` were current when it began.
    Invalidate {
        scope: Scope,
        versions: Versions,
        told: bool,
    },
    /// A guarded write; the version that it committed.
    Write {
        key: usize,
        version: u64,
        told: bool,
    },
}

/// The store went back to an earlier state, as another server.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Rollback {
    pub(crate) at: Moment,
    /// When the namespace was renewed for it.
    pub(crate) noticed: Option<Moment>,
}

#[derive(Clone, PartialEq, Default)]
pub(crate) struct Record {
    pub(crate) operations: Vec<Operation>,
    pub(crate) commits: Vec<(Moment, usize)>,
    pub(crate) rollbacks: Vec<Rollback>,
    /// From here on nothing fails, and every read must have the origin's value.
    pub(crate) quiet: Option<Moment>,
    pub(crate) steps: u64,
}

impl Record {
    /// A key's version at the origin.
    pub(crate) fn version(&self, key: usize, at: Moment) -> u64 {
        1 + self.commits.iter().filter(|(when, what)| *what == key && *when <= at).count() as u64
    }
}

/// Records, with the clock of the run.
#[derive(Clone)]
pub(crate) struct History {
    start: Instant,
    record: Arc<Mutex<Record>>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { start: clock::now(), record: Arc::default() }
    }

    pub(crate) fn now(&self) -> Moment {
        let mut record = self.record.lock().unwrap();
        record.steps += 1;
        Moment { step: record.steps, at: clock::now() - self.start }
    }

    /// The origin is part of the history: a key's version is how often it was committed to.
    pub(crate) fn commit(&self, key: usize) -> u64 {
        let now = self.now();
        self.record.lock().unwrap().commits.push((now, key));
        self.versions()[key]
    }

    pub(crate) fn versions(&self) -> Versions {
        let record = self.record.lock().unwrap();
        std::array::from_fn(|key| 1 + record.commits.iter().filter(|(_, what)| *what == key).count() as u64)
    }

    pub(crate) fn ended(&self, began: Moment, process: usize, deed: Deed) {
        let ended = self.now();
        self.record.lock().unwrap().operations.push(Operation { began, ended, process, deed });
    }

    pub(crate) fn rolled_back(&self) {
        let at = self.now();
        self.record.lock().unwrap().rollbacks.push(Rollback { at, noticed: None });
    }

    /// The namespace was renewed.
    pub(crate) fn noticed(&self) {
        let now = self.now();
        for rollback in &mut self.record.lock().unwrap().rollbacks {
            rollback.noticed.get_or_insert(now);
        }
    }

    pub(crate) fn quiet(&self) {
        let now = self.now();
        self.record.lock().unwrap().quiet = Some(now);
    }

    pub(crate) fn record(&self) -> Record {
        self.record.lock().unwrap().clone()
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
        let commits =
            self.commits.iter().map(|(at, key)| (*at, format!("{at:?} commit {key}: {}", self.version(*key, *at))));
        let rollbacks =
            self.rollbacks.iter().map(|back| (back.at, format!("{:?} rollback, noticed {:?}", back.at, back.noticed)));
        let mut lines: Vec<_> = operations.chain(commits).chain(rollbacks).collect();
        lines.sort();
        lines.iter().try_for_each(|(_, line)| writeln!(f, "{line}"))
    }
}
