//! Looking an entry up by what the caller has at hand, so that a hit makes no owned key.

use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
};

/// What a call names an entry by: a reference to the key or to a borrowed form of it, or a tuple of references for a key
/// that is a tuple.
///
/// | key of the cache | looked up by |
/// |---|---|
/// | `u64` | `&7` |
/// | `String` | `"alice"`, `&name` |
/// | `(u64, String)` | `(&7, "alice")`, `&pair` |
///
/// Implement it for a borrowed form of a key type of your own; [`hash`](Self::hash) must agree with the key's.
#[diagnostic::on_unimplemented(
    message = "a key is looked up by reference, not by `{Self}`",
    label = "give a reference to the key, or a tuple of references",
    note = "`&7` for a `u64`, `\"alice\"` or `&name` for a `String`, `(&7, \"alice\")` or `&pair` for a `(u64, String)`"
)]
pub trait Lookup {
    /// The owned key.
    type Key;

    /// Feeds `state` just as [`Key`](Self::Key) does.
    fn hash<H: Hasher>(&self, state: &mut H);

    /// Whether this names `key`.
    fn matches(&self, key: &Self::Key) -> bool;

    /// Makes the owned key; called only when there is no hit in L1.
    fn to_key(&self) -> Self::Key;
}

impl<Q> Lookup for &Q
where
    Q: ToOwned + Hash + Eq + ?Sized,
{
    type Key = Q::Owned;

    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(*self, state);
    }

    #[inline]
    fn matches(&self, key: &Q::Owned) -> bool {
        key.borrow() == *self
    }

    fn to_key(&self) -> Q::Owned {
        (*self).to_owned()
    }
}

macro_rules! lookup_by_tuple {
    ($($part:ident $index:tt),+) => {
        impl<$($part),+> Lookup for ($(&$part,)+)
        where
            $($part: ToOwned + Hash + Eq + ?Sized),+
        {
            type Key = ($($part::Owned,)+);

            #[inline(always)]
            fn hash<H: Hasher>(&self, state: &mut H) {
                $(Hash::hash(self.$index, state);)+
            }

            #[inline]
            fn matches(&self, key: &Self::Key) -> bool {
                $(key.$index.borrow() == self.$index)&&+
            }

            fn to_key(&self) -> Self::Key {
                ($(self.$index.to_owned(),)+)
            }
        }
    };
}

lookup_by_tuple!(A 0);
lookup_by_tuple!(A 0, B 1);
lookup_by_tuple!(A 0, B 1, C 2);
lookup_by_tuple!(A 0, B 1, C 2, D 3);
lookup_by_tuple!(A 0, B 1, C 2, D 3, E 4);
lookup_by_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
lookup_by_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
lookup_by_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, I 7);
lookup_by_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, I 7, J 8);
lookup_by_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, I 7, J 8, K 9);
lookup_by_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, I 7, J 8, K 9, L 10);
lookup_by_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, I 7, J 8, K 9, L 10, M 11);

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    fn hash_of(state: &RandomState, lookup: &impl Lookup) -> u64 {
        let mut hasher = state.build_hasher();
        lookup.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn a_tuple_of_references_finds_what_the_owned_tuple_stored() {
        let state = RandomState::new();
        let owned = (7u64, "alice".to_owned());
        let lookup = (&7u64, "alice");
        assert_eq!(hash_of(&state, &lookup), hash_of(&state, &&owned));
        assert!(lookup.matches(&owned));
        assert!(!(&7u64, "alicE").matches(&owned));
        assert_eq!(lookup.to_key(), owned);
    }

    #[test]
    fn a_str_finds_a_string() {
        assert!(Lookup::matches(&"alice", &"alice".to_owned()));
        assert_eq!(Lookup::to_key(&"alice"), "alice".to_owned());
    }
}
