//! Following the log: the driver of the production [`Follower`](crate::coherence::follower::Follower), and what befalls
//! log and server. Mirrors `stack/follow.rs`.

use super::{
    log::Told,
    mutant::Mutant,
    process::Process,
    property::Bounds,
    setting::Setting,
    witness::Witness,
    world::{Step, World},
};
use crate::{
    backend::Message,
    coherence::follower::{Asked, Effect, Event, Reason},
    key::Named,
};

/// The answer that the task of the heartbeats waits for. The store answers when it is asked: had it answered later, as much
/// would be proven by more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Errand {
    Beat(Asked, Told),
    /// Asked for at a tick.
    Attach(u8, Told),
}

impl World {
    /// What following does next, while there is a reader left that it may concern.
    pub(super) fn steps_of_following(&self, place: usize, steps: &mut Vec<Step>) {
        let Some(log) = &self.store.log else { return };
        if !self.has_readers(None) {
            return;
        }
        let process = &self.processes[place];
        if self.has_readers(Some(place)) && self.next_message(place).is_some() {
            steps.push(Step::ReadOn(place));
        }
        match process.errand {
            None if self.budget.beats == 0 => {}
            None if self.has_readers(Some(place)) || log.wants_attachment() => steps.push(Step::Beat(place)),
            None => {}
            Some(_) => steps.push(Step::HearErrand(place)),
        }
    }

    /// Whether calls of one process, or of any, may yet be served from L1 or by another's flight. The others don't look at
    /// what is proven.
    pub(super) fn has_readers(&self, place: Option<usize>) -> bool {
        let mut calls = self.calls.iter().enumerate();
        calls.any(|(id, call)| call.may_be_served_here(id) && place.is_none_or(|place| call.process == place))
    }

    fn next_message(&self, place: usize) -> Option<Message> {
        let position = self.processes[place].follower.position()?;
        self.store.log.as_ref()?.next(position, &self.setting)
    }

    /// Mirrors `StackInner::read_log`, a message at a time. How long it is under way makes no difference.
    pub(super) fn read_on(&mut self, place: usize, setting: &Setting) {
        let mut message = self.next_message(place).expect("there is one");
        if setting.lacks(Mutant::DropWithOwnMessage) {
            message.from = None;
        }
        self.carry_out(place, Event::Messages(&[message]), setting);
    }

    /// Mirrors `StackInner::beat` up to the answer of the store.
    pub(super) fn beat(&mut self, place: usize, setting: &Setting) {
        self.budget.beats -= 1;
        match self.processes[place].follower.ask(setting.fixtures.at(self.now)) {
            Some(asked) => self.process(place).errand = Some(Errand::Beat(asked, self.told())),
            None => self.attach(place, setting),
        }
    }

    /// Mirrors `StackInner::attach` up to there.
    fn attach(&mut self, place: usize, setting: &Setting) {
        if self.store.attach(place, setting) {
            self.end_interregnum();
        }
        self.process(place).errand = Some(Errand::Attach(self.now, self.told()));
    }

    fn told(&self) -> Told {
        self.store.log.as_ref().expect("it is followed").told()
    }

    /// Mirrors the rest of both.
    pub(super) fn hear_errand(&mut self, place: usize, setting: &Setting) {
        let wants_attachment = match self.process(place).errand.take().expect("it is under way") {
            Errand::Beat(asked, told) => self.hear_beat(place, asked, told, setting),
            Errand::Attach(asked, told) => {
                let asked = setting.fixtures.at(asked);
                self.carry_out(
                    place,
                    Event::Attached { attached: told.attached(), asked, nothing_here: false },
                    setting,
                )
            }
        };
        if wants_attachment {
            self.attach(place, setting);
        }
    }

    fn hear_beat(&mut self, place: usize, mut asked: Asked, told: Told, setting: &Setting) -> bool {
        let mut pulse = told.pulse();
        if setting.lacks(Mutant::BeatDatedOnReceipt) {
            asked.at = setting.fixtures.at(self.now);
        }
        if setting.lacks(Mutant::EndIgnored) {
            pulse.end = self.processes[place].follower.position();
        }
        self.carry_out(place, Event::Beat { asked, pulse }, setting)
    }

    /// The clock ticks for everyone at once.
    pub(super) fn tick(&mut self, setting: &Setting) {
        self.budget.ticks -= 1;
        self.now += 1;
        self.bounds.tick();
        for place in 0..self.processes.len() {
            self.carry_out(place, Event::Tick { now: setting.fixtures.at(self.now) }, setting);
        }
    }

    /// Mirrors `StackInner::carry_out`. Says whether to attach; reading on at once is reading on at any time.
    fn carry_out(&mut self, place: usize, event: Event<'_>, setting: &Setting) -> bool {
        let mut wants_attachment = false;
        for effect in self.process(place).follower.next(event) {
            match effect {
                Effect::Revoke(names) => self.apply_message(place, &names, setting),
                Effect::Expire(_) => unreachable!("nothing here expires softly"),
                Effect::RevokeAll(Reason::Gap) if setting.lacks(Mutant::GapIgnored) => {}
                Effect::RevokeAll(reason) => {
                    self.note_flushed(reason);
                    self.touch(place);
                    self.process(place).ledger.renew([&setting.fixtures.everything]);
                }
                Effect::Synced(at) => self.process(place).proof.sync(at),
                Effect::Attach => wants_attachment = true,
                Effect::CatchUp => {}
            }
        }
        wants_attachment
    }

    fn apply_message(&mut self, place: usize, names: &[String], setting: &Setting) {
        for name in names {
            self.touch(place);
            self.process(place).apply_name(name, setting);
            self.witnesses.note(Witness::Revoked);
        }
    }

    fn note_flushed(&mut self, reason: Reason) {
        self.witnesses.note(match reason {
            Reason::Attached => Witness::Reattached,
            Reason::Gap => Witness::Gap,
            Reason::Rewound => Witness::Rewound,
            Reason::Behind => Witness::Behind,
        });
    }

    /// The log loses all but its last messages, or all of them.
    pub(super) fn trim_log(&mut self, left: usize) {
        self.budget.log_losses -= 1;
        self.store.log.as_mut().expect("there is one").trim(left);
    }

    /// A replica that had not heard of the last invalidation becomes the server.
    ///
    /// Until it was attached to, nobody can know what was lost: nothing is promised about it until then.
    pub(super) fn fail_over(&mut self) {
        self.budget.failovers -= 1;
        self.note_lost(self.store.lease);
        self.store.fail_over();
        self.interrupted.raise(std::mem::take(&mut self.forbidden));
        self.bounds = Bounds::default();
        for place in 0..self.processes.len() {
            self.process(place).forbidden = Default::default();
        }
        for call in &mut self.calls {
            (call.forbidden, call.overdue) = Default::default();
        }
    }

    /// What was promised before the failover holds again, as of now.
    fn end_interregnum(&mut self) {
        let promised = std::mem::take(&mut self.interrupted);
        self.promise(promised);
    }
}

impl Process {
    /// Mirrors `StackInner::apply`.
    fn apply_name(&self, name: &str, setting: &Setting) {
        let names = &setting.fixtures;
        match names.namespace.parse(name) {
            Some(Named::Entry(stem)) if stem == names.key.stem() => self.ledger.renew([&names.lot]),
            Some(Named::Mark(mark)) => self.ledger.renew([&mark]),
            _ => self.ledger.renew([&names.everything]),
        }
    }
}
