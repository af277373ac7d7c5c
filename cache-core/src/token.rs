//! Random marks: the only currency of permission in the coherence protocol.
//!
//! Every permission to cache is a random token that must still be there. None of them is a clock or a counter, so none
//! can come round again after it was lost.

use std::{
    cell::Cell,
    fmt,
    hash::{BuildHasher, RandomState},
};

use foldhash::{SharedSeed, quality::SeedableRandomState};

macro_rules! random_token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Draws a new one from the operating system's generator.
            #[must_use]
            pub fn random() -> Self {
                Self(random_bytes())
            }

            /// Draws so many new ones, for which the operating system is asked once.
            #[must_use]
            pub fn random_many(count: usize) -> Vec<Self> {
                let mut tokens = vec![[0; 16]; count];
                fill(&mut tokens);
                tokens.into_iter().map(Self).collect()
            }

            /// The bytes as they are stored.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// One that was read back from a store.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:016x}…)"), u128::from_be_bytes(self.0) >> 64)
            }
        }
    };
}

random_token! {
    /// The state of a tag, a cache or a namespace in L2. Equal means "nothing was invalidated since"; missing means
    /// "unknown", so a fresh one is set and everything older misses.
    Epoch
}

random_token! {
    /// A lease in L2: the right to load one key and to store what was loaded, for as long as the token is still there.
    LeaseToken
}

random_token! {
    /// Names one write of an entry, so that a reader who could not use it can say which one it saw.
    EntryId
}

random_token! {
    /// One process of the fleet, or one stack in it: who sent a message of the [log](crate::key::Log).
    ProcessId
}

random_token! {
    /// One run of one server in one role. Another one means a restart or a promotion: acknowledged writes may be lost.
    ServerId
}

pub(crate) fn random_bytes() -> [u8; 16] {
    let mut one = [[0; 16]];
    fill(&mut one);
    one[0]
}

fn fill(tokens: &mut [[u8; 16]]) {
    #[cfg(feature = "test-util")]
    if crate::testing::is_seeded() {
        return tokens.fill_with(|| crate::testing::seeded_bytes().expect("it is seeded"));
    }
    getrandom::fill(tokens.as_flattened_mut()).expect("the operating system has a random generator");
}

/// A uniform number in `[0, 1)`, for jitter: cheap, and no secret.
pub(crate) fn random_unit() -> f64 {
    #[cfg(feature = "test-util")]
    if let Some(bits) = crate::testing::seeded_bits() {
        return unit(bits);
    }
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(()));
    }
    let (state, bits) = split_mix(STATE.get());
    STATE.set(state);
    unit(bits)
}

/// The next state of a generator, and the number that it gives: each step of Weyl's sequence, mixed. "Fast Splittable Pseudorandom
/// Number Generators", Steele, Lea and Flood, 2014.
pub(crate) const fn split_mix(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state, mixed ^ (mixed >> 31))
}

/// A hasher whose collisions nobody outside can foresee.
pub(crate) fn random_hasher() -> SeedableRandomState {
    #[cfg(feature = "test-util")]
    if let Some(bits) = crate::testing::seeded_bits() {
        return hasher(bits);
    }
    hasher(RandomState::new().hash_one(()))
}

/// The hasher of a seed; in another process it is another.
pub(crate) fn hasher(seed: u64) -> SeedableRandomState {
    #[cfg(feature = "test-util")]
    if crate::testing::is_seeded() {
        return SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
    }
    SeedableRandomState::with_seed(seed, SharedSeed::global_random())
}

fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_survive_their_bytes() {
        let token = LeaseToken::random();
        assert_ne!(token, LeaseToken::random());
        assert_eq!(token, LeaseToken::from_bytes(*token.as_bytes()));
    }

    #[test]
    fn a_unit_is_in_range() {
        let units: Vec<f64> = (0..1000).map(|_| random_unit()).collect();
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
        let mean = units.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean} is no mean of a uniform number");
    }
}
