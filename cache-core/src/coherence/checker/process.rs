//! A process: the production machines, an L1 of one place, and its flights.

use std::hash::{Hash, Hasher};

use super::{
    flight::{Exchange, Flight},
    follow::Errand,
    log::{Log, process_id},
    mutant::Mutant,
    property::{Floors, Value},
    setting::{Fixtures, MAX_STALENESS, Operation, Setting},
    store::Entry,
};
use crate::{
    coherence::{
        follower::{Event, Follower},
        ledger::{Ledger, Moment, Standing},
        outbox::{Batch, Outbox, Target},
        proof::Proof,
        table::{OperationId, Table},
    },
    token::EntryId,
};

pub(super) struct Process {
    pub(super) table: Table<(), usize>,
    pub(super) ledger: Ledger,
    pub(super) outbox: Outbox,
    pub(super) follower: Follower,
    pub(super) proof: Proof,
    pub(super) errand: Option<Errand>,
    pub(super) l1: Option<Resident>,
    pub(super) flights: Vec<Flight>,
    pub(super) delivery: Option<Delivery>,
    /// For the properties: what its invalidations forbid to serve here, by how they returned.
    pub(super) forbidden: Forbidden,
    /// What those in the outbox will forbid everywhere.
    pub(super) owed: Floors,
    /// How many invalidations and inserts have returned.
    pub(super) returned: u8,
}

/// An entry in L1. Its marks are looked up by name where production points to them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Resident {
    pub(super) value: Value,
    pub(super) born: Moment,
    /// The tick as of which it was current.
    pub(super) as_of: u8,
    /// Its name in L2, if it has one; not told where nothing is validated.
    pub(super) id: Option<EntryId>,
    /// For the properties: an invalidation was applied here since its flight was registered.
    pub(super) is_touched: bool,
}

