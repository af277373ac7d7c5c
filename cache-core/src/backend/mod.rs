//! What a shared store must do to be L2: the contract that `Memory` and Redis are held to.
//!
//! The operations are those of the coherence protocol, not `get` and `set`, so that a store needs to know nothing of
//! codecs, policies or flights, and the protocol nothing of Lua. Five rules carry every promise; the conformance suite
//! (feature `test-util`) checks them:
//!
//! 1. **Absence denies.** A missing mark is unknown, never "unchanged"; a missing lease permits no fill.
//! 2. **A lease is lock and fence.** [`fill`](Backend::fill) stores only while its token is the one in the store.
//! 3. **An invalidation ends leases.** [`invalidate`](Backend::invalidate) removes an entry *and its lease*, in every
//!    live version of its cache, before it answers.
//! 4. **Each operation is atomic** towards every other one.
//! 5. **Epochs are stored with the entry** by the backend, byte for byte as given, and are compared by the caller.
//!
//! Losing any record at any time (an eviction, a restart) must only ever turn hits into misses and fills into refusals.
//!
//! A backend bounds the time of its own calls where it can; the stack adds a deadline and a circuit breaker round each
//! of them. Any future of a backend may be dropped at any point: the operation then took effect or it did not.

mod memory;

pub use memory::Memory;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    error::Result,
    key::{EntryKey, Mark},
    token::{EntryId, Epoch, LeaseToken},
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
    /// as a lease does. Blind: the last one wins.
    async fn put(&self, put: Put<'_>) -> Result<()>;

    /// Removes entries with their leases, in every version that is registered with their cache, and removes marks, so
    /// that nothing stored under them is ever valid again. Each mark costs O(1), however many entries carry it.
    ///
    /// Whenever `marks` has a tag, `any_tag` is removed too.
    /// Works while the store refuses to grow: that is when it is needed most.
    async fn invalidate(&self, what: Invalidate<'_>) -> Result<()>;

    /// Asks the store for a sign of life. A permanent error ([`ErrorKind::Denied`](crate::ErrorKind::Denied),
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported)) means that waiting won't help.
    async fn probe(&self) -> Result<()>;

    /// Gives up connections. Later calls fail with [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    async fn close(&self);

    /// A short name for metrics and messages, such as `"redis"`.
    fn name(&self) -> &'static str;
}

/// What [`Backend::read`] is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The entry, in the key's own version.
    pub key: &'a EntryKey,
    /// The marks whose epochs are wanted.
    pub marks: &'a [Mark],
}

/// What a store has of an entry.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The entry, unless it is missing or has expired.
    pub entry: Option<Stored>,
    /// The epoch of each mark that was asked for, in that order; `None` for a missing one.
    pub epochs: Vec<Option<Epoch>>,
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
    pub epochs: Vec<Epoch>,
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
    /// The lease was gone, or a late mark may have changed: it is not stored.
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
}
