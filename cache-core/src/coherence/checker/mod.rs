//! An exhaustive checker of the protocol.
//!
//! It takes every step from every state of a small world: two processes, one key with one tag, up to four calls at a time,
//! one store, one origin. A counter-example is printed as the shortest schedule that leads to it, each step with the world
//! after it.
//!
//! # What is real, and what is a model
//! Decisions are those of production: each process has a [`Table`](super::table::Table), a
//! [`Ledger`](super::ledger::Ledger) and an [`Outbox`](super::outbox::Outbox), each flight a
//! [`Course`](super::course::Course), and entries are judged by [`Present`](super::validity::Present). A model stands for
//! what carries their effects out: L2 by its contract ([`store`]), L1 as a place for one entry ([`process`]), the
//! asynchronous code between the machines ([`flight`], [`take`], [`writes`]). Each of its functions names the one that it
//! mirrors; a change there belongs here too.
//!
//! Values are versions of the origin, so "older" is a comparison. Epochs are names that nothing else in the world has. There
//! is no time: what lasts, lasts until something else happens. A lease that expires and a record that is evicted are the
//! same step, and extending a lease is none. A load reads the origin at one instant, any time after it began.
//!
//! # What happens
//! A request executes and its answer arrives in two steps, in between anything else may happen. It may be given up before it
//! executed, and then executes at any time later or never; or after, unheard. How often this and other mishaps happen is
//! bounded by a [`Budget`](setting::Budget); when calls begin and commits happen is not.
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
//! - Namespace and cache marks, versions of a schema, several keys in one invalidation, negative entries, lifetimes, a
//!   runtime that is shut down under a flight.
//! - Staleness in *other* processes than the one that invalidates is not bounded by the protocol as it stands, so nothing
//!   is checked about their L1 but what they invalidated themselves.
//!
//! # Going deeper
//! `CHECK_DEPTH=1 cargo nextest run --release -p cache-core --lib checker` adds larger settings, and to those that have
//! mishaps one more of each kind. Each further level adds another one, at two to three times the states; five calls at a
//! time come with the third. Optimized, it takes two seconds for a million states, and about ten times as long otherwise.

mod explorer;
mod flight;
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
