//! What the arguments of a cached function, and the options that speak of them, have to be.

use std::{borrow::Borrow, hash::Hash, sync::Arc};

use crate::{cache::CacheKey, stack::Stack};

/// What a load can keep a copy of.
#[diagnostic::on_unimplemented(
    message = "a load can't keep a copy of a `{Self}`",
    label = "an argument that is borrowed, or is part of the key, has to be `Clone`",
    note = "a load outlives the call that began it; derive `Clone`, or take an `Arc<_>`"
)]
pub trait Argument {
    /// The copy.
    type Kept;

    /// Makes the copy.
    fn keep(&self) -> Self::Kept;

    /// Lends it to the body.
    fn lend(kept: &Self::Kept) -> &Self;
}

#[diagnostic::do_not_recommend]
impl<T: ToOwned + ?Sized> Argument for T {
    type Kept = T::Owned;

    fn keep(&self) -> T::Owned {
        self.to_owned()
    }

    fn lend(kept: &T::Owned) -> &T {
        kept.borrow()
    }
}

/// What an argument has to be, to be a part of the key.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` can't be part of a cache key",
    label = "needs `Clone`, `Eq`, `Hash` and `serde::Serialize`, and to be `Send + Sync + 'static`",
    note = "derive what is missing, keep the argument out of the key by `skip(…)`, or name the key by `key = …`"
)]
pub trait KeyPart: ToOwned + Hash + Eq {}

#[diagnostic::do_not_recommend]
impl<T: ToOwned<Owned: CacheKey> + Hash + Eq + ?Sized> KeyPart for T {}

/// Checks one argument by itself, so that a message points at it and not at the whole key.
#[inline(always)]
pub const fn key_part<T: KeyPart + ?Sized>(part: &T) -> &T {
    part
}

/// Evaluates `key = …`. It is a closure's, so that the expression can't leave the function.
#[inline(always)]
pub fn key<K: CacheKey>(key: impl FnOnce() -> K) -> K {
    key()
}

/// What `stack = …` may evaluate to.
#[diagnostic::on_unimplemented(
    message = "`stack = …` of `#[cached]` gives a `Stack` or a reference to one, not a `{Self}`",
    label = "not a `Stack`"
)]
pub trait AsStack {
    /// The stack.
    fn as_stack(&self) -> &Stack;
}

impl AsStack for Stack {
    fn as_stack(&self) -> &Stack {
        self
    }
}

impl<T: AsStack + ?Sized> AsStack for &T {
    fn as_stack(&self) -> &Stack {
        (**self).as_stack()
    }
}

impl<T: AsStack + ?Sized> AsStack for Arc<T> {
    fn as_stack(&self) -> &Stack {
        (**self).as_stack()
    }
}
