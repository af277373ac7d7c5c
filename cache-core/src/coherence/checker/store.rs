//! L2 by its contract: one entry with its lease, and the marks of one tag and of any tag. Every request is atomic.
//!
//! The mark of the cache stands still: as a mark it is no different from that of a declared tag. That of the namespace
//! stands still while the server is the same one. So does that of any tag where the tag is declared, and nobody compares
//! it.

use std::rc::Rc;

use super::{
    log::{Log, Revoked},
    mutant::Mutant,
    property::{Source, Value},
    setting::{Setting, TAG},
};
use crate::{
    backend::{Claim, FillReply},
    coherence::validity::{Present, SCOPES, Validity},
    token::{EntryId, Epoch, LeaseToken},
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Store {
    pub(super) entry: Option<Entry>,
    pub(super) lease: Option<LeaseToken>,
    /// The mark of the namespace.
    pub(super) scope: Option<Epoch>,
    pub(super) tag: Option<Epoch>,
    pub(super) any_tag: Option<Epoch>,
    pub(super) log: Option<Log>,
    /// What a replica has that has not heard of the last invalidation; kept while there may be a failover.
    pub(super) replica: Option<Rc<Store>>,
}

/// Every entry has the tag, whoever knew of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Entry {
    pub(super) id: EntryId,
    pub(super) scope: Epoch,
    pub(super) epoch: Epoch,
    pub(super) value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Request {
    Read {
        tagged: bool,
    },
    Lease {
        token: LeaseToken,
        claim: Claim,
        tagged: bool,
    },
    /// Of the origin.
    Load,
    Fill {
        token: LeaseToken,
        id: EntryId,
        value: Value,
        epochs: Captured,
    },
    Release {
        token: LeaseToken,
    },
    Put {
        id: EntryId,
        value: Value,
        from: Option<usize>,
    },
    Invalidate {
        key: bool,
        tag: bool,
        /// Who sends it, if there is a log that says so.
        from: Option<usize>,
    },
}

/// The epochs that a lease gave to its load: of the namespace, of the tag if it was known by then, and of any tag.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Captured {
    pub(super) scope: Epoch,
    pub(super) tag: Option<Epoch>,
    pub(super) any_tag: Epoch,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Reply {
    Found(Found),
    Held,
    Granted(Captured),
    Loaded(Value),
    LoadFailed,
    Filled(FillReply),
    Done,
    /// None came.
    Lost,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Found {
    pub(super) entry: Option<Entry>,
    pub(super) scope: Option<Epoch>,
    /// The tag's epoch, if it was asked for.
    pub(super) tag: Option<Option<Epoch>>,
}

/// Draws epochs that nothing in the world has: as good as random, and equal in states that are equal.
pub(super) struct Names(pub(super) u64);

impl Names {
    fn fresh(&mut self) -> Epoch {
        let number = self.0.trailing_ones();
        self.0 |= 1 << number;
        epoch(number as u8)
    }
}

pub(super) fn epoch(number: u8) -> Epoch {
    Epoch::from_bytes([number; 16])
}

pub(super) fn number(epoch: Epoch) -> u8 {
    epoch.as_bytes()[0]
}

impl Entry {
    /// One that was loaded before all that happens.
    pub(super) fn first() -> Self {
        let value = Value { version: 1, source: Source::Loaded };
        Self { id: EntryId::from_bytes([255; 16]), scope: epoch(0), epoch: epoch(1), value }
    }
}

impl Store {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            entry: setting.is_warm.then(Entry::first),
            lease: None,
            scope: Some(epoch(0)),
            tag: setting.is_warm.then_some(epoch(1)),
            any_tag: None,
            log: setting.has_log.then(Log::new),
            replica: None,
        }
    }

    pub(super) fn execute(&mut self, request: Request, names: &mut Names, setting: &Setting) -> Reply {
        let mut fresh = || if setting.lacks(Mutant::TagCounter) { epoch(1) } else { names.fresh() };
        match request {
            Request::Load => unreachable!("the origin is no store"),
            Request::Read { tagged } => Reply::Found(self.found(tagged)),
            Request::Lease { token, claim, tagged } => {
                let scope = *self.scope.get_or_insert_with(&mut fresh);
                if tagged {
                    self.tag.get_or_insert_with(&mut fresh);
                }
                let any_tag =
                    *self.any_tag.get_or_insert_with(|| if setting.is_declared() { epoch(0) } else { fresh() });
                if let Claim::Join { seen } = claim {
                    if self.entry.is_some_and(|entry| Some(entry.id) != seen) {
                        return Reply::Found(self.found(tagged));
                    }
                    if self.lease.is_some_and(|held| held != token) && !setting.lacks(Mutant::LeaseGrantedTwice) {
                        return Reply::Held;
                    }
                }
                self.lease = Some(token);
                Reply::Granted(Captured { scope, tag: self.tag.filter(|_| tagged), any_tag })
            }
            Request::Fill { token, id, value, epochs } => {
                if self.lease != Some(token) && !setting.lacks(Mutant::NoFence) {
                    return Reply::Filled(FillReply::Refused);
                }
                self.lease = self.lease.filter(|held| *held != token);
                let is_late = epochs.tag.is_none();
                if is_late && self.any_tag != Some(epochs.any_tag) && !setting.lacks(Mutant::LateTagUnchecked) {
                    return Reply::Filled(FillReply::Refused);
                }
                let epoch = match epochs.tag {
                    Some(captured) if !setting.lacks(Mutant::EpochsCapturedLate) => captured,
                    _ => *self.tag.get_or_insert_with(fresh),
                };
                self.entry = Some(Entry { id, scope: epochs.scope, epoch, value });
                Reply::Filled(FillReply::Stored)
            }
            Request::Release { token } => {
                self.lease = self.lease.filter(|held| *held != token && !setting.lacks(Mutant::ForeignRelease));
                Reply::Done
            }
            Request::Put { id, value, from } => {
                let scope = *self.scope.get_or_insert_with(&mut fresh);
                let epoch = *self.tag.get_or_insert_with(fresh);
                self.entry = Some(Entry { id, scope, epoch, value });
                self.announce(from, Revoked { key: true, ..Revoked::default() }, setting);
                self.lease = self.lease.filter(|_| setting.lacks(Mutant::LeaseSurvivesInsert));
                Reply::Done
            }
            Request::Invalidate { key, tag, from } => {
                self.announce(from, Revoked { key, tag, ..Revoked::default() }, setting);
                if key {
                    self.entry = None;
                    self.lease = self.lease.filter(|_| setting.lacks(Mutant::LeaseSurvives));
                }
                if tag {
                    let count = self.tag.map_or(1, |epoch| number(epoch) + 1);
                    self.tag = setting.lacks(Mutant::TagCounter).then_some(epoch(count));
                    self.any_tag = self.any_tag.filter(|_| setting.is_declared());
                }
                Reply::Done
            }
        }
    }

    pub(super) fn found(&self, tagged: bool) -> Found {
        Found { entry: self.entry, scope: self.scope, tag: tagged.then_some(self.tag) }
    }

    fn announce(&mut self, from: Option<usize>, revoked: Revoked, setting: &Setting) {
        if let Some(log) = self.log.as_mut().filter(|_| !setting.lacks(Mutant::Unannounced)) {
            log.append(from, revoked);
        }
    }

    /// Says whether the mark of the namespace was renewed.
    pub(super) fn attach(&mut self, from: usize, setting: &Setting) -> bool {
        let renews = self.log.as_mut().is_some_and(|log| log.attach(from));
        if renews && !setting.lacks(Mutant::EpochOutlivesServer) {
            self.scope = None;
        }
        renews
    }

    pub(super) fn replicate(&mut self) {
        self.replica = Some(Rc::new(Self { replica: None, ..self.clone() }));
    }

    pub(super) fn fail_over(&mut self) {
        let replica = self.replica.take().expect("nothing else takes over");
        let lost = std::mem::replace(self, Rc::unwrap_or_clone(replica));
        if let (Some(log), Some(lost)) = (&mut self.log, &lost.log) {
            log.succeed(lost);
        }
    }

    /// The epochs of its marks and its entry, and of its replica's.
    pub(super) fn epochs(&self) -> Vec<Epoch> {
        let entry = self.entry.map(|entry| [entry.scope, entry.epoch]);
        let marks = [self.scope, self.tag, self.any_tag];
        let replica = self.replica.iter().flat_map(|replica| replica.epochs());
        entry.into_iter().flatten().chain(marks.into_iter().flatten()).chain(replica).collect()
    }
}

impl Found {
    /// The judgement of the entry by a call that declares the tag or not. Mirrors the adapter in `Judge::read`.
    pub(super) fn weigh(&self, entry: Entry, setting: &Setting) -> Validity {
        let cache = epoch(0);
        let then = [entry.scope, cache, entry.epoch];
        let mut now = vec![self.scope, Some(cache)];
        debug_assert_eq!(now.len(), SCOPES);
        now.extend(self.tag.map(|tag| match tag {
            None if setting.lacks(Mutant::MissingIsUnchanged) => Some(entry.epoch),
            tag => tag,
        }));
        let declared = setting.fixtures.tags(setting.is_declared());
        let asked = setting.fixtures.tags(self.tag.is_some());
        Present { declared, asked, epochs: &now, expired: &[] }.weigh(&[TAG], &then)
    }
}
