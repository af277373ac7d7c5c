//! What does this process know of the log, and as of when?
//!
//! The follower stands at a position: everything up to there was applied here. It hears of messages by reading on from it,
//! and of where the log ends by heartbeats. What was applied here by the time a heartbeat *asked* is proven to be all that
//! had been invalidated before that moment; the answer may take its time, and says nothing of what happened meanwhile.
//!
//! Whatever does not fit makes everything here revoked: a message whose predecessor is not our position, an end that lies
//! behind us, a server that is another one, an end that we don't reach in time. So nothing that was lost, rolled back,
//! trimmed or forged can leave anything old in L1; it can only empty it.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::{
    backend::{Attached, Message, Position, Pulse},
    token::{ProcessId, ServerId},
};

/// What the driver reports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// The store was attached to; it was asked at `asked`. `nothing_here`: the stack is being built, nobody has used it yet.
    Attached { attached: Attached, asked: Instant, nothing_here: bool },
    /// What was read after some position that we stood at.
    Messages(&'a [Message]),
    /// A heartbeat was answered.
    Beat { asked: Asked, pulse: Pulse },
    /// Time passed.
    Tick { now: Instant },
}

/// What is noted when a heartbeat is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    position: Position,
}

/// What the driver must do, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Apply what a message says, before anything else.
    Revoke(Vec<String>),
    /// Mark as stale what a message says.
    Expire(Vec<String>),
    /// Revoke everything that is here or under way.
    RevokeAll(Reason),
    /// Everything that was invalidated before this moment is applied.
    Synced(Instant),
    /// Attach to the store.
    Attach,
    /// Read on at once: the log has more than we were told.
    CatchUp,
}

/// Why everything here was revoked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reason {
    /// The store was attached to anew: it was away, or is another one.
    Attached,
    /// A message does not follow the one before it.
    Gap,
    /// The log ends before our position.
    Rewound,
    /// The end of the log was not reached in time.
    Behind,
}

impl Reason {
    pub(crate) const ALL: [Self; 4] = [Self::Attached, Self::Gap, Self::Rewound, Self::Behind];
}

