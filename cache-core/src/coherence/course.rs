//! What does a flight do next?
//!
//! ```text
//!            ┌──── usable ───────────────────────────────► End(Promote)
//! Read ──────┤
//!   │        └──── useless, absent ──► Lease ── granted ─► Load ──► Fill ──► End(Loaded)
//!   │                                 ▲  │ └── found ───► End(Promote), or Lease again
//!   │                                 │  └──── held ────► Wait, within the budget
//!   │                                 └─────────────────────┘ │
//!   └── unreachable ─► Load without a lease ◄─────────────────┘ budget spent
//! ```
//!
//! A load without a lease is answered and kept in L1, but never written to L2: only a token's presence permits a fill.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    backend::{Claim, FillReply},
    token::EntryId,
};

/// How a flight goes about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Mode {
    /// L2 if it has the entry, or else the origin.
    Load,
    /// L2 only.
    Lookup,
    /// The origin, whatever L2 has: a forced refresh.
    Refresh,
}

/// Whether the flight may ask L2 at all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reach {
    /// There is an L2.
    Shared,
    /// There is none, or nothing in it may be trusted for this entry at present.
    LocalOnly,
}

/// What the driver reports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// The flight was registered.
    Began,
    /// Answer to [`Effect::Read`].
    Read(Seen),
    /// Answer to [`Effect::Lease`].
    Lease(Leased),
    /// [`Effect::Wait`] is over.
    Waited,
    /// Answer to [`Effect::Load`].
    Loaded(Loaded),
    /// Answer to [`Effect::Fill`]; `None` if L2 did not answer, so that nobody knows.
    Filled(Option<FillReply>),
    /// [`Effect::Release`] is done, or was tried.
    Released,
}

/// What L2 has, as judged by the driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// An entry that may be served.
    Usable,
    /// No entry.
    Absent,
    /// An entry that is damaged, dead, or of another schema.
    Useless(EntryId),
    /// No answer.
    Unreachable,
}

/// How the lease was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leased {
    Granted,
    Held {
        remaining: Duration,
    },
    Found(Seen),
    /// A write is under way that lets nothing be cached.
    Guarded,
    Unreachable,
}

/// How the load ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loaded {
    /// With a value to keep.
    Keep,
    /// With a value to keep here: its codec can't store it, or can't read it back.
    KeepHere,
    /// With a value that must not be stored.
    Drop,
    /// With an error.
    Failed,
}

/// What the driver must do next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Effect {
    /// Read the entry and its marks from L2.
    Read,
    /// Ask for the lease.
    Lease(Claim),
    /// Let time pass.
    Wait(Duration),
    /// Run the loader.
    Load { leased: bool },
    /// Store the loaded value in L2.
    Fill,
    /// End the lease.
    Release,
    /// The flight is over.
    End(End),
}

/// How a flight ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum End {
    /// With the entry that L2 had.
    Promote,
    /// With the loaded value; `admit` says whether L1 may have it.
    Loaded { admit: bool },
    /// With the load's error.
    Failed,
    /// With nothing: a lookup that found none.
    Absent,
}

/// Bounds of the wait for another process's load.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Patience {
    /// The first pause; it doubles from there.
    pub(crate) first: Duration,
    /// The longest pause.
    pub(crate) longest: Duration,
    /// The whole wait; then the origin is asked without a lease.
    pub(crate) budget: Duration,
}

/// The state of one flight's way through L2 and the origin.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Course {
    mode: Mode,
    reach: Reach,
    patience: Patience,
    seen: Option<EntryId>,
    waiting_since: Option<Instant>,
    pauses: u32,
    finds: u32,
    leased: bool,
    /// What is loaded must be kept nowhere.
    guarded: bool,
    /// How the flight ends once the lease was given back.
    ending: End,
}

/// Useless entries in a row after which the origin is asked without a lease: somebody else keeps writing them.
const MAX_FINDS: u32 = 8;

impl Course {
    pub(crate) fn new(mode: Mode, reach: Reach, patience: Patience) -> Self {
        Self {
            mode,
            reach,
            patience,
            seen: None,
            waiting_since: None,
            pauses: 0,
            finds: 0,
            leased: false,
            guarded: false,
            ending: End::Absent,
        }
    }

