//! The state of everything, and the steps that lead on from it.

use std::{
    hash::{Hash, Hasher},
    rc::Rc,
};

use super::{
    flight::{Exchange, Stage},
    process::{Forbidden, Process},
    property::{Bounds, Floors, Property},
    setting::{Budget, Operation, Setting},
    store::{Names, Request, Store, number},
    witness::Witnesses,
};
use crate::coherence::{ledger::Moment, validity::Validity};

#[derive(Clone)]
pub(super) struct World {
    pub(super) setting: Rc<Setting>,
    pub(super) store: Store,
    /// The origin's version.
    pub(super) origin: u8,
    pub(super) processes: [Rc<Process>; 2],
    pub(super) calls: Vec<Call>,
    /// Requests whose senders gave them up. Each may execute at any time, or never.
    pub(super) strays: Vec<Request>,
    pub(super) budget: Budget,
    /// How often the clock has ticked.
    pub(super) now: u8,
    /// For the properties: what invalidations that returned `Ok` forbid L2 to have.
    pub(super) forbidden: Floors,
    /// What they forbid anyone to be served.
    pub(super) bounds: Bounds,
    /// What they forbade before a failover that nobody has noticed.
    pub(super) interrupted: Floors,
    /// An insert failed, and may still take effect.
    pub(super) has_stray_insert: bool,
    /// The property that the last step broke.
    pub(super) broken: Option<Property>,
    pub(super) witnesses: Witnesses,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Call {
    pub(super) process: usize,
    pub(super) operation: Operation,
    pub(super) progress: Progress,
    /// What it must not be served, as of its beginning.
    pub(super) forbidden: Forbidden,
    /// The same of what others have invalidated.
    pub(super) overdue: Floors,
    /// How many invalidations had returned in its process when it began.
    pub(super) began: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Progress {
    Ahead,
    /// L1 did not have it; its place in the order of invalidations is taken, its flight is not.
    Arrived {
        since: Moment,
    },
    Seated {
        flight: usize,
        since: Moment,
    },
    /// An invalidation or an insert on its way to L2; `covers` is what the former will forbid, the rest belongs
    /// to what the latter brings.
    Writes {
        exchange: Exchange,
        covers: Floors,
        born: Moment,
        as_of: u8,
        is_touched: bool,
    },
    /// An invalidation that was queued, before the last local drop.
    Queued {
        covers: Floors,
    },
    Over,
}

/// One step. Calls and flights are named by the call's place in the setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Begin(usize),
    Board(usize),
    TakeOff(usize),
    Execute(Party),
    /// It executes, and nobody hears of it.
    ExecuteUnheard(Party),
    Hear(Party),
    GiveUp(Party),
    FailLoad(usize),
    Land(usize),
    Wake(usize),
    /// The last local drop of an invalidation that failed.
    DropLocal(usize),
    Deliver(usize),
    // What nobody waits for.
    Leave(usize),
    Cancel(usize),
    ExecuteStray(usize),
    Commit,
    LoseEntry,
    LoseLease,
    LoseTag,
    LoseAnyTag,
    Sweep(usize),
    Tick,
    /// A process applies the next message of the log.
    ReadOn(usize),
    /// A process sends a heartbeat, and the store answers.
    Beat(usize),
    /// It hears the answer, or that of an attachment.
    HearErrand(usize),
    /// The log loses all messages but so many.
    TrimLog(usize),
    FailOver,
}

/// Who sent a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Party {
    Flight(usize),
    Call(usize),
    Delivery(usize),
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        let calls = setting.calls.iter().map(|(process, operation)| Call {
            process: *process,
            operation: *operation,
            progress: Progress::Ahead,
            forbidden: Forbidden::default(),
            overdue: Floors::default(),
            began: 0,
        });
        Self {
            calls: calls.collect(),
            store: Store::new(&setting),
            origin: 1,
            processes: [0, 1].map(|place| Rc::new(Process::new(place, &setting))),
            strays: Vec::new(),
            budget: setting.budget,
            now: 0,
            forbidden: Floors::default(),
            bounds: Bounds::default(),
            interrupted: Floors::default(),
            has_stray_insert: false,
            broken: None,
            witnesses: Witnesses::default(),
            setting: Rc::new(setting),
        }
    }

    /// The steps that are worth taking. If one is all that a process can do, and it touches nothing outside the process,
    /// then whatever others do can as well be done after it.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for place in 0..self.processes.len() {
            let before = steps.len();
            self.steps_of_process(place, &mut steps);
            if let [only] = steps[before..]
                && self.is_local(only)
                && self.budget.sweeps == 0
            {
                return vec![only];
            }
        }
        self.steps_of_nobody(&mut steps);
        steps
    }

    fn steps_of_process(&self, place: usize, steps: &mut Vec<Step>) {
        for (id, call) in self.calls.iter().enumerate().filter(|(_, call)| call.process == place) {
            self.steps_of_call(id, call, steps);
        }
        let process = &self.processes[place];
        for flight in &process.flights {
            self.steps_of_flight(flight.id, flight.stage, steps);
            if flight.may_be_left() && self.seats(flight.id) == 0 {
                steps.push(Step::Cancel(flight.id));
            }
        }
        match &process.delivery {
            Some(delivery) => self.steps_of_exchange(Party::Delivery(place), delivery.exchange, steps),
            None if process.outbox.len() > 0 => steps.push(Step::Deliver(place)),
            None => {}
        }
        self.steps_of_following(place, steps);
    }

    /// Where there is a log, what others do may reach a process in which nothing else happens; and so does time.
    fn is_local(&self, step: Step) -> bool {
        match step {
            Step::Land(_) | Step::DropLocal(_) => true,
            _ if self.setting.has_log => false,
            Step::Begin(id) => !self.calls[id].operation.is_write(),
            Step::Board(_) | Step::TakeOff(_) | Step::Wake(_) => true,
            _ => false,
        }
    }

    fn steps_of_call(&self, id: usize, call: &Call, steps: &mut Vec<Step>) {
        match call.progress {
            Progress::Ahead => {
                let is_next = |other: &Call| (other.process, other.operation) != (call.process, call.operation);
                let twins_went_ahead =
                    self.calls[..id].iter().all(|other| other.progress != Progress::Ahead || is_next(other));
                steps.extend(twins_went_ahead.then_some(Step::Begin(id)));
            }
            Progress::Arrived { .. } => steps.push(Step::Board(id)),
            Progress::Seated { flight, .. } => {
                let flight = self.processes[call.process].flight(flight).expect("a seat belongs to a flight");
                if flight.is_landed() {
                    steps.push(Step::Wake(id));
                } else if self.budget.leavers > 0 {
                    steps.push(Step::Leave(id));
                }
            }
            Progress::Writes { exchange, .. } => self.steps_of_exchange(Party::Call(id), exchange, steps),
            Progress::Queued { .. } => steps.push(Step::DropLocal(id)),
            Progress::Over => {}
        }
    }

    fn steps_of_flight(&self, id: usize, stage: Stage, steps: &mut Vec<Step>) {
        match stage {
            Stage::Boarded => steps.push(Step::TakeOff(id)),
            Stage::Awaits(Exchange::Sent(Request::Load)) => {
                steps.push(Step::Execute(Party::Flight(id)));
                steps.extend((self.budget.faults > 0).then_some(Step::FailLoad(id)));
            }
            Stage::Awaits(exchange) => self.steps_of_exchange(Party::Flight(id), exchange, steps),
            Stage::Ends(_) => steps.push(Step::Land(id)),
            Stage::Landed(_) => {}
        }
    }

    fn steps_of_exchange(&self, party: Party, exchange: Exchange, steps: &mut Vec<Step>) {
        let is_flight = matches!(party, Party::Flight(_));
        let may_fail = if is_flight { self.budget.faults > 0 } else { self.budget.failures > 0 };
        match exchange {
            Exchange::Sent(_) => {
                steps.push(Step::Execute(party));
                steps.extend((may_fail && is_flight).then_some(Step::ExecuteUnheard(party)));
            }
            Exchange::Answered(..) => steps.push(Step::Hear(party)),
        }
        steps.extend(may_fail.then_some(Step::GiveUp(party)));
    }

    fn steps_of_nobody(&self, steps: &mut Vec<Step>) {
        steps.extend((0..self.strays.len()).map(Step::ExecuteStray));
        // A version that is newer than what any invalidation will ask for breaks nothing.
        let asks_later = |call: &Call| call.operation.is_write() && call.progress == Progress::Ahead;
        if self.budget.commits > 0 && self.calls.iter().any(asks_later) {
            steps.push(Step::Commit);
        }
        if self.budget.losses > 0 {
            steps.extend(self.store.entry.map(|_| Step::LoseEntry));
            steps.extend(self.store.lease.map(|_| Step::LoseLease));
            steps.extend(self.store.tag.map(|_| Step::LoseTag));
            steps.extend(self.store.any_tag.filter(|_| !self.setting.is_declared()).map(|_| Step::LoseAnyTag));
        }
        if self.budget.sweeps > 0 {
            steps.extend([Step::Sweep(0), Step::Sweep(1)]);
        }
        if self.has_readers(None) {
            self.steps_of_time_and_server(steps);
        }
    }

    fn steps_of_time_and_server(&self, steps: &mut Vec<Step>) {
        steps.extend((self.budget.ticks > 0).then_some(Step::Tick));
        if let Some(log) = self.store.log.as_ref().filter(|_| self.budget.log_losses > 0) {
            steps.extend((0..log.len().min(2)).map(Step::TrimLog));
        }
        steps.extend((self.budget.failovers > 0 && self.store.replica.is_some()).then_some(Step::FailOver));
    }

    /// How many callers hold a seat on a flight.
    pub(super) fn seats(&self, id: usize) -> usize {
        let seated = |call: &&Call| matches!(call.progress, Progress::Seated { flight, .. } if flight == id);
        self.calls.iter().filter(seated).count()
    }

    pub(super) fn process_of(&self, id: usize) -> usize {
        self.calls[id].process
    }

    /// Notes a broken property, if it is one that is watched.
    pub(super) fn hold(&mut self, property: Property, holds: bool) {
        if !holds && self.broken.is_none() && self.setting.watched.is_none_or(|watched| watched == property) {
            self.broken = Some(property);
        }
    }

    /// Checks what must hold in every state.
    pub(super) fn check(&mut self) {
        let setting = Rc::clone(&self.setting);
        let usable = self.store.entry.filter(|entry| {
            let found = self.store.found(true);
            found.weigh(*entry, &setting) == Validity::Current
        });
        let usable = usable.map(|entry| entry.value);
        self.hold(Property::NoResurrection, usable.is_none_or(|value| self.forbidden.allow(value)));
        for place in 0..self.processes.len() {
            let process = &self.processes[place];
            let forbidden = process.forbidden;
            let is_touched = process.l1.is_some_and(|resident| resident.is_touched);
            let is_admissible =
                process.resident(&setting).is_none_or(|resident| !is_touched && forbidden.allow(resident.value));
            let is_trusted = usable.is_none_or(|value| forbidden.by_err.allow(value)) || process.outbox.len() > 0;
            self.hold(Property::Admission, is_admissible);
            self.hold(Property::Distrust, is_trusted);
        }
        let leased = self.processes.iter().flat_map(|process| &process.flights).filter(|flight| flight.holds_lease());
        let leased = leased.count();
        self.hold(Property::OneLoad, leased <= 1);
    }

    /// Checks what must hold where nobody can go on.
    pub(super) fn check_quiescent(&mut self) {
        let are_over = self.calls.iter().all(|call| call.progress == Progress::Over);
        let are_empty = self
            .processes
            .iter()
            .all(|process| process.table.len() == 0 && process.flights.is_empty() && process.outbox.len() == 0);
        self.hold(Property::NothingIsStuck, are_over && are_empty);
    }

    /// Epochs that are in use anywhere, as bits by their number; that of the scopes among them. Those in answers under
    /// way are compared with nothing but each other.
    pub(super) fn names(&self) -> Names {
        let requests = self.processes.iter().flat_map(|process| process.flights.iter().map(|flight| flight.stage));
        let requests = requests.filter_map(|stage| match stage {
            Stage::Awaits(exchange) => Some(exchange.request()),
            _ => None,
        });
        let captured = requests.chain(self.strays.iter().copied()).filter_map(|request| match request {
            Request::Fill { epochs, .. } => Some(epochs),
            _ => None,
        });
        let flights = self.processes.iter().flat_map(|process| &process.flights);
        let captured = captured.chain(flights.filter_map(|flight| flight.captured()));
        let captured = captured.flat_map(|captured| [captured.tag, Some(captured.any_tag), Some(captured.scope)]);
        let all = captured.flatten().chain(self.store.epochs());
        Names(all.fold(1, |used, epoch| used | 1 << number(epoch)))
    }
}

