//! `cache_err`: errors that are cached, so that the whole `Result` is the value.

use std::{marker::PhantomData, sync::Arc};

use super::outcome::{Fallible, Holds, Outcome, Way};
use crate::{
    cache::Cache,
    error::{Error, LoadError},
};

/// The `Result` is cached, `Err` too; what goes wrong in the cache, and an `Err` that is not to be remembered, goes the way `W`.
pub struct Whole<T, E, W>(PhantomData<fn(W) -> Result<T, E>>);

/// What has errors to remember.
#[diagnostic::on_unimplemented(
    message = "`cache_err` is for functions that return a `Result`",
    label = "has no `Err` to cache",
    note = "leave `cache_err` out: everything that the function returns is cached"
)]
pub trait Failing {
    /// `Whole`.
    type Whole: Outcome;
}

impl<T: 'static, E: Send + Sync + 'static, W: Way<E>> Failing for Fallible<T, E, W> {
    type Whole = Whole<T, E, W>;
}

/// Takes the `Result` as a whole.
pub fn whole<O: Failing>(_: O) -> O::Whole {
    O::Whole::it()
}

impl<T: 'static, E: Send + Sync + 'static, W: Way<E>> Outcome for Whole<T, E, W> {
    type Return = Result<T, E>;
    type Value = Result<T, E>;
    type Error = E;

    fn it() -> Self {
        Self(PhantomData)
    }

    fn split(returned: Result<T, E>, remembers: fn(&E) -> bool) -> Result<Result<T, E>, E> {
        match returned {
            Err(error) if !remembers(&error) => Err(error),
            returned => Ok(returned),
        }
    }

    fn is_error(value: &Result<T, E>) -> bool {
        value.is_err()
    }

    fn join(answer: Result<Result<T, E>, LoadError<E>>) -> Result<T, E>
    where
        E: Clone,
    {
        answer.unwrap_or_else(|error| {
            Err(match error {
                LoadError::Loader(error) => Arc::unwrap_or_clone(error),
                LoadError::Cache(error) => W::take(error),
            })
        })
    }
}

impl<T: 'static, E: Send + Sync + 'static, W: Way<E>> Holds<Result<T, E>> for Whole<T, E, W> {
    fn give(value: Result<T, E>) -> Result<T, E> {
        value
    }

    fn take(given: Result<T, E>) -> Result<Result<T, E>, Error> {
        Ok(given)
    }

    fn typed<K>(cache: &Cache<K, Result<T, E>>) -> Result<Cache<K, Result<T, E>>, Error> {
        Ok(cache.clone())
    }
}