    /// The next step. `unit` draws a random number in `[0, 1)`, if one is needed.
    pub(crate) fn next(&mut self, event: Event, now: Instant, unit: impl FnOnce() -> f64) -> Effect {
        match event {
            Event::Began => self.begin(),
            Event::Read(seen) => self.judge(seen),
            Event::Lease(Leased::Granted) => {
                self.leased = true;
                Effect::Load { leased: true }
            }
            Event::Lease(Leased::Found(seen)) => self.judge(seen),
            Event::Lease(Leased::Held { remaining }) => self.wait(remaining, now, unit),
            Event::Lease(Leased::Guarded) => {
                self.guarded = true;
                Effect::Load { leased: false }
            }
            Event::Lease(Leased::Unreachable) => Effect::Load { leased: false },
            Event::Waited => self.claim(),
            Event::Loaded(loaded) => self.store(loaded),
            Event::Filled(reply) => Effect::End(End::Loaded { admit: reply != Some(FillReply::Refused) }),
            Event::Released => Effect::End(self.ending),
        }
    }

    fn begin(&self) -> Effect {
        match (self.mode, self.reach) {
            (Mode::Lookup, Reach::LocalOnly) => Effect::End(End::Absent),
            (_, Reach::LocalOnly) => Effect::Load { leased: false },
            (Mode::Refresh, Reach::Shared) => Effect::Lease(Claim::Take),
            (_, Reach::Shared) => Effect::Read,
        }
    }

    fn judge(&mut self, seen: Seen) -> Effect {
        match seen {
            Seen::Usable => return Effect::End(End::Promote),
            Seen::Unreachable if self.mode == Mode::Lookup => return Effect::End(End::Absent),
            Seen::Unreachable => return Effect::Load { leased: false },
            Seen::Absent => {}
            Seen::Useless(id) => {
                self.seen = Some(id);
                self.finds += 1;
            }
        }
        if self.finds > MAX_FINDS && self.mode != Mode::Lookup {
            return Effect::Load { leased: false };
        }
        self.claim()
    }

    fn claim(&self) -> Effect {
        match self.mode {
            Mode::Lookup => Effect::End(End::Absent),
            Mode::Load => Effect::Lease(Claim::Join { seen: self.seen }),
            Mode::Refresh => Effect::Lease(Claim::Take),
        }
    }

    /// Doubling pauses with full jitter in their upper half, never longer than the lease that is waited for.
    fn wait(&mut self, remaining: Duration, now: Instant, unit: impl FnOnce() -> f64) -> Effect {
        let since = *self.waiting_since.get_or_insert(now);
        let left = self.patience.budget.saturating_sub(now.saturating_duration_since(since));
        if left.is_zero() {
            return Effect::Load { leased: false };
        }
        let doubled = self.patience.first.saturating_mul(1 << self.pauses.min(16)).min(self.patience.longest);
        self.pauses += 1;
        let jittered = doubled.mul_f64(0.5 + unit() / 2.0);
        Effect::Wait(jittered.min(left).min(remaining).max(Duration::from_millis(1)))
    }

