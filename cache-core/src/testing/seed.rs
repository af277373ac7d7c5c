//! Chance that repeats, for simulations.

use std::cell::Cell;

use crate::token::split_mix;

thread_local! {
    /// The state of this thread's generator; none while the thread draws as production does.
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on the tokens, the jitter and the hashers that are drawn in this thread follow from `seed`, so that a run on tokio's
/// single-threaded runtime and paused clock can be had again. Never for anything that others share: who knows the seed
/// knows every token.
///
/// What it does not reach: `tokio::select!` without `biased`, `tokio::sync::watch`'s order of waking, and the order of
/// `HashMap`s. A simulation must not depend on those.
pub fn seed(seed: u64) {
    STATE.set(Some(seed));
}

/// The next number of this thread's generator (splitmix64), if it was seeded.
pub(crate) fn seeded_bits() -> Option<u64> {
    let (state, bits) = split_mix(STATE.get()?);
    STATE.set(Some(state));
    Some(bits)
}

pub(crate) fn is_seeded() -> bool {
    STATE.get().is_some()
}

/// As [`seeded_bits`], enough for a token.
pub(crate) fn seeded_bytes() -> Option<[u8; 16]> {
    let (high, low) = (seeded_bits()?, seeded_bits()?);
    Some(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{EntryId, random_unit};

    fn draw() -> (EntryId, EntryId, f64) {
        (EntryId::random(), EntryId::random(), random_unit())
    }

    #[test]
    fn one_seed_draws_the_same_in_each_thread_and_another_does_not() {
        let drawn = |number| std::thread::spawn(move || (seed(number), draw()).1).join().unwrap();
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_ne!(drawn(7).0, drawn(7).1);
    }

    #[test]
    fn a_thread_that_was_not_seeded_draws_from_the_system() {
        std::thread::spawn(|| assert_eq!(seeded_bits(), None)).join().unwrap();
    }
}
