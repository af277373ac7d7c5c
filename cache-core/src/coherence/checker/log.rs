//! The log of the namespace by its contract, and what the store knows of servers.

use super::setting::{MAX_STALENESS, Setting};
use crate::{
    backend::{Attached, Message, Position, Pulse},
    token::{ProcessId, ServerId},
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Log {
    messages: Vec<Announced>,
    /// The last position that was given out. As a clock it never goes back, whatever is lost.
    last: u8,
    server: u8,
    /// The server that the namespace was attached to.
    recorded: u8,
}

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Announced {
    position: u8,
    after: u8,
    from: Option<usize>,
    revoked: Revoked,
}

/// What a message says was removed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Revoked {
    pub(super) key: bool,
    pub(super) tag: bool,
    pub(super) all: bool,
}

/// Answer to a heartbeat or an attachment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Told {
    end: Option<u8>,
    server: u8,
    recorded: u8,
}

impl Log {
    /// As the first one to attach has left it.
    pub(super) fn new() -> Self {
        let mut log = Self { messages: Vec::new(), last: 0, server: 0, recorded: 0 };
        log.append(None, Revoked::default());
        log
    }

    pub(super) fn append(&mut self, from: Option<usize>, revoked: Revoked) {
        let after = self.end().unwrap_or(0);
        self.last += 1;
        self.messages.push(Announced { position: self.last, after, from, revoked });
    }

    fn end(&self) -> Option<u8> {
        self.messages.last().map(|message| message.position)
    }

    /// Whether somebody may find, at the next heartbeat, that there is something to attach to.
    pub(super) fn wants_attachment(&self) -> bool {
        self.messages.is_empty() || !self.is_attached()
    }

    pub(super) fn is_attached(&self) -> bool {
        self.server == self.recorded
    }

    pub(super) fn told(&self) -> Told {
        Told { end: self.end(), server: self.server, recorded: self.recorded }
    }

    /// Says whether the server is another one than before. Who must renew the namespace's mark, announces it.
    pub(super) fn attach(&mut self, from: usize) -> bool {
        let is_known = self.is_attached();
        self.recorded = self.server;
        if !is_known {
            self.append(Some(from), Revoked { all: true, ..Revoked::default() });
        } else if self.messages.is_empty() {
            self.append(Some(from), Revoked::default());
        }
        !is_known
    }

    /// The message that is read next from a position.
    pub(super) fn next(&self, after: Position, setting: &Setting) -> Option<Message> {
        self.messages.iter().find(|message| position(message.position) > after).map(|message| message.tell(setting))
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Keeps the last `left` messages.
    pub(super) fn trim(&mut self, left: usize) {
        self.messages.drain(..self.messages.len() - left);
    }

    /// Another server takes over what it had heard of when the log was `self`; the old one got as far as `end`.
    pub(super) fn succeed(&mut self, end: &Self) {
        (self.server, self.last) = (end.server + 1, end.last);
    }
}

impl Announced {
    fn tell(self, setting: &Setting) -> Message {
        let names = &setting.fixtures;
        let revoked = [
            self.revoked.key.then(|| names.key.entry(1)),
            self.revoked.tag.then(|| names.tag.name().to_owned()),
            self.revoked.all.then(|| names.everything.name().to_owned()),
        ];
        Message {
            position: position(self.position),
            after: Some(position(self.after)),
            from: self.from.map(process_id),
            revoked: revoked.into_iter().flatten().collect(),
            expired: Vec::new(),
        }
    }
}

impl Told {
    pub(super) fn pulse(self) -> Pulse {
        Pulse {
            end: self.end.map(position),
            server: server_id(self.server),
            recorded: Some(server_id(self.recorded)),
            max_staleness: MAX_STALENESS,
        }
    }

    /// After [`Log::attach`] there is an end.
    pub(super) fn attached(self) -> Attached {
        let end = position(self.end.expect("a log that was attached to has a message"));
        Attached { end, server: server_id(self.server), renewed: false, max_staleness: MAX_STALENESS }
    }
}

fn position(millis: u8) -> Position {
    Position { millis: millis.into(), sequence: 0 }
}

pub(super) fn process_id(place: usize) -> ProcessId {
    ProcessId::from_bytes([place as u8; 16])
}

fn server_id(number: u8) -> ServerId {
    ServerId::from_bytes([number; 16])
}
