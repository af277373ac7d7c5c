//! A process: the production machines, an L1 of one place, and its flights.

use std::hash::{Hash, Hasher};

use super::{
    flight::{Exchange, Flight},
    mutant::Mutant,
    property::{Floors, Value},
    setting::{Operation, Setting},
};
use crate::coherence::{
    ledger::{Ledger, Moment, Standing},
    outbox::{Batch, Outbox, Target},
    table::{OperationId, Table},
};

pub(super) struct Process {
    pub(super) table: Table<(), usize>,
    pub(super) ledger: Ledger,
    pub(super) outbox: Outbox,
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
    /// For the properties: an invalidation was applied here since its flight was registered.
    pub(super) is_touched: bool,
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
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            table: Table::new(),
            ledger: Ledger::new(),
            outbox: Outbox::new(setting.fixtures.everything.clone(), 10),
            l1: None,
            flights: Vec::new(),
            delivery: None,
            forbidden: Forbidden::default(),
            owed: Floors::default(),
            returned: 0,
        }
    }

    pub(super) fn flight(&self, id: usize) -> Option<&Flight> {
        self.flights.iter().find(|flight| flight.id == id)
    }

    /// Mirrors `Shared::standing`.
    pub(super) fn standing(&self, born: Moment, is_tagged: bool, setting: &Setting) -> Standing {
        let tags = setting.fixtures.tags(is_tagged);
        Standing { born, marks: tags.marks().map(|mark| self.ledger.local(mark)).collect() }
    }

    /// Mirrors `Shared::hit`.
    pub(super) fn hit(&self, setting: &Setting) -> Option<Value> {
        let resident = self.l1?;
        self.standing(resident.born, true, setting).holds().then_some(resident.value)
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
        let (born, is_touched) = (flight.born, flight.is_touched);
        if let Some(value) = flight.cargo
            && is_storable
            && (is_current || setting.lacks(Mutant::NoAdmissionCheck))
        {
            self.admit(Resident { value, born, is_touched }, setting);
        }
    }
}

impl Clone for Process {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
            ledger: self.ledger.fork(),
            outbox: self.outbox.clone(),
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
