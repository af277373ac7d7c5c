//! What befalls servers, for tests.

use std::collections::VecDeque;

use super::{Change, Memory, Store};
use crate::{backend::Position, clock, key::Log, token::ServerId};

impl Memory {
    /// All that is in the store now.
    ///
    /// # Panics
    /// If the store was closed.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.open("snapshot").expect("it is open").clone())
    }

    /// Starts again from a snapshot, as another server: what was written since is lost.
    ///
    /// # Panics
    /// If the store was closed.
    pub fn restart_from(&self, snapshot: &Snapshot) {
        let mut store = self.open("restart").expect("it is open");
        *store = Store { server: ServerId::random(), ..snapshot.0.clone() };
    }

    /// Loses the log of a namespace, as an eviction would.
    ///
    /// # Panics
    /// If the store was closed.
    pub fn lose_log(&self, log: &Log) {
        self.open("lose").expect("it is open").logs.remove(log.name());
    }

    /// Loses the record of this name, whatever it is: an entry, a lease, a mark, the guards of a key, a log, a server's.
    ///
    /// # Panics
    /// If the store was closed.
    pub fn lose(&self, name: &str) {
        let mut store = self.open("lose").expect("it is open");
        store.entries.remove(name);
        store.leases.remove(name);
        store.marks.remove(name);
        store.guards.remove(name);
        store.logs.remove(name);
        store.attached.remove(name);
    }

    /// Forgets all messages of a namespace's log but the last one.
    ///
    /// # Panics
    /// If the store was closed.
    pub fn trim_log(&self, log: &Log) {
        if let Some(messages) = self.open("trim").expect("it is open").logs.get_mut(log.name()) {
            messages.drain(..messages.len() - 1);
        }
    }

    /// Appends a message of one's own making: with no word of the one before it, unless `after` says so.
    ///
    /// # Panics
    /// If the store was closed.
    pub fn append_to_log(&self, log: &Log, after: Option<Position>, revoked: &[&str]) {
        let revoked = revoked.iter().map(ToString::to_string).collect();
        let mut store = self.open("append").expect("it is open");
        store.append(log, None, Change::revoked(revoked), clock::now());
        store.logs.get_mut(log.name()).and_then(VecDeque::back_mut).expect("it was appended").after = after;
        drop(store);
        self.grown.notify_waiters();
    }
}

/// The contents of a [`Memory`] at one moment (feature `test-util`).
#[derive(Clone, Debug)]
pub struct Snapshot(Store);
