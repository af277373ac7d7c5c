//! What a history must be like. This knows the contract and nothing of how it is kept.

use std::time::Duration;

use super::{Deed, Moment, Operation, Record, Rollback, Terms, Value, cache_of};
use crate::Source;

/// A rule of the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// A value is that of the key.
    Integrity,
    /// No value is from the future.
    Future,
    /// G2.
    OwnInvalidations,
    /// G3, and with it G1.
    BoundedStaleness,
    /// G4.
    Validated,
    /// G7.
    Age,
    /// When all is well, everybody has what the origin has.
    Quiescence,
}

/// A read that was answered.
struct Answered<'a> {
    operation: &'a Operation,
    key: usize,
    is_validated: bool,
    value: Value,
    source: Source,
}

/// What a read must not be older than, from when on, and for whom.
struct Bound<'a> {
    operation: &'a Operation,
    /// Whether L2 was told, so that it holds for others.
    told: bool,
    /// Whether an old value may be served, if the call says that it is.
    soft: bool,
}

impl Bound<'_> {
    /// The oldest version of a key that may be served.
    fn least(&self, read: usize) -> u64 {
        match &self.operation.deed {
            Deed::Invalidate { scope, versions, .. } | Deed::Expire { scope, versions, .. } if scope.covers(read) => {
                versions[read]
            }
            Deed::Write { key, version, .. } if *key == read => *version,
            _ => 0,
        }
    }
}

/// The rules that a history breaks, with the operations that show it.
pub fn check(record: &Record, terms: &Terms) -> Vec<(Rule, String)> {
    let judge = Judge { record, terms };
    let bounds: Vec<_> = record.operations.iter().filter_map(|operation| judge.bound(operation)).collect();
    let reads = record.operations.iter().filter_map(answered);
    reads.flat_map(|read| judge.broken(&bounds, &read)).collect()
}

/// How long ago the first newer version was committed when each read that was not current began; and how many were current.
pub fn staleness(record: &Record) -> (Vec<Duration>, usize) {
    let (mut stale, mut current) = (Vec::new(), 0);
    for read in record.operations.iter().filter_map(answered) {
        match record.committed(read.key, read.value.version + 1) {
            Some(newer) if newer < read.operation.began => stale.push(read.operation.began.at - newer.at),
            _ => current += 1,
        }
    }
    (stale, current)
}

fn answered(operation: &Operation) -> Option<Answered<'_>> {
    let Deed::Read { key, mode, answer: Some((value, source)) } = operation.deed else { return None };
    Some(Answered { operation, key, is_validated: mode.is_validated(), value, source })
}

struct Judge<'a> {
    record: &'a Record,
    terms: &'a Terms,
}

impl Judge<'_> {
    fn bound<'o>(&self, operation: &'o Operation) -> Option<Bound<'o>> {
        match operation.deed {
            Deed::Invalidate { told, .. } => Some(Bound { operation, told, soft: false }),
            Deed::Expire { told, .. } => Some(Bound { operation, told, soft: true }),
            Deed::Write { key, version, told: true } => {
                // It does not say whether L2 knows that it ended. If not, all depends on its guard.
                let told = self.was_guarded(operation, key, version);
                Some(Bound { operation, told, soft: false })
            }
            _ => None,
        }
    }

    /// Whether a guard that was opened when the write began or later was there until it ended, or until it would have ended by
    /// itself, after the commit.
    fn was_guarded(&self, write: &Operation, key: usize, version: u64) -> bool {
        let Operation { began, ended, .. } = write;
        let rolled_back = self.record.rollbacks.iter().any(|back| (began..ended).contains(&&back.at));
        let lost = self.record.losses.iter().any(|loss| loss.from < *ended && *began < loss.to);
        let committed = self.record.committed(key, version);
        let in_time = committed.is_none_or(|committed| committed.at <= began.at + self.terms.guard_ttl);
        in_time && !rolled_back && !lost
    }

    fn broken(&self, bounds: &[Bound<'_>], read: &Answered<'_>) -> Vec<(Rule, String)> {
        let mut broken = Vec::new();
        let Answered { operation, key, value, .. } = read;
        let shown = |rule: Rule, why: &str| (rule, format!("{operation}\n    {why}"));
        if value.key != *key {
            broken.push(shown(Rule::Integrity, "it is another key's value"));
        }
        if value.version > self.record.version(*key, operation.ended) {
            broken.push(shown(Rule::Future, "there was no such version yet"));
        }
        let age = operation.began.at.saturating_sub(Duration::from_millis(value.loaded));
        let (cache, is_stale) = (cache_of(*key), read.source == Source::Stale);
        let grace = if is_stale { self.terms.grace[cache] } else { Duration::ZERO };
        if age > self.terms.ttl[cache] + grace + self.terms.lease_ttl {
            broken.push(shown(Rule::Age, "it had expired"));
        }
        if is_stale && (self.terms.grace[cache].is_zero() || read.is_validated) {
            broken.push(shown(Rule::Age, "nobody asked for stale values"));
        }
        if self.record.quiet.is_some_and(|quiet| operation.began > quiet)
            && value.version != self.record.version(*key, operation.began)
        {
            broken.push(shown(Rule::Quiescence, "all was well, and it is not the origin's value"));
        }
        for bound in bounds.iter().filter(|bound| value.version < bound.least(*key)) {
            if let Some(rule) = self.binds(bound, read) {
                broken.push(shown(rule, &bound.operation.to_string()));
            }
        }
        broken
    }

    /// By which rule a read must know of an invalidation.
    fn binds(&self, bound: &Bound<'_>, read: &Answered<'_>) -> Option<Rule> {
        let (invalidated, began) = (bound.operation.ended, read.operation.began);
        if bound.soft && read.source == Source::Stale {
            return None;
        }
        if invalidated > began || self.record.rollbacks.iter().any(|back| self.excuses(back, bound, read)) {
            return None;
        }
        if bound.operation.process == read.operation.process {
            return Some(Rule::OwnInvalidations);
        }
        match bound.told {
            true if read.is_validated => Some(Rule::Validated),
            true if invalidated.at + self.terms.max_staleness < began.at => Some(Rule::BoundedStaleness),
            _ => None,
        }
    }

    /// Whether a rollback may have undone the invalidation for this read: from when it happened until the namespace was renewed
    /// for it, and for X more where L1 serves.
    fn excuses(&self, back: &Rollback, bound: &Bound<'_>, read: &Answered<'_>) -> bool {
        let may_be_undone = bound.operation.began < back.at && back.at < read.operation.ended;
        let is_over = |noticed: Moment| match read.is_validated {
            true => noticed < read.operation.began,
            false => noticed.at + self.terms.max_staleness < read.operation.began.at,
        };
        may_be_undone && !back.noticed.is_some_and(is_over)
    }
}