    fn store(&mut self, loaded: Loaded) -> Effect {
        let end = match loaded {
            Loaded::Keep if self.leased => return Effect::Fill,
            Loaded::Keep | Loaded::KeepHere => End::Loaded { admit: !self.guarded },
            Loaded::Drop => End::Loaded { admit: false },
            Loaded::Failed => End::Failed,
        };
        if !self.leased {
            return Effect::End(end);
        }
        self.ending = end;
        Effect::Release
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const PATIENCE: Patience = Patience {
        first: Duration::from_millis(10),
        longest: Duration::from_millis(160),
        budget: Duration::from_secs(1),
    };

    fn walk(course: &mut Course, events: impl IntoIterator<Item = Event>) -> Vec<Effect> {
        events.into_iter().map(|event| course.next(event, clock::now(), || 0.5)).collect()
    }

    fn load() -> Course {
        Course::new(Mode::Load, Reach::Shared, PATIENCE)
    }

    #[test]
    fn a_hit_is_one_read() {
        let effects = walk(&mut load(), [Event::Began, Event::Read(Seen::Usable)]);
        assert_eq!(effects, [Effect::Read, Effect::End(End::Promote)]);
    }

    #[test]
    fn a_miss_takes_the_lease_loads_and_fills() {
        let events = [
            Event::Began,
            Event::Read(Seen::Absent),
            Event::Lease(Leased::Granted),
            Event::Loaded(Loaded::Keep),
            Event::Filled(Some(FillReply::Stored)),
        ];
        let effects = walk(&mut load(), events);
        let claim = Effect::Lease(Claim::Join { seen: None });
        let end = Effect::End(End::Loaded { admit: true });
        assert_eq!(effects, [Effect::Read, claim, Effect::Load { leased: true }, Effect::Fill, end]);
    }

    #[test]
    fn a_refused_fill_keeps_the_value_out_of_l1() {
        let mut course = load();
        walk(&mut course, [Event::Began, Event::Read(Seen::Absent), Event::Lease(Leased::Granted)]);
        let effects = walk(&mut course, [Event::Loaded(Loaded::Keep), Event::Filled(Some(FillReply::Refused))]);
        assert_eq!(effects[1], Effect::End(End::Loaded { admit: false }));
    }

    #[test]
    fn a_useless_entry_is_named_when_the_lease_is_asked_for() {
        let id = EntryId::random();
        let effects = walk(&mut load(), [Event::Began, Event::Read(Seen::Useless(id))]);
        assert_eq!(effects[1], Effect::Lease(Claim::Join { seen: Some(id) }));
    }

    #[test]
    fn an_endless_run_of_useless_entries_ends_at_the_origin() {
        let mut course = load();
        walk(&mut course, [Event::Began]);
        let useless = |_| Event::Lease(Leased::Found(Seen::Useless(EntryId::random())));
        let effects = walk(&mut course, (0..=MAX_FINDS).map(useless));
        assert_eq!(effects.last(), Some(&Effect::Load { leased: false }));
    }

    #[test]
    fn without_l2_the_loader_answers_and_nothing_is_filled() {
        for start in [Event::Read(Seen::Unreachable), Event::Lease(Leased::Unreachable)] {
            let mut course = load();
            walk(&mut course, [Event::Began]);
            let effects = walk(&mut course, [start, Event::Loaded(Loaded::Keep)]);
            assert_eq!(effects, [Effect::Load { leased: false }, Effect::End(End::Loaded { admit: true })]);
        }
    }

    #[test]
    fn what_is_loaded_under_a_guard_is_kept_nowhere() {
        let mut course = load();
        walk(&mut course, [Event::Began, Event::Read(Seen::Absent)]);
        let effects = walk(&mut course, [Event::Lease(Leased::Guarded), Event::Loaded(Loaded::Keep)]);
        assert_eq!(effects, [Effect::Load { leased: false }, Effect::End(End::Loaded { admit: false })]);
    }

    #[test]
    fn a_failed_load_gives_the_lease_back() {
        let mut course = load();
        walk(&mut course, [Event::Began, Event::Read(Seen::Absent), Event::Lease(Leased::Granted)]);
        let effects = walk(&mut course, [Event::Loaded(Loaded::Failed), Event::Released]);
        assert_eq!(effects, [Effect::Release, Effect::End(End::Failed)]);
    }

    #[test]
    fn a_lookup_never_loads() {
        for seen in [Seen::Absent, Seen::Unreachable, Seen::Useless(EntryId::random())] {
            let mut course = Course::new(Mode::Lookup, Reach::Shared, PATIENCE);
            assert_eq!(walk(&mut course, [Event::Began, Event::Read(seen)])[1], Effect::End(End::Absent));
        }
        let mut local = Course::new(Mode::Lookup, Reach::LocalOnly, PATIENCE);
        assert_eq!(walk(&mut local, [Event::Began]), [Effect::End(End::Absent)]);
    }

    #[test]
    fn a_refresh_takes_the_lease_without_looking() {
        let mut course = Course::new(Mode::Refresh, Reach::Shared, PATIENCE);
        assert_eq!(walk(&mut course, [Event::Began]), [Effect::Lease(Claim::Take)]);
    }

    #[test]
    fn pauses_double_and_end_with_the_budget() {
        let mut course = load();
        let start = clock::now();
        let mut now = start;
        let held = Event::Lease(Leased::Held { remaining: Duration::from_secs(60) });
        let mut pauses = Vec::new();
        while let Effect::Wait(pause) = course.next(held, now, || 0.0) {
            pauses.push(pause.as_millis());
            now += pause;
            assert_eq!(course.next(Event::Waited, now, || 0.0), Effect::Lease(Claim::Join { seen: None }));
        }
        assert_eq!(pauses[..6], [5, 10, 20, 40, 80, 80]);
        assert_eq!(now - start, PATIENCE.budget);
    }

    #[test]
    fn a_pause_is_no_longer_than_the_lease_it_waits_for() {
        let held = Event::Lease(Leased::Held { remaining: Duration::from_millis(3) });
        assert_eq!(load().next(held, clock::now(), || 0.9), Effect::Wait(Duration::from_millis(3)));
    }
}
