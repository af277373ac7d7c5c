//! What the arguments of a cached function, and the options that speak of them, have to be.

use std::{borrow::Borrow, hash::Hash, sync::Arc};

use super::gate::{Closed, Never, Open};
use crate::{cache::CacheKey, stack::Stack};

/// What a load can keep a copy of.
#[diagnostic::on_unimplemented(
    message = "a load can't keep a copy of a `{Self}`",
    label = "needs `Clone`, and to be `Send + Sync + 'static`",
    note = "a load outlives the call that began it, so it copies what is borrowed or named in an option; take an `Arc<_>` of what can't be copied"
)]
pub trait Kept<Way> {
    /// The copy's type.
    type Owned: Borrow<Self> + Send + Sync + 'static;

    /// Makes the copy.
    fn keep(&self) -> Self::Owned;
}

impl<T: ToOwned<Owned: Send + Sync + 'static> + ?Sized> Kept<Open> for T {
    type Owned = T::Owned;

    fn keep(&self) -> T::Owned {
        self.to_owned()
    }
}

impl<T: Never + ToOwned<Owned: Send + Sync + 'static> + ?Sized> Kept<Closed> for T {
    type Owned = T::Owned;

    fn keep(&self) -> T::Owned {
        self.to_owned()
    }
}

/// The copy of a borrowed argument, to be borrowed by the body.
pub type Lent<T> = Box<dyn Borrow<T> + Send + Sync>;

/// Copies a borrowed argument for a load.
pub fn lend<T: Kept<Way> + ?Sized, Way>(argument: &T) -> Lent<T> {
    Box::new(argument.keep())
}

/// What the body borrows.
pub fn lent<T: ?Sized>(copy: &Lent<T>) -> &T {
    (**copy).borrow()
}

/// Copies an argument that is still needed.
pub fn copy<T: Kept<Way, Owned = T>, Way>(argument: &T) -> T {
    argument.keep()
}

/// Copies an argument that is still needed, for a body that runs in the call.
#[inline]
pub fn again<T: Clone>(argument: &T) -> T {
    argument.clone()
}

/// What an argument has to be, to be a part of the key.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` can't be part of a cache key",
    label = "needs `Clone`, `Eq`, `Hash` and `serde::Serialize`, and to be `Send + Sync + 'static`",
    note = "derive what is missing, keep the argument out of the key by `skip(…)`, or name the key by `key = …`; a type parameter has it by the bound `cache_core::CacheKey`"
)]
pub trait KeyPart<Way> {
    /// `T`.
    type Pass<T>;

    /// Itself.
    fn pass<T>(t: T) -> Self::Pass<T>;
}

impl<P: ToOwned<Owned: CacheKey> + Hash + Eq + Sync + ?Sized> KeyPart<Open> for P {
    type Pass<T> = T;

    #[inline(always)]
    fn pass<T>(t: T) -> T {
        t
    }
}

impl<P: Never + ?Sized> KeyPart<Closed> for P {
    type Pass<T> = T;

    fn pass<T>(t: T) -> T {
        t
    }
}

/// Lets an argument into the key.
#[inline(always)]
pub fn key_part<P: KeyPart<Way> + ?Sized, Way>(part: &P) -> P::Pass<&P> {
    P::pass(part)
}

/// Evaluates `key = …`, in a closure so that the expression can't leave the function, and lets it be the key.
#[inline(always)]
pub fn key<K: KeyPart<Way>, Way>(key: impl FnOnce() -> K) -> K::Pass<K> {
    K::pass(key())
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

/// What an item of `tags = […]` may evaluate to.
#[diagnostic::on_unimplemented(
    message = "a tag is a text, and a `{Self}` is none",
    label = "neither a `String` nor something that can be made into one",
    note = "format it, or name the argument in a template: `tags = [\"org:{{org}}\"]`"
)]
pub trait Tag {
    /// Its text.
    fn into_text(self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Into<String>> Tag for T {
    fn into_text(self) -> String {
        self.into()
    }
}

/// Evaluates an item of `tags = […]`.
pub fn tag(tag: impl Tag) -> String {
    tag.into_text()
}

/// What a closure in `tags = […]` may return.
#[diagnostic::on_unimplemented(
    message = "a tag is a text, and a `{Self}` is none",
    label = "neither a text, nor a `Vec`, an array or an `Option` of texts",
    note = "format it: `tags = [|user| format!(\"team:{{}}\", user.team)]`"
)]
pub trait Tags {
    /// Their texts.
    fn into_texts(self) -> Vec<String>;
}

macro_rules! one_tag {
    ($($text:ty),+) => {
        $(impl Tags for $text {
            fn into_texts(self) -> Vec<String> {
                vec![self.into()]
            }
        })+
    };
}

one_tag!(String, &String, &str);

macro_rules! many_tags {
    ($($texts:ty $([$count:ident])?),+) => {
        $(impl<T: Into<String> $(, const $count: usize)?> Tags for $texts {
            fn into_texts(self) -> Vec<String> {
                self.into_iter().map(Into::into).collect()
            }
        })+
    };
}

many_tags!(Vec<T>, Option<T>, [T; N][N]);

/// Evaluates a closure in `tags = […]`.
pub fn tags_of<'v, V, T: Tags>(value: &'v V, tags: impl FnOnce(&'v V) -> T) -> Vec<String> {
    tags(value).into_texts()
}

/// What `cache = …` may evaluate to.
#[diagnostic::on_unimplemented(
    message = "the name of a cache is a text, and a `{Self}` is none",
    label = "neither a `String` nor something that can be made into one",
    note = "write it out, or give an expression: `cache = T::TABLE`, `cache = format!(…)`"
)]
pub trait CacheName {
    /// The text.
    fn into_text(self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Into<String>> CacheName for T {
    fn into_text(self) -> String {
        self.into()
    }
}

/// Evaluates `cache = …`.
pub fn cache_name(name: impl CacheName) -> String {
    name.into_text()
}
