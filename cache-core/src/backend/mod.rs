//! What a shared store must do to be L2: the contract that `Memory` and Redis are held to.
//!
//! The operations are those of the coherence protocol, not `get` and `set`, so that a store needs to know nothing of
//! codecs, policies or flights, and the protocol nothing of Lua. Seven rules carry every promise; the conformance suite
//! (feature `test-util`) checks them:
//!
//! 1. **Absence denies.** A missing mark is unknown, never "unchanged"; a missing lease permits no fill.
//! 2. **A lease is lock and fence.** [`fill`](Backend::fill) stores only while its token is the one in the store.
//! 3. **An invalidation ends leases.** [`invalidate`](Backend::invalidate) removes an entry *and its lease*, in every
//!    live version of its cache, before it answers.
//! 4. **Each operation is atomic** towards every other one.
//! 5. **Epochs are stored with the entry** by the backend, byte for byte as given, and are compared by the caller.
//! 6. **Every invalidation is a message.** What [`invalidate`](Backend::invalidate) and [`put`](Backend::put) take away is
//!    appended to the namespace's log in the same step, after the message that was the last one, and names it.
//! 7. **A guard denies.** While one is open on a key, no lease is granted for it and nothing is stored under it.
//!
//! Losing any record at any time (an eviction, a restart) must only ever turn hits into misses and fills into refusals.
//!
//! A backend bounds the time of its own calls where it can; the stack adds a deadline and a circuit breaker round each
//! of them. Any future of a backend may be dropped at any point: the operation then took effect or it did not.

mod few;
mod log;
mod memory;

#[cfg(feature = "test-util")]
pub use self::memory::Snapshot;
pub use self::{
    few::Few,
    log::{Attach, Attached, Follow, Message, Position, Pulse},
    memory::Memory,
};

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    error::{Error, ErrorKind, Result},
    key::{EntryKey, Log, Mark},
    token::{EntryId, Epoch, LeaseToken, ProcessId},
};

