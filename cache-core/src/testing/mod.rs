//! For tests of backends and of what is built on them (feature `test-util`).
//!
//! - [`conformance`]: the contract of [`backend`](crate::backend) as a suite of named checks.
//! - [`Faulty`]: a backend that fails, hangs or stands still on command.
//! - [`seed`](fn@seed): makes tokens and jitter of one thread repeat.
//! - [`Names`]: keys and marks that nobody else uses.
//! - [`history`]: what callers saw, held against [the contract](crate::consistency).
//! - [`Dice`]: chance that repeats, for runs that are drawn from a seed.

pub mod conformance;
mod dice;
mod faulty;
pub mod history;
mod names;
mod seed;

pub use dice::Dice;
pub use faulty::{Faults, Faulty, Gate, Moment, Operation};
pub use names::Names;
pub use seed::seed;
pub(crate) use seed::{is_seeded, seeded_bits, seeded_bytes};
