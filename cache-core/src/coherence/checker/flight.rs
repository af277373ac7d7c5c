//! A flight: the production [`Course`], and the part of `Pilot` that carries out what it decides.

use super::{
    mutant::Mutant,
    property::Value,
    setting::{PATIENCE, Setting},
    store::{Captured, Found, Reply, Request},
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
    pub(super) stage: Stage,
    mode: Mode,
    course: Option<Course>,
    /// Whether the tag's epoch is asked for.
    knows_tag: bool,
    captured: Option<Captured>,
    /// What it found or loaded.
    pub(super) cargo: Option<Value>,
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
    pub(super) fn new(id: usize, mode: Mode, born: Moment, registered: u8, knows_tag: bool) -> Self {
        Self {
            id,
            born,
            stage: Stage::Boarded,
            mode,
            course: None,
            knows_tag,
            captured: None,
            cargo: None,
            pauses: 0,
            reads: 0,
            deliveries: 0,
            asks_for_lease: false,
            may_hold_lease: false,
            loads_leased: false,
            lost_lease: false,
            registered,
            is_touched: false,
        }
    }

    /// Mirrors the beginning of `Pilot::follow_course`.
    pub(super) fn take_off(&mut self, outbox: &Outbox, setting: &Setting) {
        let fixtures = &setting.fixtures;
        let declared = fixtures.tags(setting.is_declared());
        let is_distrusted =
            outbox.distrusts(&fixtures.key, declared.marks()) && !setting.lacks(Mutant::DistrustIgnored);
        let reach = if is_distrusted { Reach::LocalOnly } else { Reach::Shared };
        self.course = Some(Course::new(self.mode, reach, PATIENCE));
        self.steer(Event::Began, outbox, setting);
    }

    /// Mirrors `Pilot::read`, `lease`, `load`, `fill` and `release`.
    pub(super) fn hear(&mut self, request: Request, reply: Reply, outbox: &Outbox, setting: &Setting) {
        let event = match reply {
            Reply::Found(found) => match self.weigh(found, outbox, setting) {
                Weighed::AskAgain(_) if self.reads < MAX_READS => return self.read(outbox),
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
                self.cargo = Some(value);
                Event::Loaded(Loaded::Keep)
            }
            Reply::LoadFailed => Event::Loaded(Loaded::Failed),
            Reply::Filled(reply) => Event::Filled(Some(reply)),
            Reply::Done => Event::Released,
            Reply::Lost => match request {
                Request::Lease { .. } => Event::Lease(Leased::Unreachable),
                Request::Fill { .. } => Event::Filled(None),
                Request::Release { .. } => Event::Released,
                _ if self.asks_for_lease => Event::Lease(Leased::Found(Seen::Unreachable)),
                _ => Event::Read(Seen::Unreachable),
            },
        };
        self.steer(event, outbox, setting);
    }

    /// Mirrors `Pilot::weigh`.
    fn weigh(&mut self, found: Found, outbox: &Outbox, setting: &Setting) -> Weighed {
        let Some(entry) = found.entry else { return Weighed::Seen(Seen::Absent) };
        match found.weigh(entry, setting) {
            Validity::Current => match self.trust(outbox, setting) {
                Trust::Full => {
                    self.cargo = Some(entry.value);
                    Weighed::Seen(Seen::Usable)
                }
                Trust::Denied => Weighed::Seen(Seen::Unreachable),
                Trust::Outdated => Weighed::AskAgain(Seen::Unreachable),
            },
            Validity::Dead => Weighed::Seen(Seen::Useless(entry.id)),
            Validity::Unknown => {
                self.knows_tag = true;
                Weighed::AskAgain(Seen::Useless(entry.id))
            }
        }
    }

    fn trust(&self, outbox: &Outbox, setting: &Setting) -> Trust {
        if setting.lacks(Mutant::DistrustIgnored) {
            return Trust::Full;
        }
        let is_undated = setting.lacks(Mutant::AnswersUndated);
        let deliveries = if is_undated { outbox.deliveries() } else { self.deliveries };
        outbox.trust(deliveries, setting.fixtures.tagged.marks())
    }

    fn steer(&mut self, mut event: Event, outbox: &Outbox, setting: &Setting) {
        let course = self.course.as_mut().expect("it took off");
        loop {
            // A pause lasts until the next request executes, or for the whole budget.
            let now = setting.fixtures.start + PATIENCE.budget * self.pauses;
            let token = token(self.id);
            let request = match course.next(event, now, || 0.5) {
                Effect::Read => {
                    self.asks_for_lease = false;
                    self.reads = 0;
                    return self.read(outbox);
                }
                Effect::Lease(claim) => {
                    (self.may_hold_lease, self.asks_for_lease) = (true, true);
                    (self.reads, self.deliveries) = (0, outbox.deliveries());
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
                    id: EntryId::from_bytes([self.id as u8; 16]),
                    value: self.cargo.expect("a course fills what it loaded"),
                    epochs: self.captured.take().expect("a lease was granted"),
                },
                Effect::Release => Request::Release { token },
                Effect::End(end) => return self.end(end),
            };
            return self.ask(request);
        }
    }

    fn read(&mut self, outbox: &Outbox) {
        self.reads += 1;
        self.deliveries = outbox.deliveries();
        self.ask(Request::Read { tagged: self.knows_tag });
    }

    fn ask(&mut self, request: Request) {
        self.stage = Stage::Awaits(Exchange::Sent(request));
    }

    /// States that differ in what is needed no more count as one.
    fn end(&mut self, end: End) {
        self.stage = Stage::Ends(end);
        self.cargo = self.cargo.filter(|_| matches!(end, End::Promote | End::Loaded { .. }));
        (self.course, self.captured, self.pauses, self.reads, self.deliveries) = (None, None, 0, 0, 0);
        (self.knows_tag, self.asks_for_lease, self.loads_leased, self.lost_lease) = (false, false, false, false);
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

pub(super) fn token(id: usize) -> LeaseToken {
    LeaseToken::from_bytes([id as u8; 16])
}
