//! The steps of invalidations, inserts, and the delivery of what was queued.

use super::{
    flight::Exchange,
    mutant::Mutant,
    process::{Delivery, Resident},
    property::{Floors, Source, Value},
    setting::{Operation, Setting},
    store::{Reply, Request},
    witness::Witness,
    world::{Progress, World},
};
use crate::{
    coherence::{outbox::Target, table::OperationId},
    token::EntryId,
};

impl World {
    /// Mirrors `Shared::invalidate` and `StackInner::invalidate_marks`, up to L2.
    pub(super) fn begin_invalidation(&mut self, id: usize, setting: &Setting) {
        let operation = self.calls[id].operation;
        let covers = Floors { loaded: self.origin, inserted: if self.is_inserting() { 0 } else { self.origin } };
        if !setting.lacks(Mutant::DropForgotten) && !setting.lacks(Mutant::DropWithOwnMessage) {
            self.apply(id, setting);
        }
        let tag = operation == Operation::InvalidateTag;
        let from = self.sender(self.process_of(id));
        let request = Request::Invalidate { key: !tag, tag, from };
        self.send(id, request, covers);
        if self.is_alone(id) {
            let reply = self.execute(request, setting);
            self.end_invalidation(id, reply, setting);
        }
    }

    /// Whether an invalidation is all that ever happens in its process, and can't fail. Then it promises most if it is
    /// done at once. Where there is no log, this would save little.
    fn is_alone(&self, id: usize) -> bool {
        let place = self.process_of(id);
        let others = self.calls.iter().enumerate().filter(|(other, call)| *other != id && call.process == place);
        self.setting.has_log && self.budget.failures == 0 && others.count() == 0
    }

    /// The same after L2 was told, or could not be.
    pub(super) fn end_invalidation(&mut self, id: usize, reply: Reply, setting: &Setting) {
        let Progress::Writes { covers, .. } = self.calls[id].progress else { unreachable!("it asked") };
        if reply == Reply::Lost {
            if !setting.lacks(Mutant::QueuedAfterDrop) {
                self.queue(id, covers, setting);
            } else {
                self.apply(id, setting);
            }
            self.calls[id].progress = Progress::Queued { covers };
            return;
        }
        let forgets = [Mutant::DropOnlyBefore, Mutant::DropForgotten, Mutant::DropWithOwnMessage];
        if forgets.into_iter().any(|rule| setting.lacks(rule)) {
            self.touch(self.process_of(id));
        } else {
            self.apply(id, setting);
        }
        self.promise_here(self.process_of(id), covers);
        self.end(id);
    }

    pub(super) fn drop_local(&mut self, id: usize, setting: &Setting) {
        let Progress::Queued { covers } = self.calls[id].progress else { unreachable!("it was queued") };
        if setting.lacks(Mutant::QueuedAfterDrop) {
            self.queue(id, covers, setting);
        } else {
            self.apply(id, setting);
        }
        let place = self.process_of(id);
        self.process(place).forbidden.by_err.raise(covers);
        self.end(id);
    }

    fn apply(&mut self, id: usize, setting: &Setting) {
        let (place, operation) = (self.process_of(id), self.calls[id].operation);
        self.touch(place);
        self.process(place).apply(operation, setting);
    }

    /// Mirrors `StackInner::queue`.
    fn queue(&mut self, id: usize, covers: Floors, setting: &Setting) {
        let target = match self.calls[id].operation {
            Operation::InvalidateTag => Target::Mark(setting.fixtures.tag.clone()),
            _ => Target::Entry(setting.fixtures.key.clone()),
        };
        let place = self.process_of(id);
        let process = self.process(place);
        process.outbox.queue([target]);
        process.owed.raise(covers);
    }

    /// Mirrors the beginning of `StackInner::deliver`.
    pub(super) fn deliver(&mut self, place: usize, setting: &Setting) {
        let from = self.sender(place);
        let process = self.process(place);
        let batch = process.outbox.batch().expect("something is queued");
        let (keys, marks) = batch.split();
        let request = Request::Invalidate { key: !keys.is_empty(), tag: marks.contains(&setting.fixtures.tag), from };
        process.delivery = Some(Delivery { batch, exchange: Exchange::Sent(request), covers: process.owed });
    }

