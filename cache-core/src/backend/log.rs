//! The log of a namespace: the order in which its invalidations took effect.
//!
//! Each message names the one before it, so that whoever follows the log notices what it missed: a message that was trimmed
//! away, a log that was lost, rolled back, or written by others. Following is asked for from a position; nothing is pushed.

use std::{fmt, str::FromStr, time::Duration};

use crate::{
    key::Log,
    token::{ProcessId, ServerId},
};

/// A place in a log: where one message stands. Later messages have greater positions. Shown as Redis shows them, `ms-seq`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// The store's own time when it was appended, in milliseconds. Never compared with any other clock.
    pub millis: u64,
    /// Counts the messages of one millisecond.
    pub sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.sequence)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (millis, sequence) = text.split_once('-').ok_or(())?;
        Ok(Self { millis: millis.parse().map_err(drop)?, sequence: sequence.parse().map_err(drop)? })
    }
}

/// One message of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Where it stands.
    pub position: Position,
    /// Where the message before it stands; `None` if it does not say, or nothing sensible: then something may be missing.
    pub after: Option<Position>,
    /// Who sent it, if it says.
    pub from: Option<ProcessId>,
    /// The names of the entries and marks that were removed. Untrusted.
    pub revoked: Vec<String>,
    /// The names of those that were marked as stale. Untrusted.
    pub expired: Vec<String>,
}

/// What [`Backend::attach`](super::Backend::attach) is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Attach<'a> {
    /// The log.
    pub log: &'a Log,
    /// Who attaches.
    pub from: ProcessId,
    /// The longest that the caller serves from L1 what others have revoked.
    pub max_staleness: Duration,
    /// Whether entries stay valid although the server is another one than before: a warm cache, if no acknowledged
    /// invalidation was lost.
    pub keep: bool,
}

/// Answer to [`Backend::attach`](super::Backend::attach).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attached {
    /// The end of the log.
    pub end: Position,
    /// The server that answered.
    pub server: ServerId,
    /// Whether the namespace's mark was removed.
    pub renewed: bool,
    /// The largest `max_staleness` of the fleet.
    pub max_staleness: Duration,
}

/// Answer to [`Backend::beat`](super::Backend::beat).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pulse {
    /// The end of the log; `None` if there is none.
    pub end: Option<Position>,
    /// The server that answered. A replica does not answer: it fails.
    pub server: ServerId,
    /// The server that is recorded for the namespace.
    pub recorded: Option<ServerId>,
    /// The largest `max_staleness` of the fleet; zero if nothing is recorded.
    pub max_staleness: Duration,
}

/// What [`Backend::follow`](super::Backend::follow) is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Follow<'a> {
    /// The log.
    pub log: &'a Log,
    /// The last position that is known.
    pub after: Position,
    /// How long to wait for a message. Zero does not wait.
    pub wait: Duration,
    /// The most messages to return.
    pub most: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_ordered_and_survive_their_text() {
        let position = |text: &str| text.parse::<Position>();
        assert!(position("9-10").unwrap() < position("10-9").unwrap());
        assert!(position("9-9").unwrap() < position("9-10").unwrap());
        assert_eq!(position("1700000000000-3").unwrap().to_string(), "1700000000000-3");
        for nonsense in ["", "1", "-", "1-", "a-1", "1-2-3", "18446744073709551616-0"] {
            assert_eq!(position(nonsense), Err(()), "{nonsense}");
        }
    }
}
