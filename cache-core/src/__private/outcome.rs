//! What a function's return type means to the cache, found out by trait selection: aliases make no difference.
//!
//! `(&&&Returns::<R>::new()).outcome()` takes the first of three implementations that applies, since a method is looked
//! for with as few dereferences as will do: a `Result` whose error can be made of the cache's, any `Result`, any type.

use std::{convert::Infallible, marker::PhantomData, pin::Pin, sync::Arc};

use super::gate::{Closed, Never, Open};
use crate::{
    cache::{Cache, CacheValue},
    error::{Error, ErrorKind, LoadError},
};

/// How a return type falls into a value to cache and an error to pass on.
pub trait Outcome: Sized + 'static {
    /// What the function returns.
    type Return: 'static;
    /// What is cached.
    type Value: 'static;
    /// What is not.
    type Error: Send + Sync + 'static;

    /// Itself; it is of a size of zero.
    fn it() -> Self;

    /// Takes apart what the body returned. An error becomes a part of the value where it is one that is to be remembered.
    fn split(returned: Self::Return, remembers: fn(&Self::Error) -> bool) -> Result<Self::Value, Self::Error>;

    /// Whether the value is a remembered error.
    fn is_error(_: &Self::Value) -> bool {
        false
    }

    /// Makes what the function returns.
    ///
    /// # Panics
    /// If the load failed by itself (a panic, a deadline, recursion) and the return type can't say so.
    fn join(answer: Result<Self::Value, LoadError<Self::Error>>) -> Self::Return
    where
        Self::Error: Clone;
}

/// What everyone who waited for a load that failed can be given.
#[diagnostic::on_unimplemented(
    message = "the error `{Self}` of a cached function can't be shared",
    label = "needs `Clone`, and to be `Send + Sync + 'static`",
    note = "one load serves many callers, and each of them is given its error; derive `Clone` for the error, or return `Result<_, Arc<{Self}>>`"
)]
pub trait Shared<Way> {
    /// `T`.
    type Pass<T>;

    /// Itself.
    fn pass<T>(t: T) -> Self::Pass<T>;
}

impl<E: Clone + Send + Sync + 'static> Shared<Open> for E {
    type Pass<T> = T;

    #[inline(always)]
    fn pass<T>(t: T) -> T {
        t
    }
}

impl<E: Never> Shared<Closed> for E {
    type Pass<T> = T;

    fn pass<T>(t: T) -> T {
        t
    }
}

/// What can be cached.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` can't be cached",
    label = "needs `Clone`, `serde::Serialize` and `serde::Deserialize`, and to be `Send + Sync + 'static`",
    note = "derive what is missing, or return a type that has it; a type parameter has it by the bound `cache_core::CacheValue`"
)]
pub trait Value<Way> {
    /// `T`.
    type Pass<T>;

    /// Itself.
    fn pass<T>(t: T) -> Self::Pass<T>;
}

impl<V: CacheValue> Value<Open> for V {
    type Pass<T> = T;

    #[inline(always)]
    fn pass<T>(t: T) -> T {
        t
    }
}

impl<V: Never> Value<Closed> for V {
    type Pass<T> = T;

    fn pass<T>(t: T) -> T {
        t
    }
}

/// Lets a return type into a call.
#[inline(always)]
pub fn outcome<O, V, E>(outcome: O) -> <O::Error as Shared<E>>::Pass<<O::Value as Value<V>>::Pass<O>>
where
    O: Outcome<Value: Value<V>, Error: Shared<E>>,
{
    <O::Error as Shared<E>>::pass(<O::Value as Value<V>>::pass(outcome))
}

/// A return type, yet to be looked at.
pub struct Returns<R>(PhantomData<fn() -> R>);

impl<R> Returns<R> {
    /// Asks about `R`.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// A `Result` whose error can be made of the cache's own.
pub trait ByConverting {
    /// `Converting`.
    type Outcome;
    /// Says so.
    fn outcome(&self) -> Self::Outcome;
}

/// Any other `Result`.
pub trait ByPanicking {
    /// `Panicking`.
    type Outcome;
    /// Says so.
    fn outcome(&self) -> Self::Outcome;
}

/// Any other type.
pub trait ByValue {
    /// `Plain`.
    type Outcome;
    /// Says so.
    fn outcome(&self) -> Self::Outcome;
}

impl<T, E: From<Error>> ByConverting for &&Returns<Result<T, E>> {
    type Outcome = Fallible<T, E, Converting>;
    fn outcome(&self) -> Self::Outcome {
        Fallible(PhantomData)
    }
}

impl<T, E> ByPanicking for &Returns<Result<T, E>> {
    type Outcome = Fallible<T, E, Panicking>;
    fn outcome(&self) -> Self::Outcome {
        Fallible(PhantomData)
    }
}

impl<T> ByValue for Returns<T> {
    type Outcome = Plain<T>;
    fn outcome(&self) -> Self::Outcome {
        Plain(PhantomData)
    }
}

/// `Ok` is cached; what goes wrong in the cache goes the way `W`.
pub struct Fallible<T, E, W>(PhantomData<fn(W) -> Result<T, E>>);

/// Everything is cached; what goes wrong in the cache is a panic.
pub struct Plain<T>(PhantomData<fn() -> T>);

/// What becomes of an error of the cache, where the function has errors of its own.
pub trait Way<E>: 'static {
    /// The error to return.
    fn take(error: Error) -> E;
}

