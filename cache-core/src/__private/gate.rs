//! Bounds that are reported once, in words of their own.
//!
//! A gate is a trait with two implementations for every type: one under the bounds in question, one under a bound that
//! nothing meets. For a type that lacks something neither is left, so the compiler says what the gate has to say, and not
//! which of the bounds failed where. And since the gate's associated type is then unknown, so is what it let through, and
//! nothing that is made of it is complained about any more.

/// The way of those who meet the bounds.
pub enum Open {}

/// The way of nobody.
pub enum Closed {}

/// Implemented by nothing.
pub trait Never {}
