//! What each step does: the part of the asynchronous code that lies between the machines.

use std::{cell::Cell, rc::Rc};

use super::{
    flight::{Around, Exchange, Flight, Stage, token},
    mutant::Mutant,
    process::Process,
    property::{Property, Source, Value},
    setting::{Operation, Setting},
    store::{Found, Reply, Request},
    witness::Witness,
    world::{Party, Progress, Step, World},
};
use crate::{
    coherence::{
        course::{End, Mode},
        table::{Kind, OperationId},
    },
    token::LeaseToken,
};

impl World {
    /// The world after a step, with its properties checked.
    pub(super) fn after(&self, step: Step) -> Self {
        let mut next = self.clone();
        next.take(step);
        next.check();
        next
    }

    fn take(&mut self, step: Step) {
        let setting = Rc::clone(&self.setting);
        match step {
            Step::Begin(id) => self.begin(id, &setting),
            Step::Board(id) => self.board(id, &setting),
            Step::TakeOff(id) => self.take_off(id, &setting),
            Step::Execute(party) => {
                let request = self.exchange(party).request();
                if let Party::Flight(id) = party
                    && self.processes[self.process_of(id)].flight(id).is_some_and(Flight::loads_without_lease)
                {
                    self.witnesses.note(Witness::LoadedWithoutLease);
                }
                let reply = self.execute(request, &setting);
                self.answer(party, request, reply, &setting);
            }
            Step::ExecuteUnheard(party) => {
                let request = self.exchange(party).request();
                self.execute(request, &setting);
                self.give_up(party, &setting);
            }
            Step::Hear(party) => {
                let Exchange::Answered(request, reply) = self.exchange(party) else { unreachable!("it was answered") };
                self.hear(party, request, reply, &setting);
            }
            Step::GiveUp(party) => {
                if let Exchange::Sent(request) = self.exchange(party) {
                    self.stray(request);
                }
                self.give_up(party, &setting);
            }
            Step::FailLoad(id) => {
                self.budget.faults -= 1;
                self.hear(Party::Flight(id), Request::Load, Reply::LoadFailed, &setting);
            }
            Step::Land(id) => self.land(id, &setting),
            Step::Wake(id) => self.wake(id, &setting),
            Step::DropLocal(id) => self.drop_local(id, &setting),
            Step::Deliver(place) => self.deliver(place, &setting),
            Step::Leave(id) => {
                self.budget.leavers -= 1;
                self.calls[id].progress = Progress::Over;
            }
            Step::Cancel(id) => self.cancel(id),
            Step::ExecuteStray(place) => {
                self.witnesses.note(Witness::StrayExecuted);
                let request = self.strays.remove(place);
                self.execute(request, &setting);
            }
            Step::Commit => {
                self.budget.commits -= 1;
                self.origin += 1;
            }
            Step::LoseEntry => self.lose(|world| world.store.entry = None),
            Step::LoseLease => self.lose(|world| {
                let lease = world.store.lease.take();
                world.note_lost(lease);
            }),
            Step::LoseTag => self.lose(|world| world.store.tag = None),
            Step::LoseAnyTag => self.lose(|world| world.store.any_tag = None),
            Step::Sweep(place) => {
                self.budget.sweeps -= 1;
                self.process(place).ledger.sweep();
            }
            Step::Tick => self.tick(&setting),
            Step::ReadOn(place) => self.read_on(place, &setting),
            Step::Beat(place) => self.beat(place, &setting),
            Step::HearErrand(place) => self.hear_errand(place, &setting),
            Step::TrimLog(left) => self.trim_log(left),
            Step::FailOver => self.fail_over(),
        }
    }