impl Resident {
    /// What L2 begins with.
    fn first(born: Moment) -> Self {
        let Entry { value, id, .. } = Entry::first();
        Self { value, born, as_of: 0, id: Some(id), is_touched: false }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Forbidden {
    pub(super) by_ok: Floors,
    pub(super) by_err: Floors,
}

impl Forbidden {
    pub(super) fn allow(self, value: Value) -> bool {
        self.by_ok.allow(value) && self.by_err.allow(value)
    }
}

/// A batch of the outbox on its way to L2.
#[derive(Clone)]
pub(super) struct Delivery {
    pub(super) batch: Batch,
    pub(super) exchange: Exchange,
    pub(super) covers: Floors,
}

impl Process {
    pub(super) fn new(place: usize, setting: &Setting) -> Self {
        let (start, ledger) = (setting.fixtures.start, Ledger::new(setting.fixtures.namespace.clone()));
        let l1 = setting.is_held.then(|| Resident::first(ledger.moment()));
        let mut process = Self {
            table: Table::new(),
            ledger,
            outbox: Outbox::new(setting.fixtures.everything.clone(), 10),
            follower: Follower::new(process_id(place), MAX_STALENESS),
            proof: Proof::unneeded(start),
            errand: None,
            l1,
            flights: Vec::new(),
            delivery: None,
            forbidden: Forbidden::default(),
            owed: Floors::default(),
            returned: 0,
        };
        if setting.has_log {
            process.proof = Proof::new(start, MAX_STALENESS);
            process.standing(process.ledger.moment(), true, setting);
            if place == 0 || !setting.is_detached {
                let attached = Log::new().told().attached();
                process.follower.next(Event::Attached { attached, asked: start, nothing_here: true });
            }
        }
        process
    }

    pub(super) fn flight(&self, id: usize) -> Option<&Flight> {
        self.flights.iter().find(|flight| flight.id == id)
    }

    /// Mirrors `Shared::standing`.
    pub(super) fn standing(&self, born: Moment, is_tagged: bool, setting: &Setting) -> Standing {
        let names = &setting.fixtures;
        let followed = [&names.everything, &names.lot].into_iter().filter(|_| setting.has_log);
        let marks = names.tags(is_tagged).marks().chain(followed);
        Standing::on(born, marks.map(|mark| self.ledger.local(mark)))
    }

    /// What L1 has. Mirrors `Shared::resident`.
    pub(super) fn resident(&self, setting: &Setting) -> Option<Resident> {
        self.l1.filter(|resident| self.standing(resident.born, true, setting).holds())
    }

    /// What a flight may validate.
    pub(super) fn unproven(&self, setting: &Setting) -> Option<Resident> {
        self.l1.filter(|resident| resident.id.is_some())?;
        self.resident(setting)
    }

    /// Mirrors `Shared::hit`.
    pub(super) fn hit(&self, now: u8, setting: &Setting) -> Option<Value> {
        let is_served =
            |resident: &Resident| setting.lacks(Mutant::ServedUnproven) || self.is_proven(resident.as_of, now, setting);
        self.resident(setting).filter(is_served).map(|resident| resident.value)
    }

    /// Whether what was current at a tick may be served at another.
    pub(super) fn is_proven(&self, as_of: u8, now: u8, setting: &Setting) -> bool {
        let names = &setting.fixtures;
        self.proof.holds(self.proof.stamp(names.at(as_of)), names.at(now))
    }

    /// What L1 has was found in L2, as of a tick. Mirrors `Entry::validated`.
    pub(super) fn validated(&mut self, validated: Resident) {
        let is_it = |l1: &&mut Resident| (l1.id, l1.born) == (validated.id, validated.born);
        if let Some(l1) = self.l1.as_mut().filter(is_it) {
            l1.as_of = l1.as_of.max(validated.as_of);
        }
    }

    /// Mirrors the second half of `Passenger::may_join`.
    pub(super) fn may_join(&self, born: Moment, since: Moment, setting: &Setting) -> bool {
        setting.lacks(Mutant::JoinedRegardless) || self.standing(born, setting.is_declared(), setting).may_serve(since)
    }

    /// Mirrors `Shared::admit`.
    pub(super) fn admit(&mut self, resident: Resident, setting: &Setting) {
        if self.standing(resident.born, true, setting).holds() {
            self.l1 = Some(resident);
        } else if !setting.lacks(Mutant::OldOutlivesNew) {
            self.l1 = None;
        }
    }

    /// Applies an invalidation. Mirrors `Shared::drop_local`, and the renewals of `StackInner::invalidate_marks`.
    pub(super) fn apply(&mut self, operation: Operation, setting: &Setting) {
        if operation == Operation::InvalidateTag {
            self.ledger.renew([&setting.fixtures.tag]);
            return;
        }
        if !setting.lacks(Mutant::FlightsNotDetached) {
            self.table.supersede(&());
        }
        self.l1 = None;
    }

    /// Mirrors `Landing::land`, up to the outcome.
    pub(super) fn land(&mut self, id: usize, is_storable: bool, setting: &Setting) {
        let is_current = self.table.finish(&(), OperationId(id as u64));
        let flight = self.flights.iter().find(|flight| flight.id == id).expect("it ends now");
        if let Some(resident) = flight.brings()
            && is_storable
            && (is_current || setting.lacks(Mutant::NoAdmissionCheck))
        {
            self.admit(resident, setting);
        }
    }
}

impl Clone for Process {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
            ledger: self.ledger.fork(),
            outbox: self.outbox.clone(),
            follower: self.follower.clone(),
            proof: self.proof.fork(),
            errand: self.errand,
            l1: self.l1,
            flights: self.flights.clone(),
            delivery: self.delivery.clone(),
            forbidden: self.forbidden,
            owed: self.owed,
            returned: self.returned,
        }
    }
}

impl Process {
    pub(super) fn hash<H: Hasher>(&self, setting: &Setting, into: &mut H) {
        let targets = [Target::Entry(setting.fixtures.key.clone()), Target::Mark(setting.fixtures.tag.clone())];
        for (id, is_superseded) in self.table.under_way(&()) {
            (id, is_superseded).hash(into);
        }
        self.ledger.contents(&setting.fixtures.tag).hash(into);
        if setting.has_log {
            let Fixtures { lot, everything, .. } = &setting.fixtures;
            [lot, everything].map(|mark| self.ledger.contents(mark)).hash(into);
            (&self.follower, self.proof.contents(), self.errand).hash(into);
        }
        if self.outbox.len() > 0 {
            targets.each_ref().map(|target| self.outbox.intent(target)).hash(into);
        }
        if let Some(delivery) = &self.delivery {
            targets.each_ref().map(|target| delivery.batch.intent(target)).hash(into);
            (delivery.exchange, delivery.covers).hash(into);
        }
        (self.l1, &self.flights, self.forbidden, self.owed, self.returned).hash(into);
    }
}
