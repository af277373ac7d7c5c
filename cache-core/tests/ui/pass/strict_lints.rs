//! Generated code is no trouble to those who lint strictly.

#![deny(missing_docs, unused, unreachable_pub, missing_debug_implementations, missing_copy_implementations)]
#![deny(non_camel_case_types, unused_qualifications, unused_results, let_underscore_drop, elided_lifetimes_in_paths)]
#![deny(single_use_lifetimes, trivial_casts, unused_lifetimes, unused_parens, non_snake_case)]

use cache_core::{Stack, cached, invalidates};

/// A module.
pub mod users {
    use std::collections::HashMap;

    use super::{Stack, cached, invalidates};

    /// A user's name.
    #[cached(ttl = "5m", jitter = 0.2, when = org > 0, cache_none = false, tags = ["org:{org}"], skip(stack), stack = stack)]
    pub async fn name(org: u64, (row, column): (u8, u8), alias: &str, stack: &Stack) -> Option<String> {
        Some(format!("{org}{row}{column}{alias}"))
    }

    /// Where they are.
    #[cached(cache_if = |place| !place.is_empty(), validated, stack = stack, skip(stack))]
    pub async fn place(id: &u64, stack: &Stack) -> Result<String, std::fmt::Error> {
        Ok(id.to_string())
    }

    /// Changes the place.
    #[invalidates(place(&id, stack), tags = ["org:{id}"], before)]
    pub async fn leave(id: u64, stack: &Stack) -> Option<u64> {
        Some(id)
    }

    /// Changes the name.
    #[invalidates(place(&id, &stack), guarded)]
    pub async fn enter(id: u64, stack: Stack) -> cache_core::Result<()> {
        Ok(())
    }

    /// Someone.
    #[derive(Clone, Copy, Debug)]
    pub struct Someone {
        id: u64,
    }

    impl Someone {
        /// A cached method.
        #[cached(key = (self.id, place.len()), tags = ["place:{place}"])]
        pub async fn is_at(&self, place: &str) -> bool {
            place.is_empty()
        }

        /// A private one.
        #[cached(skip(self))]
        async fn count(&self) -> u64 {
            7
        }

        /// Changes both.
        #[invalidates(self.is_at("here"), self.count())]
        pub async fn move_on(&self) {}
    }

    /// Names of many.
    #[cached(batch, stack = Stack::global())]
    pub async fn names(ids: Vec<u64>) -> HashMap<u64, String> {
        ids.into_iter().map(|id| (id, id.to_string())).collect()
    }

    /// Lengths of many.
    #[cached(batch)]
    async fn lengths(mut words: Vec<String>) -> Result<HashMap<String, usize>, cache_core::Error> {
        words.sort();
        Ok(words.into_iter().map(|word| (word.clone(), word.len())).collect())
    }

    /// The length of one.
    pub async fn length(word: &str) -> Option<usize> {
        lengths::one(word.to_owned()).await.ok().flatten()
    }

    /// A rank.
    #[cached(key = (league, &*format!("{id}")), tags = [|rank| rank.clone()], default_on_error = league.to_owned(), to_the_end)]
    pub async fn rank(league: &str, id: u64) -> Result<String, std::fmt::Error> {
        Ok(format!("{league}{id}"))
    }

    /// Changes the rank.
    #[invalidates(rank(league, id), expire)]
    pub async fn win(league: &str, id: u64) {}

    /// Changes the rank elsewhere.
    #[invalidates(rank(league, id), hold_off = "2s")]
    pub async fn lose(league: &str, id: u64) {}

    /// Of a number.
    #[cached]
    pub fn digits(number: u64) -> usize {
        number.to_string().len()
    }

    /// How many there are.
    #[cached(key = org % 10)]
    pub(crate) async fn count<'a>(org: u64, prefix: &'a str) -> Result<usize, std::fmt::Error>
    where
        'a: 'a,
    {
        Ok(prefix.len())
    }
}

fn main() {
    drop(users::count(1, "a"));
}