/// The state of one process's following.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Follower {
    me: ProcessId,
    max_staleness: Duration,
    place: Option<Place>,
    /// Ends that heartbeats told of and that are ahead of us, in order.
    targets: VecDeque<Target>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Place {
    position: Position,
    server: ServerId,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Target {
    end: Position,
    asked: Instant,
}

impl Follower {
    pub(crate) fn new(me: ProcessId, max_staleness: Duration) -> Self {
        Self { me, max_staleness, place: None, targets: VecDeque::new() }
    }

    /// Where to read on from; none before the store was attached to.
    pub(crate) fn position(&self) -> Option<Position> {
        self.place.map(|place| place.position)
    }

    /// To be called when a heartbeat is sent.
    pub(crate) fn ask(&self, now: Instant) -> Option<Asked> {
        self.position().map(|position| Asked { at: now, position })
    }

    pub(crate) fn next(&mut self, event: Event<'_>) -> Vec<Effect> {
        match event {
            Event::Attached { attached, asked, nothing_here } => self.attached(attached, asked, nothing_here),
            Event::Messages(messages) => self.read_on(messages),
            Event::Beat { asked, pulse } => self.compare(asked, pulse),
            Event::Tick { now } => self.give_up_on_targets(now),
        }
    }

    /// Nobody knows what was missed before. A store that could not be reached while the stack was built is no exception:
    /// what came here meanwhile is as old as its own proof says, and this one would prolong it past invalidations that never
    /// reached us.
    fn attached(&mut self, attached: Attached, asked: Instant, nothing_here: bool) -> Vec<Effect> {
        self.place = Some(Place { position: attached.end, server: attached.server });
        self.targets.clear();
        let revoked = (!nothing_here).then_some(Effect::RevokeAll(Reason::Attached));
        revoked.into_iter().chain([Effect::Synced(asked)]).collect()
    }

    fn read_on(&mut self, messages: &[Message]) -> Vec<Effect> {
        let Some(place) = &mut self.place else { return Vec::new() };
        let mut effects = Vec::new();
        for message in messages {
            // Read before the position was moved on by something else.
            if message.position <= place.position {
                continue;
            }
            if message.after != Some(place.position) {
                effects.push(Effect::RevokeAll(Reason::Gap));
            } else if message.from != Some(self.me) {
                // Our own are applied by those who sent them, before they return.
                effects.push(Effect::Revoke(message.revoked.clone()));
                if !message.expired.is_empty() {
                    effects.push(Effect::Expire(message.expired.clone()));
                }
            }
            place.position = message.position;
        }
        let position = place.position;
        let reached = self.targets.iter().take_while(|target| target.end <= position).count();
        effects.extend(self.targets.drain(..reached).map(|target| Effect::Synced(target.asked)));
        effects
    }

    fn compare(&mut self, asked: Asked, pulse: Pulse) -> Vec<Effect> {
        let Some(place) = &mut self.place else { return vec![Effect::Attach] };
        let Some(end) = pulse.end else { return vec![Effect::Attach] };
        if pulse.server != place.server || pulse.recorded != Some(pulse.server) {
            return vec![Effect::Attach];
        }
        // Compared with where we stood when it was asked: a message may have overtaken the answer since.
        if end < asked.position {
            place.position = end;
            self.targets.clear();
            return vec![Effect::RevokeAll(Reason::Rewound), Effect::Synced(asked.at)];
        }
        if end <= place.position {
            return vec![Effect::Synced(asked.at)];
        }
        self.targets.push_back(Target { end, asked: asked.at });
        if self.targets.len() > 1 { vec![Effect::CatchUp] } else { Vec::new() }
    }

    fn give_up_on_targets(&mut self, now: Instant) -> Vec<Effect> {
        let is_late = |target: &Target| now.saturating_duration_since(target.asked) > self.max_staleness;
        let (Some(place), Some(last), true) =
            (&mut self.place, self.targets.back().copied(), self.targets.front().is_some_and(is_late))
        else {
            return Vec::new();
        };
        place.position = last.end;
        self.targets.clear();
        vec![Effect::RevokeAll(Reason::Behind), Effect::Synced(last.asked)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const LIMIT: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Position {
        Position { millis, sequence: 0 }
    }

    fn message(position: u64, after: u64, from: Option<ProcessId>) -> Message {
        Message {
            position: at(position),
            after: Some(at(after)),
            from,
            revoked: vec![format!("name {position}")],
            expired: Vec::new(),
        }
    }

    /// Attached at position 10.
    fn follower() -> (Follower, ServerId, Instant) {
        let (server, start) = (ServerId::random(), clock::now());
        let mut follower = Follower::new(ProcessId::random(), LIMIT);
        let attached = Attached { end: at(10), server, renewed: true, max_staleness: LIMIT };
        let effects = follower.next(Event::Attached { attached, asked: start, nothing_here: true });
        assert_eq!(effects, [Effect::Synced(start)], "nothing was here before");
        (follower, server, start)
    }

    fn beat(follower: &mut Follower, now: Instant, end: Option<u64>, server: ServerId) -> Vec<Effect> {
        let asked = follower.ask(now).unwrap();
        let pulse = Pulse { end: end.map(at), server, recorded: Some(server), max_staleness: LIMIT };
        follower.next(Event::Beat { asked, pulse })
    }

    #[test]
    fn messages_are_applied_in_order_and_once() {
        let (mut follower, ..) = follower();
        let messages = [message(11, 10, None), message(12, 11, None)];
        let revoke = |position: u64| Effect::Revoke(vec![format!("name {position}")]);
        assert_eq!(follower.next(Event::Messages(&messages)), [revoke(11), revoke(12)]);
        assert_eq!(follower.next(Event::Messages(&messages)), []);
        assert_eq!(follower.position(), Some(at(12)));
    }

    #[test]
    fn what_this_process_sent_is_not_applied_twice() {
        let (mut follower, ..) = follower();
        let own = message(11, 10, Some(follower.me));
        assert_eq!(follower.next(Event::Messages(&[own])), []);
        assert_eq!(follower.position(), Some(at(11)));
    }

    #[test]
    fn a_gap_revokes_everything_and_reading_goes_on_behind_it() {
        let (mut follower, ..) = follower();
        let forged = Message { after: None, ..message(14, 0, None) };
        let effects = follower.next(Event::Messages(&[message(12, 11, None), message(13, 12, None), forged]));
        let gap = Effect::RevokeAll(Reason::Gap);
        assert_eq!(effects, [gap.clone(), Effect::Revoke(vec!["name 13".into()]), gap]);
    }

    #[test]
    fn a_heartbeat_proves_what_was_so_when_it_was_sent() {
        let (mut follower, server, start) = follower();
        let sent = start + LIMIT / 3;
        assert_eq!(beat(&mut follower, sent, Some(10), server), [Effect::Synced(sent)]);
    }

    #[test]
    fn an_end_ahead_proves_nothing_until_it_is_reached() {
        let (mut follower, server, start) = follower();
        let sent = start + LIMIT / 3;
        assert_eq!(beat(&mut follower, sent, Some(12), server), []);
        assert_eq!(follower.next(Event::Messages(&[message(11, 10, None)])).len(), 1);
        let effects = follower.next(Event::Messages(&[message(12, 11, None)]));
        assert_eq!(effects[1], Effect::Synced(sent));
        assert_eq!(follower.next(Event::Tick { now: start + 9 * LIMIT }), [], "nothing is owed any more");
    }

    #[test]
    fn a_message_that_overtakes_a_heartbeat_is_no_rewind() {
        let (mut follower, server, start) = follower();
        let asked = follower.ask(start).unwrap();
        follower.next(Event::Messages(&[message(11, 10, None)]));
        let pulse = Pulse { end: Some(at(10)), server, recorded: Some(server), max_staleness: LIMIT };
        assert_eq!(follower.next(Event::Beat { asked, pulse }), [Effect::Synced(start)]);
    }

    #[test]
    fn an_end_behind_us_is_a_rewind() {
        let (mut follower, server, start) = follower();
        let effects = beat(&mut follower, start, Some(9), server);
        assert_eq!(effects, [Effect::RevokeAll(Reason::Rewound), Effect::Synced(start)]);
        assert_eq!(follower.position(), Some(at(9)));
    }

    #[test]
    fn an_end_that_is_not_reached_in_time_revokes_everything() {
        let (mut follower, server, start) = follower();
        beat(&mut follower, start, Some(11), server);
        let later = start + LIMIT / 2;
        assert_eq!(beat(&mut follower, later, Some(12), server), [Effect::CatchUp]);
        assert_eq!(follower.next(Event::Tick { now: start + LIMIT }), []);
        let effects = follower.next(Event::Tick { now: start + LIMIT + Duration::from_millis(1) });
        assert_eq!(effects, [Effect::RevokeAll(Reason::Behind), Effect::Synced(later)]);
        assert_eq!(follower.position(), Some(at(12)));
    }

    #[test]
    fn another_server_and_a_log_that_is_gone_are_attached_to() {
        let (mut follower, server, start) = follower();
        assert_eq!(beat(&mut follower, start, Some(10), ServerId::random()), [Effect::Attach]);
        assert_eq!(beat(&mut follower, start, None, server), [Effect::Attach]);
        let asked = follower.ask(start).unwrap();
        let pulse = Pulse { end: Some(at(10)), server, recorded: None, max_staleness: LIMIT };
        assert_eq!(follower.next(Event::Beat { asked, pulse }), [Effect::Attach], "its record is gone");
        let attached = Attached { end: at(20), server, renewed: true, max_staleness: LIMIT };
        let effects = follower.next(Event::Attached { attached, asked: start, nothing_here: false });
        assert_eq!(effects, [Effect::RevokeAll(Reason::Attached), Effect::Synced(start)]);
    }
}
