//! L2 by its contract: one entry with its lease, and the marks of one tag and of any tag. Every request is atomic.
//!
//! The marks of namespace and cache stand still: as marks they are no different from that of a declared tag. So does that
//! of any tag where the tag is declared, and nobody compares it.

use super::{
    mutant::Mutant,
    property::Value,
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
    pub(super) tag: Option<Epoch>,
    pub(super) any_tag: Option<Epoch>,
}

/// Every entry has the tag, whoever knew of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Entry {
    pub(super) id: EntryId,
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
    },
    Invalidate {
        key: bool,
        tag: bool,
    },
}

/// The epochs that a lease gave to its load: of the tag if it was known by then, and of any tag.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Captured {
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

impl Store {
    pub(super) fn new(is_warm: bool) -> Self {
        let value = Value { version: 1, source: super::property::Source::Loaded };
        let entry = Entry { id: EntryId::from_bytes([255; 16]), epoch: epoch(1), value };
        Self { entry: is_warm.then_some(entry), lease: None, tag: is_warm.then_some(epoch(1)), any_tag: None }
    }

    pub(super) fn execute(&mut self, request: Request, names: &mut Names, setting: &Setting) -> Reply {
        let mut fresh = || if setting.lacks(Mutant::TagCounter) { epoch(1) } else { names.fresh() };
        match request {
            Request::Load => unreachable!("the origin is no store"),
            Request::Read { tagged } => Reply::Found(self.found(tagged)),
            Request::Lease { token, claim, tagged } => {
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
                Reply::Granted(Captured { tag: self.tag.filter(|_| tagged), any_tag })
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
                self.entry = Some(Entry { id, epoch, value });
                Reply::Filled(FillReply::Stored)
            }
            Request::Release { token } => {
                self.lease = self.lease.filter(|held| *held != token && !setting.lacks(Mutant::ForeignRelease));
                Reply::Done
            }
            Request::Put { id, value } => {
                let epoch = *self.tag.get_or_insert_with(fresh);
                self.entry = Some(Entry { id, epoch, value });
                self.lease = self.lease.filter(|_| setting.lacks(Mutant::LeaseSurvivesInsert));
                Reply::Done
            }
            Request::Invalidate { key, tag } => {
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
        Found { entry: self.entry, tag: tagged.then_some(self.tag) }
    }
}

impl Found {
    /// The judgement of the entry by a call that declares the tag or not. Mirrors the adapter in `Judge::read`.
    pub(super) fn weigh(&self, entry: Entry, setting: &Setting) -> Validity {
        let scope = epoch(0);
        let then = [scope, scope, entry.epoch];
        let mut now = vec![Some(scope); SCOPES];
        now.extend(self.tag.map(|tag| match tag {
            None if setting.lacks(Mutant::MissingIsUnchanged) => Some(entry.epoch),
            tag => tag,
        }));
        let declared = setting.fixtures.tags(setting.is_declared());
        let asked = setting.fixtures.tags(self.tag.is_some());
        Present { declared, asked, epochs: &now }.weigh(&[TAG], &then)
    }
}