    fn begin(&mut self, id: usize, setting: &Setting) {
        let place = self.process_of(id);
        let process = &self.processes[place];
        self.calls[id].forbidden = process.forbidden;
        (self.calls[id].overdue, self.calls[id].began) = (self.bounds.overdue, process.returned);
        match self.calls[id].operation {
            Operation::Get | Operation::Lookup => match process.hit(self.now, setting) {
                Some(value) => self.serve_hit(id, value),
                None => self.arrive(id, setting),
            },
            Operation::Refresh => self.arrive(id, setting),
            Operation::Insert => self.begin_insert(id, setting),
            Operation::InvalidateKey | Operation::InvalidateTag => self.begin_invalidation(id, setting),
        }
    }

    /// Mirrors `Passenger::new`. What lies between it and `board` is a step of its own only while it can matter.
    fn arrive(&mut self, id: usize, setting: &Setting) {
        let place = self.process_of(id);
        let since = self.processes[place].ledger.moment();
        self.calls[id].progress = Progress::Arrived { since };
        let may_interfere = |call: &super::world::Call| {
            call.process == place && call.operation.is_write() && call.progress != Progress::Over
        };
        if !self.calls.iter().any(may_interfere) {
            self.board(id, setting);
        }
    }

    /// Mirrors `Passenger::board`.
    fn board(&mut self, id: usize, setting: &Setting) {
        let place = self.process_of(id);
        let operation = self.calls[id].operation;
        let Progress::Arrived { since } = self.calls[id].progress else { unreachable!("it arrived") };
        let now = self.now;
        let process = self.process(place);
        let (mode, kind) = match operation {
            Operation::Get => (Mode::Load, Kind::Load),
            Operation::Refresh => (Mode::Refresh, Kind::Load),
            _ => (Mode::Lookup, Kind::Lookup),
        };
        if mode != Mode::Refresh {
            if let Some(value) = process.hit(now, setting) {
                return self.serve_hit(id, value);
            }
            let was_refused = Cell::new(false);
            let may_join = |flight: &usize| {
                let flight = process.flight(*flight).expect("it is under way");
                let is_proven = process.is_proven(flight.as_of, now, setting) || setting.lacks(Mutant::JoinedUnproven);
                was_refused.set(!is_proven);
                is_proven && process.may_join(flight.born, since, setting)
            };
            let joined = process.table.join(&(), kind, may_join);
            self.witnesses.note_if(was_refused.get(), Witness::JoinRefused);
            if let Some(flight) = joined {
                self.calls[id].progress = Progress::Seated { flight, since };
                return;
            }
        }
        let process = self.process(place);
        let flight = Flight::new(id, mode, process, now, setting);
        let is_unproven = flight.validates_resident();
        process.table.lead(&(), kind, OperationId(id as u64), id);
        process.flights.push(flight);
        self.witnesses.note_if(is_unproven, Witness::Unproven);
        self.calls[id].progress = Progress::Seated { flight: id, since };
        if self.is_calm(place) {
            self.take_off(id, setting);
        }
    }

    /// Whether the outbox of a process is empty and stays so: then it matters to nobody when it is asked.
    fn is_calm(&self, place: usize) -> bool {
        self.budget.failures == 0 && self.processes[place].outbox.len() == 0
    }

    fn take_off(&mut self, id: usize, setting: &Setting) {
        let place = self.process_of(id);
        let now = self.now;
        let Process { flights, outbox, .. } = self.process(place);
        let flight = flights.iter_mut().find(|flight| flight.id == id).expect("it boarded");
        flight.take_off(Around { outbox, now, setting });
        if outbox.len() > 0 {
            self.witnesses.note(Witness::Distrusted);
        }
    }

    pub(super) fn execute(&mut self, request: Request, setting: &Setting) -> Reply {
        if request == Request::Load {
            return Reply::Loaded(Value { version: self.origin, source: Source::Loaded });
        }
        if self.budget.failovers > 0 && matches!(request, Request::Invalidate { .. }) {
            self.store.replicate();
        }
        let before = self.store.lease;
        let reply = self.store.execute(request, &mut self.names(), setting);
        if before != self.store.lease && request.ends_leases() {
            self.note_lost(before);
        }
        match reply {
            Reply::Filled(_) if reply.is_refusal() => self.witnesses.note(Witness::FillRefused),
            Reply::Filled(_) => {
                self.witnesses.note(Witness::Filled);
                let Request::Fill { token, .. } = request else { unreachable!("a fill was filled") };
                self.hold(Property::Fence, before == Some(token));
            }
            Reply::Held => self.witnesses.note(Witness::Waited),
            _ => {}
        }
        reply
    }

