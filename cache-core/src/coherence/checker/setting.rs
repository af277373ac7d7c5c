//! What a run of the checker starts from: who does what, and how much may go wrong.

use std::time::Duration;

use tokio::time::Instant;

use super::{mutant::Mutant, property::Property};
use crate::{
    clock,
    coherence::{course::Patience, ledger::Ledger},
    key::{CacheName, EntryKey, Mark, Namespace},
    tag::Tags,
};

/// What a caller does. Each call of a setting begins at any time, so the calls overlap in every way there is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Operation {
    Get,
    Lookup,
    Refresh,
    /// Commits the next version to the origin, and inserts it.
    Insert,
    InvalidateKey,
    InvalidateTag,
}

impl Operation {
    pub(super) fn is_write(self) -> bool {
        matches!(self, Self::Insert | Self::InvalidateKey | Self::InvalidateTag)
    }
}

/// Who knows the tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tagging {
    /// Every call names it.
    Declared,
    /// Only the loader does.
    Late,
}

/// How much happens that no call asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Budget {
    /// New versions in the origin.
    pub(super) commits: u8,
    /// Requests of flights that are given up, before they executed or after, and loads that fail.
    pub(super) faults: u8,
    /// The same for inserts, invalidations and deliveries.
    pub(super) failures: u8,
    /// Records that L2 loses, by eviction or expiry.
    pub(super) losses: u8,
    /// Callers that leave before they are answered.
    pub(super) leavers: u8,
    /// Sweeps of a ledger.
    pub(super) sweeps: u8,
    /// How often the clock ticks.
    pub(super) ticks: u8,
    /// Heartbeats.
    pub(super) beats: u8,
    /// How often the log loses messages, some or all.
    pub(super) log_losses: u8,
    /// How often the store is succeeded by a server that lacks the last invalidation.
    pub(super) failovers: u8,
}

#[derive(Clone)]
pub(super) struct Setting {
    /// By process.
    pub(super) calls: Vec<(usize, Operation)>,
    pub(super) tagging: Tagging,
    /// Whether L2 begins with an entry of the first version.
    pub(super) is_warm: bool,
    /// Whether L1 does, too.
    pub(super) is_held: bool,
    /// Whether the second process could not attach to the store when it began.
    pub(super) is_detached: bool,
    /// Whether the store keeps a log, which both processes are attached to. Otherwise nothing is proven, or need be.
    pub(super) has_log: bool,
    pub(super) budget: Budget,
    pub(super) mutant: Option<Mutant>,
    /// The property to check, if not all of them.
    pub(super) watched: Option<Property>,
    /// The least `CHECK_DEPTH` at which it is explored.
    pub(super) depth: u8,
    pub(super) fixtures: Fixtures,
}

/// The names that the machines are given.
#[derive(Clone)]
pub(super) struct Fixtures {
    pub(super) key: EntryKey,
    pub(super) tag: Mark,
    pub(super) everything: Mark,
    /// The mark of the lot that the entry is in. Production points to it; here it has a name that nothing else needs.
    pub(super) lot: Mark,
    pub(super) namespace: Namespace,
    pub(super) tagged: Tags,
    pub(super) untagged: Tags,
    pub(super) start: Instant,
}

/// The name of the one tag.
pub(super) const TAG: &str = "t";

/// What lies between two ticks. All that happens at one tick happens at one moment.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// How long L1 may serve what others have revoked: [`Bounds`](super::property::Bounds) counts on its being one tick.
pub(super) const MAX_STALENESS: Duration = TICK;

/// A flight that waited once for another's load waits no more: a pause is as long as need be.
pub(super) const PATIENCE: Patience =
    Patience { first: Duration::from_millis(10), longest: Duration::from_millis(10), budget: Duration::from_secs(1) };

