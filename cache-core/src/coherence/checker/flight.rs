//! A flight: the production [`Course`], and the part of `Pilot` that carries out what it decides.

use super::{
    mutant::Mutant,
    process::{Process, Resident},
    property::Value,
    setting::{PATIENCE, Setting},
    store::{Captured, Entry, Found, Reply, Request},
};
use crate::{
    backend::{Claim, FillReply},
    coherence::{
        course::{Course, Effect, End, Event, Leased, Loaded, Mode, Reach, Seen},
        ledger::Moment,
        outbox::{Outbox, Trust},
        validity::Validity,
    },
    token::{EntryId, LeaseToken},
};

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Flight {
    /// The call that leads it, by which it is named.
    pub(super) id: usize,
    pub(super) born: Moment,
    /// The tick at which it was registered.
    pub(super) as_of: u8,
    pub(super) stage: Stage,
    mode: Mode,
    course: Option<Course>,
    /// Whether the tag's epoch is asked for.
    knows_tag: bool,
    captured: Option<Captured>,
    /// What it found or loaded.
    pub(super) cargo: Option<Cargo>,
    /// What L1 has and could not serve.
    resident: Option<Resident>,
    /// What it reads is whether L2 has the same.
    validates: bool,
    /// The tick at which it asked what it waits for.
    asked: u8,
    pauses: u32,
    /// Reads in a row.
    reads: u8,
    /// How many deliveries there had been when L2 was asked.
    deliveries: u64,
    /// What it reads is the answer to its asking for a lease.
    asks_for_lease: bool,
    may_hold_lease: bool,
    loads_leased: bool,
    /// For the properties: its lease was taken, removed or lost.
    pub(super) lost_lease: bool,
    /// How many invalidations had returned in its process when it was registered.
    pub(super) registered: u8,
    /// An invalidation was applied in its process since it was registered.
    pub(super) is_touched: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Stage {
    /// Registered; its task has not run yet.
    Boarded,
    Awaits(Exchange),
    Ends(End),
    /// Over; some that joined it have not woken yet.
    Landed(End),
}

/// What a flight found or loaded.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Cargo {
    pub(super) value: Value,
    as_of: u8,
    id: Option<EntryId>,
}

/// What a flight looks at beside itself.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) outbox: &'a Outbox,
    pub(super) now: u8,
    pub(super) setting: &'a Setting,
}

/// Mirrors the constant of the same name.
const MAX_READS: u8 = 3;

enum Weighed {
    Seen(Seen),
    AskAgain(Seen),
}

/// A request and its answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Exchange {
    /// Sent, and not executed yet.
    Sent(Request),
    /// Executed; the answer is under way.
    Answered(Request, Reply),
}

impl Flight {
    pub(super) fn new(id: usize, mode: Mode, process: &Process, now: u8, setting: &Setting) -> Self {
        Self {
            id,
            born: process.ledger.moment(),
            as_of: now,
            stage: Stage::Boarded,
            mode,
            course: None,
            knows_tag: setting.is_declared(),
            captured: None,
            cargo: None,
            resident: process.unproven(setting).filter(|_| mode != Mode::Refresh),
            validates: false,
            asked: 0,
            pauses: 0,
            reads: 0,
            deliveries: 0,
            asks_for_lease: false,
            may_hold_lease: false,
            loads_leased: false,
            lost_lease: false,
            registered: process.returned,
            is_touched: false,
        }
    }

    /// Mirrors the beginning of `Pilot::follow_course`.
    pub(super) fn take_off(&mut self, around: Around<'_>) {
        let Around { outbox, setting, .. } = around;
        let fixtures = &setting.fixtures;
        let declared = fixtures.tags(setting.is_declared());
        let is_distrusted =
            outbox.distrusts(&fixtures.key, declared.marks()) && !setting.lacks(Mutant::DistrustIgnored);
        let reach = if is_distrusted { Reach::LocalOnly } else { Reach::Shared };
        self.course = Some(Course::new(self.mode, reach, PATIENCE));
        self.steer(Event::Began, around);
    }