/// A shared store. See the [module](self) for the rules.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Reads an entry and the marks that judge it, in one round trip.
    async fn read(&self, ask: Read<'_>) -> Result<Found>;

    /// Asks for the right to load an entry.
    ///
    /// In one atomic step: gives missing marks a fresh random epoch and makes all of them outlive `retain`, registers
    /// the key's version with the mark of its cache, and then
    /// - returns [`LeaseReply::Found`] if an entry is there that the caller has not seen
    ///   ([`Claim::Join`] with another id than its own),
    /// - returns [`LeaseReply::Guarded`] if a guard is open on the key, or a hold-off on one of the marks,
    /// - returns [`LeaseReply::Held`] if another token holds the lease, unless the claim is [`Claim::Take`],
    /// - or else writes `token` as the lease for `ttl` and returns [`LeaseReply::Granted`] with the epochs.
    async fn lease(&self, ask: Lease<'_>) -> Result<LeaseReply>;

    /// Makes a lease last `ttl` from now, if `token` still holds it; says whether it does.
    async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration) -> Result<bool>;

    /// Stores an entry if `token` still holds the lease, with its expiry in the same step. The lease ends here, whether
    /// the entry was stored or refused.
    async fn fill(&self, fill: Fill<'_>) -> Result<FillReply>;

    /// Ends a lease if `token` still holds it.
    async fn release(&self, key: &EntryKey, token: LeaseToken) -> Result<()>;

    /// Stores an entry whatever was there, with the epochs its marks have in this step (a missing one gets a fresh
    /// one), and ends whichever lease there was, so that no load in flight overwrites it. Registers the key's version
    /// as a lease does. Blind: the last one wins. Appends the entry's name to the log.
    ///
    /// Refused while a guard is open on the key or a hold-off on one of the marks.
    async fn put(&self, put: Put<'_>) -> Result<FillReply>;

    /// Removes entries with their leases, in every version that is registered with their cache, and removes marks, so
    /// that nothing stored under them is ever valid again. Each mark costs O(1), however many entries carry it.
    ///
    /// Whenever `marks` has a tag, `any_tag` is removed too. What was removed is appended to the log: for each key the name
    /// of its entry in the version that was removed, for each mark its name (but not `any_tag`). Where a batch is too large
    /// for one step, each step appends what it removed.
    /// Works while the store refuses to grow: that is when it is needed most.
    ///
    /// Returns the position of the last message; `None` if there was nothing to do.
    async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>>;

    /// Marks entries as stale, in every version that is registered with their cache, and ends their leases, so that nothing
    /// that is being loaded is stored. Gives each of `tags` a fresh epoch, and remembers at least the one before as
    /// [expired](Found::expired); a missing one stays missing. Where a tag is named, `any_tag` is removed. Entries, tags and
    /// what they live for are left as they are otherwise. Appended to the log as [expired](Message::expired).
    ///
    /// Returns as [`invalidate`](Self::invalidate) does. The default is that: safe, but nothing is left to be served, and so not
    /// what the conformance suite asks for.
    async fn expire(&self, what: Expire<'_>) -> Result<Option<Position>> {
        let Expire { keys, tags, any_tag, log, from } = what;
        self.invalidate(Invalidate { keys, marks: tags, any_tag, guard: None, log, from }).await
    }

    /// Prepares to follow the log of a namespace, and fails closed where the store may have lost what it had acknowledged.
    ///
    /// In one atomic step: if the server that is recorded for the namespace is not the one that answers, or none is recorded,
    /// it is recorded, the mark of the namespace is removed (unless the caller wants to [keep](Attach::keep) what is there)
    /// and the removal appended to the log; if there is no log, an empty message begins one; the fleet's largest
    /// `max_staleness` is raised to the caller's.
    ///
    /// The default is [`ErrorKind::Unsupported`]: a store without a log. Its stacks then ask L2
    /// about each entry of L1 that is older than their `max_staleness`.
    async fn attach(&self, _ask: Attach<'_>) -> Result<Attached> {
        Err(unsupported("attach"))
    }

    /// How things stand with the log and the server, in one round trip.
    async fn beat(&self, _log: &Log) -> Result<Pulse> {
        Err(unsupported("beat"))
    }

    /// The messages of the log after a position, oldest first, at most [`Follow::most`]. Waits for one for `wait` if there is
    /// none, without keeping other calls waiting. A log that is not there has no messages.
    async fn follow(&self, _ask: Follow<'_>) -> Result<Vec<Message>> {
        Err(unsupported("follow"))
    }

    /// Asks the store for a sign of life. A permanent error ([`ErrorKind::Denied`],
    /// [`ErrorKind::Unsupported`]) means that waiting won't help.
    async fn probe(&self) -> Result<()>;

    /// Gives up connections. Later calls fail with [`ErrorKind::Closed`].
    async fn close(&self);

    /// A short name for metrics and messages, such as `"redis"`.
    fn name(&self) -> &'static str;
}

fn unsupported(operation: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, operation).context("this backend keeps no log")
}

/// What [`Backend::read`] is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The entry, in the key's own version.
    pub key: &'a EntryKey,
    /// The marks whose epochs are wanted.
    pub marks: &'a [Mark],
    /// How much of the entry is wanted.
    pub part: Part,
}

/// How much of an entry a read wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// All of it.
    Whole,
    /// All but the frame, which may be left out or cut short: the caller has it, and asks whether it is still the one. If
    /// the entry's epochs are not as many as the marks that are asked for, they may be cut short too.
    Head,
}

/// What a store has of an entry.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The entry, unless it is missing or has expired.
    pub entry: Option<Stored>,
    /// The epoch of each mark that was asked for, in that order; `None` for a missing one.
    pub epochs: Few<Option<Epoch>>,
    /// Earlier epochs of those marks, all together: what was stored under one is stale, but was not revoked.
    pub expired: Vec<Epoch>,
}

/// An entry as a store keeps it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Which write this is. All zeros if what is stored was not written by this library.
    pub id: EntryId,
    /// Its time to live, no longer than it was when the request was sent. `None` if the store gives it no end, or one
    /// that does not belong to it: it must not be kept.
    pub remaining: Option<Duration>,
    /// The epochs that it was stored with, in the order of its marks.
    pub epochs: Few<Epoch>,
    /// Whether it was marked as stale since.
    pub expired: bool,
    /// The bytes that were stored: untrusted.
    pub frame: Bytes,
}

/// What [`Backend::lease`] is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Lease<'a> {
    /// The entry, in the key's own version.
    pub key: &'a EntryKey,
    /// The token that shall hold the lease.
    pub token: LeaseToken,
    /// How long it shall live, unless it is extended.
    pub ttl: Duration,
    /// What to do about an entry or a lease that is there.
    pub claim: Claim,
    /// The marks whose epochs the load is to capture.
    pub marks: &'a [Mark],
    /// The least time that marks of tags must live on.
    pub retain: Duration,
}

