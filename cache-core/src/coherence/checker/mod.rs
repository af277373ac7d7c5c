//! An exhaustive checker of the protocol.
//!
//! It takes every step from every state of a small world: two processes, one key with one tag, up to four calls at a time,
//! one store, one origin, and where it matters a log and a clock. A counter-example is printed as the shortest schedule
//! that leads to it, each step with the world after it.
//!
//! # What is real, and what is a model
//! Decisions are those of production: each process has a [`Table`](super::table::Table), a
//! [`Ledger`](super::ledger::Ledger), an [`Outbox`](super::outbox::Outbox), a [`Follower`](super::follower::Follower) and
//! a [`Proof`](super::proof::Proof), each flight a [`Course`](super::course::Course), and entries are judged by
//! [`Present`](super::validity::Present). A model stands for what carries their effects out: L2 and the log by their
//! contract ([`store`], [`log`]), L1 as a place for one entry ([`process`]), the asynchronous code between the machines
//! ([`flight`], [`take`], [`writes`], [`follow`]). Each of its functions names the one that it
//! mirrors; a change there belongs here too.
//!
//! Values are versions of the origin, so "older" is a comparison. Epochs are names that nothing else in the world has. What
//! lasts, lasts until something else happens: a lease that expires and a record that is evicted are the same step, and
//! extending a lease is none. A load reads the origin at one instant, any time after it began.
//!
//! Where there is no log there is no time. Where there is one, time is a clock that ticks, now and then, for everyone at
//! once; what happens between two ticks happens at one moment, and what others have revoked may be served for one tick.
//! The lot of the one entry is a mark with a name of its own.
//!
//! # What happens
//! A request executes and its answer arrives in two steps, in between anything else may happen. It may be given up before it
//! executed, and then executes at any time later or never; or after, unheard. How often this and other mishaps happen is
//! bounded by a [`Budget`](setting::Budget); when calls begin and commits happen is not.
//!
//! A message of the log is applied at any time after it was appended, or never; the answer to a heartbeat arrives at any
//! time after it was given, or never. The log may lose messages, and the store may be succeeded by a server that lacks the
//! last invalidation. Between that and the first attachment nobody can know what was lost: what was promised before holds
//! again from then on.
//!
//! # What must hold
//! See [`Property`](property::Property). Some are invariants of every state, some are checked where a call is answered, one
//! where nothing can go on. Besides, each test names what it must have [seen](witness), and each rule of the protocol has a
//! [mutant](mutant) without it, which must break a property that otherwise holds in the same setting.
//!
//! # What is left out
//! - Steps whose order nobody can tell are taken in one order: an answer that concerns its flight alone is heard at once; a
//!   step that is the only one of its process, and touches nothing outside, is taken before all others
//!   ([`World::steps`](world::World::steps)).
//! - A commit is pointless once every invalidation has begun.
//! - Where there is a log, an invalidation that is all that ever happens in its process, and that can't fail, is one step:
//!   then it promises most. A heartbeat is answered by the store at the moment it is sent, and an attachment when it is
//!   found necessary: later answers prove the same by more. What is asked for after a pause is as of before the pause.
//! - The clock, the log and heartbeats matter only while a call may still be served from L1 or join a flight.
//! - What was read from the log of one server, and arrives after another one was attached to. A log that goes back while
//!   its server stays the same one. A record of the server that is lost. Warm caches that are kept across a failover.
//! - Guarded writes and hold-offs.
//! - Marks of caches, invalidations of a namespace, versions of a schema, several keys in one invalidation, negative
//!   entries, lifetimes, a runtime that is shut down under a flight.
//!
//! # Going deeper
//! `CHECK_DEPTH=1 cargo nextest run --release -p cache-core --lib checker` adds larger settings, and to those that have
//! mishaps one more of each kind. Each further level adds another one, at two to three times the states; five calls at a
//! time come with the third. Optimized, it takes two seconds for a million states, and about ten times as long otherwise.

mod explorer;
mod flight;
mod follow;
mod log;
mod mutant;
mod narrate;
mod process;
mod proofs;
mod property;
mod setting;
mod store;
mod take;
mod witness;
mod world;
mod writes;