impl Call {
    /// States that differ in what is needed no more count as one.
    pub(super) fn end(&mut self) {
        self.progress = Progress::Over;
        (self.forbidden, self.overdue, self.began) = Default::default();
    }

    /// Whether it reads, and neither is answered nor leads a flight.
    pub(super) fn may_be_served_here(&self, id: usize) -> bool {
        let leads = matches!(self.progress, Progress::Seated { flight, .. } if flight == id);
        !self.operation.is_write() && self.progress != Progress::Over && !leads
    }
}

impl Step {
    /// Whether somebody waits for it, so that it will happen.
    pub(super) fn is_due(self) -> bool {
        !matches!(
            self,
            Self::Leave(_)
                | Self::ExecuteStray(_)
                | Self::Commit
                | Self::LoseEntry
                | Self::LoseLease
                | Self::LoseTag
                | Self::LoseAnyTag
                | Self::Sweep(_)
                | Self::Tick
                | Self::ReadOn(_)
                | Self::Beat(_)
                | Self::HearErrand(_)
                | Self::TrimLog(_)
                | Self::FailOver
        )
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, into: &mut H) {
        (&self.store, self.origin, &self.calls, &self.strays).hash(into);
        (self.budget, self.now, self.forbidden, self.bounds, self.interrupted, self.has_stray_insert).hash(into);
        for process in &self.processes {
            process.hash(&self.setting, into);
        }
    }
}