    /// Mirrors its end.
    pub(super) fn end_delivery(&mut self, place: usize, reply: Reply, setting: &Setting) {
        let process = self.process(place);
        let Delivery { batch, covers, .. } = process.delivery.take().expect("it is under way");
        if reply == Reply::Lost {
            return;
        }
        let latest = process.outbox.batch().filter(|_| setting.lacks(Mutant::ConfirmedUnsent));
        process.outbox.confirm(latest.unwrap_or(batch));
        if process.outbox.len() == 0 {
            process.owed = Floors::default();
        }
        self.promise(covers);
        self.witnesses.note(Witness::Delivered);
    }

    /// Mirrors `Write::begin`. The commit before it is part of the same step.
    pub(super) fn begin_insert(&mut self, id: usize, setting: &Setting) {
        self.origin += 1;
        let place = self.process_of(id);
        if !setting.lacks(Mutant::WritesNotRegistered) {
            self.process(place).table.write(&(), OperationId(id as u64));
        }
        self.touch_flights(place);
        let value = Value { version: self.origin, source: Source::Inserted };
        let name = EntryId::from_bytes([id as u8; 16]);
        let from = self.sender(place);
        self.send(id, Request::Put { id: name, value, from }, Floors::default());
    }

    /// Mirrors `Write::end`.
    pub(super) fn end_insert(&mut self, id: usize, reply: Reply, setting: &Setting) {
        let Progress::Writes { exchange, born, as_of, is_touched, .. } = self.calls[id].progress else {
            unreachable!("it asked")
        };
        let Request::Put { id: id_in_l2, value, .. } = exchange.request() else { unreachable!("an insert puts") };
        let place = self.process_of(id);
        let process = self.process(place);
        let is_current =
            process.table.finish(&(), OperationId(id as u64)) || setting.lacks(Mutant::WritesNotRegistered);
        if reply != Reply::Lost && is_current {
            let id = setting.has_log.then_some(id_in_l2);
            process.admit(Resident { value, born, as_of, id, is_touched }, setting);
        } else {
            process.l1 = None;
        }
        self.touch_flights(place);
        if reply == Reply::Lost {
            self.has_stray_insert = true;
        } else {
            let covers = Floors { loaded: value.version, inserted: 0 };
            self.promise_here(place, covers);
        }
        self.end(id);
    }

    /// Who the log says has sent something.
    fn sender(&self, place: usize) -> Option<usize> {
        self.setting.has_log.then_some(place)
    }

    /// For the properties: an invalidation or an insert of this process returned `Ok`.
    fn promise_here(&mut self, place: usize, covers: Floors) {
        if self.promise(covers) {
            self.process(place).forbidden.by_ok.raise(covers);
        }
    }

    /// What it means everywhere. Between a failover and the first attachment, it means nothing yet.
    pub(super) fn promise(&mut self, covers: Floors) -> bool {
        let log = self.store.log.as_ref();
        if log.is_some_and(|log| !log.is_attached()) {
            self.interrupted.raise(covers);
            return false;
        }
        self.forbidden.raise(covers);
        if log.is_some() {
            self.bounds.returned(covers);
        }
        true
    }

    /// Whether an insert is under way, or was given up and may still take effect.
    fn is_inserting(&self) -> bool {
        let inserts = |call: &super::world::Call| {
            call.operation == Operation::Insert && matches!(call.progress, Progress::Writes { .. })
        };
        self.has_stray_insert || self.calls.iter().any(inserts)
    }

    fn send(&mut self, id: usize, request: Request, covers: Floors) {
        let born = self.processes[self.process_of(id)].ledger.moment();
        let exchange = Exchange::Sent(request);
        self.calls[id].progress = Progress::Writes { exchange, covers, born, as_of: self.now, is_touched: false };
    }

    fn end(&mut self, id: usize) {
        let place = self.process_of(id);
        self.process(place).returned += 1;
        self.calls[id].end();
    }

    /// For the properties: notes that an invalidation was applied in a process.
    pub(super) fn touch(&mut self, place: usize) {
        self.touch_flights(place);
        if let Some(resident) = &mut self.process(place).l1 {
            resident.is_touched = true;
        }
        for call in self.calls.iter_mut().filter(|call| call.process == place) {
            if let Progress::Writes { is_touched, .. } = &mut call.progress {
                *is_touched = true;
            }
        }
    }

    /// The same for a write, which leaves what L1 has.
    fn touch_flights(&mut self, place: usize) {
        self.process(place).flights.iter_mut().for_each(|flight| flight.is_touched = true);
    }
}