    /// For the properties: the flight that held the lease has lost it, by right.
    pub(super) fn note_lost(&mut self, lease: Option<LeaseToken>) {
        for process in &mut self.processes {
            if let Some(held) = process.flights.iter().position(|flight| Some(token(flight.id)) == lease) {
                Rc::make_mut(process).flights[held].lost_lease = true;
            }
        }
    }

    fn lose(&mut self, loss: impl FnOnce(&mut Self)) {
        self.budget.losses -= 1;
        loss(self);
    }

    /// An answer that concerns its flight alone is heard at once: whatever delays it could as well delay what the flight
    /// asks next.
    fn answer(&mut self, party: Party, request: Request, reply: Reply, setting: &Setting) {
        if let Party::Flight(id) = party
            && (reply.concerns_nobody_else() || self.is_calm(self.process_of(id)))
        {
            return self.hear(party, request, reply, setting);
        }
        self.put_exchange(party, Exchange::Answered(request, reply));
    }

    fn give_up(&mut self, party: Party, setting: &Setting) {
        match party {
            Party::Flight(_) => self.budget.faults -= 1,
            Party::Call(_) | Party::Delivery(_) => self.budget.failures -= 1,
        }
        self.hear(party, self.exchange(party).request(), Reply::Lost, setting);
    }

    /// Reads that nobody hears of change nothing.
    fn stray(&mut self, request: Request) {
        if !matches!(request, Request::Read { .. } | Request::Load) {
            self.strays.push(request);
        }
    }

    fn hear(&mut self, party: Party, request: Request, reply: Reply, setting: &Setting) {
        match party {
            Party::Flight(id) => {
                let place = self.process_of(id);
                let now = self.now;
                let Process { flights, outbox, .. } = self.process(place);
                let flight = flights.iter_mut().find(|flight| flight.id == id).expect("it asked");
                flight.hear(request, reply, Around { outbox, now, setting });
                if let Some(validated) = flight.validated() {
                    self.process(place).validated(validated);
                    self.witnesses.note(Witness::Validated);
                } else if let Reply::Found(Found { entry: Some(_), .. }) = reply
                    && flight.stage == Stage::Ends(End::Promote)
                {
                    self.witnesses.note(Witness::Promoted);
                }
            }
            Party::Call(id) if self.calls[id].operation == Operation::Insert => self.end_insert(id, reply, setting),
            Party::Call(id) => self.end_invalidation(id, reply, setting),
            Party::Delivery(place) => self.end_delivery(place, reply, setting),
        }
    }

    /// Mirrors `Landing::land`, and `Passenger::travel` for the call that leads.
    fn land(&mut self, id: usize, setting: &Setting) {
        let place = self.process_of(id);
        let process = self.process(place);
        let flight = process.flights.iter_mut().find(|flight| flight.id == id).expect("it ends now");
        let Stage::Ends(end) = flight.stage else { unreachable!("it ends now") };
        flight.stage = Stage::Landed(end);
        let value = flight.cargo.map(|cargo| cargo.value);
        process.land(id, matches!(end, End::Promote | End::Loaded { admit: true }), setting);
        let was_admitted = process.l1.is_some_and(|resident| Some(resident.value) == value);
        if value.is_some() && !was_admitted {
            self.witnesses.note(Witness::KeptOutOfL1);
        }
        if matches!(self.calls[id].progress, Progress::Seated { flight, .. } if flight == id) {
            self.serve(id, value);
        }
        self.clear(id);
    }