    /// Mirrors `Pilot::read`, `lease`, `load`, `fill` and `release`.
    pub(super) fn hear(&mut self, request: Request, reply: Reply, around: Around<'_>) {
        let event = match reply {
            Reply::Found(found) if self.validates && self.validate(found, around.setting) => Event::Read(Seen::Usable),
            Reply::Found(_) | Reply::Lost if self.validates => return self.begin_to_read(around),
            Reply::Found(found) => match self.weigh(found, around) {
                Weighed::AskAgain(_) if self.reads < MAX_READS => return self.read(around),
                Weighed::Seen(seen) | Weighed::AskAgain(seen) if self.asks_for_lease => {
                    Event::Lease(Leased::Found(seen))
                }
                Weighed::Seen(seen) | Weighed::AskAgain(seen) => Event::Read(seen),
            },
            Reply::Granted(captured) => {
                self.captured = Some(captured);
                Event::Lease(Leased::Granted)
            }
            Reply::Held => Event::Lease(Leased::Held { remaining: PATIENCE.budget }),
            Reply::Loaded(value) => {
                self.cargo = Some(Cargo { value, as_of: self.asked, id: None });
                Event::Loaded(Loaded::Keep)
            }
            Reply::LoadFailed => Event::Loaded(Loaded::Failed),
            Reply::Filled(reply) => {
                if let Some(cargo) = self.cargo.as_mut().filter(|_| reply == FillReply::Stored) {
                    cargo.id = around.setting.has_log.then(|| entry_id(self.id));
                }
                Event::Filled(Some(reply))
            }
            Reply::Done => Event::Released,
            Reply::Lost => match request {
                Request::Lease { .. } => Event::Lease(Leased::Unreachable),
                Request::Fill { .. } => Event::Filled(None),
                Request::Release { .. } => Event::Released,
                _ if self.asks_for_lease => Event::Lease(Leased::Found(Seen::Unreachable)),
                _ => Event::Read(Seen::Unreachable),
            },
        };
        self.steer(event, around);
    }

    /// Mirrors `Pilot::weigh`.
    fn weigh(&mut self, found: Found, around: Around<'_>) -> Weighed {
        let Some(entry) = found.entry else { return Weighed::Seen(Seen::Absent) };
        match found.weigh(entry, around.setting) {
            Validity::Current => match self.trust(around) {
                Trust::Full => {
                    let id = around.setting.has_log.then_some(entry.id);
                    self.cargo = Some(Cargo { value: entry.value, as_of: self.asked, id });
                    Weighed::Seen(Seen::Usable)
                }
                Trust::Denied => Weighed::Seen(Seen::Unreachable),
                Trust::Outdated => Weighed::AskAgain(Seen::Unreachable),
            },
            Validity::Dead => Weighed::Seen(Seen::Useless(entry.id)),
            Validity::Expired => unreachable!("nothing here expires softly"),
            Validity::Unknown => {
                self.knows_tag = true;
                Weighed::AskAgain(Seen::Useless(entry.id))
            }
        }
    }

    /// Whether L2 has what L1 has. Mirrors `Pilot::validate`.
    fn validate(&mut self, found: Found, setting: &Setting) -> bool {
        let Some(resident) = &mut self.resident else { return false };
        let is_current =
            |entry: &Entry| setting.lacks(Mutant::ValidatedById) || found.weigh(*entry, setting) == Validity::Current;
        let is_same = |entry: &Entry| Some(entry.id) == resident.id && is_current(entry);
        if !found.entry.as_ref().is_some_and(is_same) {
            return false;
        }
        resident.as_of = resident.as_of.max(self.asked);
        self.cargo = Some(Cargo { value: resident.value, as_of: resident.as_of, id: resident.id });
        true
    }

    fn trust(&self, Around { outbox, setting, .. }: Around<'_>) -> Trust {
        if setting.lacks(Mutant::DistrustIgnored) {
            return Trust::Full;
        }
        let is_undated = setting.lacks(Mutant::AnswersUndated);
        let deliveries = if is_undated { outbox.deliveries() } else { self.deliveries };
        outbox.trust(deliveries, setting.fixtures.tagged.marks())
    }

    fn steer(&mut self, mut event: Event, around: Around<'_>) {
        let course = self.course.as_mut().expect("it took off");
        loop {
            // A pause lasts until the next request executes, or for the whole budget.
            let now = around.setting.fixtures.start + PATIENCE.budget * self.pauses;
            let token = token(self.id);
            let request = match course.next(event, now, || 0.5) {
                Effect::Read => {
                    self.asks_for_lease = false;
                    self.validates = self.resident.is_some();
                    return if self.validates {
                        self.ask(Request::Read { tagged: true }, around)
                    } else {
                        self.begin_to_read(around)
                    };
                }
                Effect::Lease(claim) => {
                    (self.may_hold_lease, self.asks_for_lease) = (true, true);
                    (self.reads, self.deliveries) = (0, around.outbox.deliveries());
                    Request::Lease { token, claim, tagged: self.knows_tag }
                }
                Effect::Wait(_) => {
                    self.pauses += 1;
                    event = Event::Waited;
                    continue;
                }
                Effect::Load { leased } => {
                    (self.loads_leased, self.asks_for_lease, self.reads, self.deliveries) = (leased, false, 0, 0);
                    Request::Load
                }
                Effect::Fill => Request::Fill {
                    token,
                    id: entry_id(self.id),
                    value: self.cargo.expect("a course fills what it loaded").value,
                    epochs: self.captured.take().expect("a lease was granted"),
                },
                Effect::Release => Request::Release { token },
                Effect::End(end) => return self.end(end),
            };
            return self.ask(request, around);
        }
    }