/// It becomes the function's.
pub enum Converting {}

/// It is a panic.
pub enum Panicking {}

impl<E: From<Error>> Way<E> for Converting {
    fn take(error: Error) -> E {
        error.into()
    }
}

impl<E> Way<E> for Panicking {
    fn take(error: Error) -> E {
        give_up(&error)
    }
}

impl<T: 'static, E: Send + Sync + 'static, W: Way<E>> Outcome for Fallible<T, E, W> {
    type Return = Result<T, E>;
    type Value = T;
    type Error = E;

    fn it() -> Self {
        Self(PhantomData)
    }

    fn split(returned: Result<T, E>, _: fn(&E) -> bool) -> Result<T, E> {
        returned
    }

    fn join(answer: Result<T, LoadError<E>>) -> Result<T, E>
    where
        E: Clone,
    {
        answer.map_err(|error| match error {
            LoadError::Loader(error) => Arc::unwrap_or_clone(error),
            LoadError::Cache(error) => W::take(error),
        })
    }
}

impl<T: 'static> Outcome for Plain<T> {
    type Return = T;
    type Value = T;
    type Error = Infallible;

    fn it() -> Self {
        Self(PhantomData)
    }

    fn split(returned: T, _: fn(&Infallible) -> bool) -> Result<T, Infallible> {
        Ok(returned)
    }

    fn join(answer: Result<T, LoadError<Infallible>>) -> T {
        match answer {
            Ok(value) => value,
            Err(LoadError::Cache(error)) => give_up(&error),
            Err(LoadError::Loader(never)) => match *never {},
        }
    }
}

/// The cached value, by the type `D` that the attribute read off the signature: that of the value, or for a `Result` that it
/// can't tell, because it has another name there, the whole of it.
#[diagnostic::on_unimplemented(
    message = "the cache of this function does not hold a `{D}`",
    label = "taken for the `Result` of the standard library",
    note = "give the return type another name, by an alias or a new one"
)]
pub trait Holds<D>: Outcome {
    /// What is given of a value.
    fn give(value: Self::Value) -> D;
    /// The value in what is given.
    fn take(given: D) -> Result<Self::Value, Error>;
    /// The cache as one of these.
    fn typed<K>(cache: &Cache<K, Self::Value>) -> Result<Cache<K, D>, Error>;
}

impl<T: 'static> Holds<T> for Plain<T> {
    fn give(value: T) -> T {
        value
    }

    fn take(given: T) -> Result<T, Error> {
        Ok(given)
    }

    fn typed<K>(cache: &Cache<K, T>) -> Result<Cache<K, T>, Error> {
        Ok(cache.clone())
    }
}

impl<T: 'static, E: Send + Sync + 'static, W: Way<E>> Holds<T> for Fallible<T, E, W> {
    fn give(value: T) -> T {
        value
    }

    fn take(given: T) -> Result<T, Error> {
        Ok(given)
    }

    fn typed<K>(cache: &Cache<K, T>) -> Result<Cache<K, T>, Error> {
        Ok(cache.clone())
    }
}

impl<T: 'static, E: Send + Sync + 'static, W: Way<E>> Holds<Result<T, E>> for Fallible<T, E, W> {
    fn give(value: T) -> Result<T, E> {
        Ok(value)
    }

    fn take(given: Result<T, E>) -> Result<T, Error> {
        given.map_err(|_| Error::new(ErrorKind::Config, "insert").context("an `Err` is never cached: insert an `Ok`"))
    }

    fn typed<K>(_: &Cache<K, T>) -> Result<Cache<K, Result<T, E>>, Error> {
        Err(Error::new(ErrorKind::Config, "build").context(
            "the function returns a `Result` under another name, which hides the type of its value from `#[cached]`; \
             write `Result<…>`, or build the cache by hand with the same name",
        ))
    }
}

#[cold]
pub(super) fn give_up(error: &Error) -> ! {
    panic!("a cached function could not be answered, and its return type has no place for the reason: {error}")
}

/// A body that runs on arguments of its own.
pub type Loading<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// Boxed in a function that is not asynchronous, so that a body may call its own function: a type that holds itself, and
/// is `Send` if it is, would be more than the compiler can follow.
pub fn boxed<R>(body: impl Future<Output = R> + Send + 'static) -> Loading<R> {
    Box::pin(body)
}