impl Setting {
    /// One commit, nothing goes wrong, L2 is empty, the tag is declared.
    pub(super) fn new(first: &[Operation], second: &[Operation]) -> Self {
        let calls = first.iter().map(|operation| (0, *operation));
        let calls = calls.chain(second.iter().map(|operation| (1, *operation))).collect();
        Self {
            calls,
            tagging: Tagging::Declared,
            is_warm: false,
            is_held: false,
            is_detached: false,
            has_log: false,
            budget: Budget { commits: 1, ..Budget::default() },
            mutant: None,
            watched: None,
            depth: 0,
            fixtures: Fixtures::new(),
        }
    }

    pub(super) fn late(mut self) -> Self {
        self.tagging = Tagging::Late;
        self
    }

    pub(super) fn warm(mut self) -> Self {
        self.is_warm = true;
        self
    }

    pub(super) fn commits(mut self, commits: u8) -> Self {
        self.budget.commits = commits;
        self
    }

    pub(super) fn faults(mut self, faults: u8) -> Self {
        self.budget.faults = faults;
        self
    }

    pub(super) fn failures(mut self, failures: u8) -> Self {
        self.budget.failures = failures;
        self
    }

    pub(super) fn losses(mut self, losses: u8) -> Self {
        self.budget.losses = losses;
        self
    }

    pub(super) fn leavers(mut self, leavers: u8) -> Self {
        self.budget.leavers = leavers;
        self
    }

    pub(super) fn sweeps(mut self, sweeps: u8) -> Self {
        self.budget.sweeps = sweeps;
        self
    }

    /// Warm, down to the L1 of both processes.
    pub(super) fn held(mut self) -> Self {
        self.is_held = true;
        self.warm()
    }

    pub(super) fn detached(mut self) -> Self {
        self.is_detached = true;
        self
    }

    /// With a log, and a clock.
    pub(super) fn followed(mut self, ticks: u8, beats: u8) -> Self {
        self.has_log = true;
        (self.budget.ticks, self.budget.beats) = (ticks, beats);
        self
    }

    pub(super) fn log_losses(mut self, losses: u8) -> Self {
        self.budget.log_losses = losses;
        self
    }

    pub(super) fn failovers(mut self, failovers: u8) -> Self {
        self.budget.failovers = failovers;
        self
    }

    pub(super) fn at_depth(mut self, depth: u8) -> Self {
        self.depth = depth;
        self
    }

    pub(super) fn without(mut self, rule: Mutant, watched: Property) -> Self {
        self.mutant = Some(rule);
        self.watched = Some(watched);
        self
    }

    /// With so much more of every mishap that it has at all, less the depth that it is at.
    pub(super) fn deeper(mut self, depth: u8) -> Self {
        let by = depth - self.depth;
        let Budget { faults, failures, losses, leavers, beats, log_losses, .. } = &mut self.budget;
        for budget in [faults, failures, losses, leavers, beats, log_losses] {
            *budget += if *budget > 0 { by } else { 0 };
        }
        self
    }

    pub(super) fn lacks(&self, rule: Mutant) -> bool {
        self.mutant == Some(rule)
    }

    pub(super) fn is_declared(&self) -> bool {
        self.tagging == Tagging::Declared
    }
}

impl Fixtures {
    fn new() -> Self {
        let shop = Namespace::new("shop").expect("a valid name");
        let cache = CacheName::new(&shop, "user").expect("a valid name");
        Self {
            key: EntryKey::new(&cache, 1, "alice"),
            tag: shop.tag(TAG),
            everything: shop.mark(),
            lot: cache.mark(),
            tagged: Ledger::new(shop.clone()).tags(&[TAG]),
            untagged: Tags::default(),
            start: clock::now(),
            namespace: shop,
        }
    }

    pub(super) fn tags(&self, is_tagged: bool) -> &Tags {
        if is_tagged { &self.tagged } else { &self.untagged }
    }

    /// The moment of a tick.
    pub(super) fn at(&self, tick: u8) -> Instant {
        self.start + TICK * u32::from(tick)
    }
}
