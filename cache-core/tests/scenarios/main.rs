//! What must hold, on the in-process backend: one test for each scenario (`a…`) and race (`race_…`), by theme.
//!
//! Several stacks on one store play the processes of a fleet. Races are built from gates, time is tokio's paused clock.

#![cfg(test)]
#![cfg(feature = "test-util")]

mod fleet;

mod ahead;
mod batch;
mod cancellation;
mod coherence;
mod compression;
mod control;
mod events;
mod failure;
mod guards;
mod keys;
mod log;
mod overload;
mod races;
mod seal;
mod shutdown;
mod stale;
mod stampede;
mod table;
mod tiers;
mod time;
mod warm;
mod write;
