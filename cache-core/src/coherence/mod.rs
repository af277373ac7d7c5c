//! The coherence protocol, with no I/O in it: events in, effects out, time and randomness handed in.
//!
//! Small machines, each with one question to answer:
//!
//! - [`course`]: what does a flight do next? (read L2, ask for a lease, wait, load, fill, end)
//! - [`table`]: which operations on a key are under way, who may join them, and was one superseded?
//! - [`ledger`]: was anything invalidated, by tag or as a whole, since an entry's load began?
//! - [`outbox`]: which invalidations has L2 not heard of yet, so that it must not be believed?
//! - [`validity`]: may an entry that L2 has be believed?
//! - [`follower`]: what do we know of the invalidations of others, and as of when?
//! - [`proof`]: is what we hold proven fresh enough to be served?
//!
//! They hold four invariants between them.
//!
//! **Admission.** A value enters L1 only if no invalidation that touches it was applied here since its flight was
//! registered, and flights are registered before L2 or the origin is asked. [`Table::finish`](table::Table::finish) and
//! the insert into L1 are one critical section; the ledger needs none, because an entry carries its birth with it and
//! dies by comparison.
//!
//! **Joining is serving.** A flight is joined only by calls that could also have been given its value had it been in L1:
//! one that was registered before an invalidation is never joined by a call that began after it.
//!
//! **Proof.** Nothing is served from here, and no flight joined, that is not known to have been current, or this process
//! to have heard of all invalidations, within the last `max_staleness`. A heartbeat proves what was so when it was sent.
//!
//! **Absence denies.** A fill needs its lease token in the store, an entry needs all its marks there, byte for byte. What
//! was lost permits nothing.

#[cfg(test)]
mod checker;
pub(crate) mod course;
pub(crate) mod follower;
#[cfg(all(test, shuttle))]
mod interleavings;
pub(crate) mod ledger;
pub(crate) mod outbox;
pub(crate) mod proof;
pub(crate) mod table;
pub(crate) mod validity;