    /// What L1 has is of no use any more.
    fn begin_to_read(&mut self, around: Around<'_>) {
        (self.resident, self.validates, self.reads) = (None, false, 0);
        self.read(around);
    }

    fn read(&mut self, around: Around<'_>) {
        self.reads += 1;
        self.deliveries = around.outbox.deliveries();
        self.ask(Request::Read { tagged: self.knows_tag }, around);
    }

    /// Only of these is it asked later when they were sent.
    fn ask(&mut self, request: Request, around: Around<'_>) {
        let is_dated = matches!(request, Request::Read { .. } | Request::Lease { .. } | Request::Load);
        self.asked = if is_dated { around.now } else { 0 };
        self.stage = Stage::Awaits(Exchange::Sent(request));
    }

    /// States that differ in what is needed no more count as one.
    fn end(&mut self, end: End) {
        self.stage = Stage::Ends(end);
        self.cargo = self.cargo.filter(|_| matches!(end, End::Promote | End::Loaded { .. }));
        (self.course, self.captured, self.pauses, self.reads, self.deliveries) = (None, None, 0, 0, 0);
        (self.asked, self.resident) = (0, self.resident.filter(|_| self.validates));
        (self.knows_tag, self.asks_for_lease, self.loads_leased, self.lost_lease) = (false, false, false, false);
    }

    /// Whether L1 has something that it may validate.
    pub(super) fn validates_resident(&self) -> bool {
        self.resident.is_some()
    }

    /// What it found in L1, if L2 has the same.
    pub(super) fn validated(&self) -> Option<Resident> {
        self.resident.filter(|_| self.validates && self.cargo.is_some())
    }

    /// What it brings to L1. Mirrors the entries of `Pilot::outcome`.
    pub(super) fn brings(&self) -> Option<Resident> {
        let Cargo { value, as_of, id } = self.cargo?;
        let brought = Resident { value, born: self.born, as_of, id, is_touched: self.is_touched };
        let validated = self.validated().map(|it| Resident { is_touched: it.is_touched || self.is_touched, ..it });
        Some(validated.unwrap_or(brought))
    }

    /// Whether it looks out for everyone having left: while it loads or pauses. A pause is over when the lease is asked for.
    pub(super) fn may_be_left(&self) -> bool {
        match self.stage {
            Stage::Awaits(Exchange::Sent(Request::Load)) => true,
            Stage::Awaits(Exchange::Sent(Request::Lease { .. })) => self.pauses > 0,
            _ => false,
        }
    }

    /// The lease that it gives back when everyone has left. Mirrors the end of `Pilot::fly`.
    pub(super) fn parting(&self) -> Option<Request> {
        self.may_hold_lease.then_some(Request::Release { token: token(self.id) })
    }

    pub(super) fn is_landed(&self) -> bool {
        matches!(self.stage, Stage::Landed(_))
    }

    /// Whether a load runs under a lease that should still be there.
    pub(super) fn holds_lease(&self) -> bool {
        let loads = matches!(self.stage, Stage::Awaits(Exchange::Sent(Request::Load | Request::Fill { .. })));
        loads && self.loads_leased && !self.lost_lease
    }

    pub(super) fn loads_without_lease(&self) -> bool {
        self.stage == Stage::Awaits(Exchange::Sent(Request::Load)) && !self.loads_leased
    }

    /// The epochs that it remembers.
    pub(super) fn captured(&self) -> Option<Captured> {
        self.captured
    }
}

impl Exchange {
    pub(super) fn request(self) -> Request {
        match self {
            Self::Sent(request) | Self::Answered(request, _) => request,
        }
    }
}

impl Request {
    /// Whether executing it may end a lease that is not the sender's own.
    pub(super) fn ends_leases(self) -> bool {
        matches!(self, Self::Lease { claim: Claim::Take, .. } | Self::Put { .. } | Self::Invalidate { key: true, .. })
    }
}

impl Reply {
    /// Whether the flight that hears it looks at nothing that it shares with others of its process, not even at how many
    /// deliveries there have been.
    pub(super) fn concerns_nobody_else(self) -> bool {
        !matches!(self, Self::Found(_) | Self::Held)
    }

    pub(super) fn is_refusal(self) -> bool {
        self == Self::Filled(FillReply::Refused)
    }
}

fn entry_id(id: usize) -> EntryId {
    EntryId::from_bytes([id as u8; 16])
}

pub(super) fn token(id: usize) -> LeaseToken {
    LeaseToken::from_bytes([id as u8; 16])
}