/// What a lease does about what is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Claim {
    /// Leave an entry that is not the one seen (and found useless) before, and another's lease.
    Join {
        /// The entry that the caller has seen and can't use.
        seen: Option<EntryId>,
    },
    /// Take the lease from whoever holds it, and look at no entry: a forced refresh.
    Take,
}

/// Answer to [`Backend::lease`].
#[derive(Clone, Debug)]
pub enum LeaseReply {
    /// The token holds the lease. The marks' epochs, in the order asked.
    Granted {
        /// As they were before the load could begin.
        epochs: Vec<Epoch>,
    },
    /// Another token holds it for `remaining`, if it is not extended.
    Held {
        /// Its remaining time to live.
        remaining: Duration,
    },
    /// An entry that the caller has not seen is there. The lease was not touched.
    Found(Found),
    /// A guard is open on the key, or a hold-off on one of the marks: what is loaded now must be kept nowhere.
    Guarded,
}

/// What [`Backend::fill`] is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Fill<'a> {
    /// The entry, in the key's own version.
    pub key: &'a EntryKey,
    /// The token of the lease under which it was loaded.
    pub token: LeaseToken,
    /// The name of this write.
    pub id: EntryId,
    /// The epochs captured before the load, stored in this order…
    pub epochs: &'a [Epoch],
    /// …followed by the present ones of the marks that only the loader knew (missing ones get a fresh one).
    pub late: Option<Late<'a>>,
    /// The bytes to store.
    pub frame: &'a Bytes,
    /// Time to live of the entry, at least a millisecond.
    pub ttl: Duration,
}

/// Marks that were not known before the load.
#[derive(Clone, Copy, Debug)]
pub struct Late<'a> {
    /// The marks, at least one.
    pub marks: &'a [Mark],
    /// The namespace's [`any_tag`](crate::key::Namespace::any_tag) mark and its epoch as captured by the lease. If it
    /// changed since, some tag was invalidated during the load, and the fill is refused.
    pub unchanged: (&'a Mark, Epoch),
    /// The least time that the marks must live on.
    pub retain: Duration,
}

/// Answer to [`Backend::fill`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FillReply {
    /// It is stored.
    Stored,
    /// The lease was gone, a late mark may have changed, or a guard is open: it is not stored.
    Refused,
}

/// What [`Backend::put`] is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// The entry, in the key's own version.
    pub key: &'a EntryKey,
    /// The name of this write.
    pub id: EntryId,
    /// Its marks, in the order in which their epochs are stored.
    pub marks: &'a [Mark],
    /// The bytes to store.
    pub frame: &'a Bytes,
    /// Time to live of the entry, at least a millisecond.
    pub ttl: Duration,
    /// The least time that marks of tags must live on.
    pub retain: Duration,
    /// Where it is announced.
    pub log: &'a Log,
    /// By whom.
    pub from: ProcessId,
}

/// What [`Backend::invalidate`] is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Invalidate<'a> {
    /// Entries to remove, with their leases.
    pub keys: &'a [EntryKey],
    /// Marks to remove.
    pub marks: &'a [Mark],
    /// The namespace's [`any_tag`](crate::key::Namespace::any_tag) mark.
    pub any_tag: &'a Mark,
    /// What else happens in the same step.
    pub guard: Option<Guard>,
    /// Where it is announced.
    pub log: &'a Log,
    /// By whom.
    pub from: ProcessId,
}

/// What [`Backend::expire`] is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Expire<'a> {
    /// Entries to mark as stale.
    pub keys: &'a [EntryKey],
    /// Tags whose entries are stale from now on.
    pub tags: &'a [Mark],
    /// The namespace's [`any_tag`](crate::key::Namespace::any_tag) mark.
    pub any_tag: &'a Mark,
    /// Where it is announced.
    pub log: &'a Log,
    /// By whom.
    pub from: ProcessId,
}

/// What an invalidation does about guards, which keep everything from being cached under a key in any version.
///
/// A key may have any number of guards. Each ends by itself when its time is over; opening it again prolongs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guard {
    /// Opens a guard on each of the keys. Marks are not touched by it.
    Open {
        /// Its name.
        token: LeaseToken,
        /// How long it lives, unless it is opened again.
        ttl: Duration,
    },
    /// Closes it.
    Close {
        /// Its name.
        token: LeaseToken,
    },
    /// Opens one that nobody closes, on the keys and on the marks: for so long nothing that has them is cached. On a mark
    /// this is a record that is no epoch, so that the mark counts as missing, and that other invalidations leave in place.
    Hold {
        /// How long.
        ttl: Duration,
    },
}