    /// Mirrors `Passenger::travel` for a call that joined.
    fn wake(&mut self, id: usize, setting: &Setting) {
        let Progress::Seated { flight, since } = self.calls[id].progress else { unreachable!("it is seated") };
        let process = &self.processes[self.process_of(id)];
        let landed = process.flight(flight).expect("a seat belongs to a flight");
        let registered = landed.registered;
        let value = landed.cargo.map(|cargo| cargo.value);
        let born = landed.brings().map_or(landed.born, |brought| brought.born);
        let may_have = process.standing(born, true, setting).may_serve(since);
        if value.is_some() && !may_have && !setting.lacks(Mutant::JoinedRegardless) {
            self.witnesses.note(Witness::JoinedInVain);
            self.calls[id].progress = Progress::Arrived { since };
            self.clear(flight);
            return self.board(id, setting);
        }
        self.witnesses.note(Witness::Joined);
        self.hold(Property::JoiningIsServing, value.is_none() || registered >= self.calls[id].began);
        self.serve(id, value);
        self.clear(flight);
    }

    /// A flight that is over is forgotten when nobody waits for it.
    fn clear(&mut self, id: usize) {
        if self.seats(id) == 0 {
            let place = self.process_of(id);
            self.process(place).flights.retain(|flight| flight.id != id || !flight.is_landed());
        }
    }

    /// Mirrors `Landing::everyone_left` and the end of `Pilot::fly`.
    fn cancel(&mut self, id: usize) {
        self.witnesses.note(Witness::Cancelled);
        let place = self.process_of(id);
        let process = self.process(place);
        process.table.finish(&(), OperationId(id as u64));
        let at = process.flights.iter().position(|flight| flight.id == id).expect("it is under way");
        let flight = process.flights.remove(at);
        if let Some(release) = flight.parting() {
            self.stray(release);
        }
    }

    fn serve_hit(&mut self, id: usize, value: Value) {
        self.witnesses.note(Witness::HitInL1);
        let process = &self.processes[self.process_of(id)];
        let is_old = process.l1.is_some_and(|resident| self.now - resident.as_of > 1);
        self.witnesses.note_if(is_old, Witness::Proven);
        self.serve(id, Some(value));
    }

    fn serve(&mut self, id: usize, value: Option<Value>) {
        let call = &mut self.calls[id];
        let (forbidden, overdue) = (call.forbidden, call.overdue);
        call.end();
        if let Some(value) = value {
            self.hold(Property::ReadYourOwnInvalidations, forbidden.by_ok.allow(value));
            self.hold(Property::Distrust, forbidden.by_err.allow(value));
            self.hold(Property::BoundedStaleness, overdue.allow(value));
        }
    }

    pub(super) fn process(&mut self, place: usize) -> &mut Process {
        Rc::make_mut(&mut self.processes[place])
    }

    pub(super) fn exchange(&self, party: Party) -> Exchange {
        match party {
            Party::Flight(id) => match self.processes[self.process_of(id)].flight(id).map(|flight| flight.stage) {
                Some(Stage::Awaits(exchange)) => exchange,
                _ => unreachable!("it asked"),
            },
            Party::Call(id) => match self.calls[id].progress {
                Progress::Writes { exchange, .. } => exchange,
                _ => unreachable!("it asked"),
            },
            Party::Delivery(place) => self.processes[place].delivery.as_ref().expect("it is under way").exchange,
        }
    }

    fn put_exchange(&mut self, party: Party, new: Exchange) {
        match party {
            Party::Flight(id) => {
                let place = self.process_of(id);
                let flight = self.process(place).flights.iter_mut().find(|flight| flight.id == id);
                flight.expect("it asked").stage = Stage::Awaits(new);
            }
            Party::Call(id) => {
                if let Progress::Writes { exchange, .. } = &mut self.calls[id].progress {
                    *exchange = new;
                }
            }
            Party::Delivery(place) => {
                self.process(place).delivery.as_mut().expect("it is under way").exchange = new;
            }
        }
    }
}
