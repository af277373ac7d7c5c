//! What can go wrong, said once: an opaque [`Error`] with a kind, and [`LoadError`] that carries the loader's own.

use std::{error::Error as StdError, fmt, sync::Arc};

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Arc<dyn StdError + Send + Sync>;

/// An error of the cache itself, never of a loader.
///
/// Cheap to clone, so that all who waited for one load can have it. `Display` and `Debug` never show a password, a
/// cached value or a whole key.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    context: Option<Arc<str>>,
    source: Option<Source>,
}

/// What sort of thing went wrong. More may be added.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is wrong or contradicts another one. Permanent: the message names the way out.
    Config,
    /// The shared store can't be reached, or it hung up. Temporary.
    Unavailable,
    /// An operation did not finish inside its deadline; it may still take effect later. Temporary.
    Timeout,
    /// The shared store answered that it won't: out of memory, read-only, loading. Temporary.
    Refused,
    /// The shared store rejects the credentials or the rights they carry. Permanent.
    Denied,
    /// The shared store is not what this library can work with (its version, its mode). Permanent.
    Unsupported,
    /// A value could not be encoded or decoded. Permanent for this value.
    Codec,
    /// The loader panicked, or the value did while it was encoded; the message is in the context.
    Panicked,
    /// A loader asked for the very entry it was loading.
    Reentrant,
    /// The loader did not finish inside its deadline, and was cancelled.
    LoadTimeout,
    /// Too many loads wait for room ([`max_loads`](crate::policy::Policy::max_loads)), or waiting for it took too long. Temporary.
    Overloaded,
    /// The stack was shut down.
    Closed,
}

impl ErrorKind {
    /// Whether the same call may succeed later with nothing changed on this side.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout | Self::Refused | Self::LoadTimeout | Self::Overloaded)
    }
}

impl Error {
    /// An error of `kind` in `operation`, a short verb such as `"read"`. Backends and codecs make theirs with this.
    #[must_use]
    pub const fn new(kind: ErrorKind, operation: &'static str) -> Self {
        Self { kind, operation, context: None, source: None }
    }

    /// Adds a sentence that says what it was about and, where there is one, the way out; it goes after those that are
    /// there. No secrets.
    #[must_use]
    pub fn context(mut self, context: impl Into<Arc<str>>) -> Self {
        let context = context.into();
        self.context = Some(match self.context {
            Some(first) => format!("{first}; {context}").into(),
            None => context,
        });
        self
    }

    /// Adds the underlying error. It is shown by [`StdError::source`] only.
    #[must_use]
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What sort of error it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was being done.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether the same call may succeed later with nothing changed on this side.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.kind.is_temporary()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::Config => "configuration is not valid",
            ErrorKind::Unavailable => "the shared store can't be reached",
            ErrorKind::Timeout => "the shared store did not answer in time",
            ErrorKind::Refused => "the shared store refused",
            ErrorKind::Denied => "the shared store denied access",
            ErrorKind::Unsupported => "the shared store is not supported",
            ErrorKind::Codec => "the value can't be encoded or decoded",
            ErrorKind::Panicked => "user code panicked",
            ErrorKind::Reentrant => "the loader asked for the entry that it was loading",
            ErrorKind::LoadTimeout => "the loader did not finish in time",
            ErrorKind::Overloaded => "too many loads are under way",
            ErrorKind::Closed => "the stack was shut down",
        };
        write!(f, "{}: {what}", self.operation)?;
        match &self.context {
            Some(context) => write!(f, ": {context}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("operation", &self.operation)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Why a fallible load gave no value: the loader's own error, or the cache's.
///
/// Everyone who waited for the load gets the same loader's error, hence the `Arc`: the loader ran once.
pub enum LoadError<E> {
    /// The loader's own error.
    Loader(Arc<E>),
    /// The load itself failed: a panic, a deadline, a loader that asked for its own entry.
    Cache(Error),
}

impl<E> LoadError<E> {
    /// The loader's own error, if that is what it was.
    #[must_use]
    pub fn loader(&self) -> Option<&E> {
        match self {
            Self::Loader(error) => Some(error),
            Self::Cache(_) => None,
        }
    }
}

impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Loader(error) => Self::Loader(Arc::clone(error)),
            Self::Cache(error) => Self::Cache(error.clone()),
        }
    }
}

impl<E> From<Error> for LoadError<E> {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(error) => error.fmt(f),
            Self::Cache(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(error) => f.debug_tuple("Loader").field(error).finish(),
            Self::Cache(error) => f.debug_tuple("Cache").field(error).finish(),
        }
    }
}

impl<E: StdError + 'static> StdError for LoadError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Loader(error) => error.source(),
            Self::Cache(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_to_an_error_hides_nothing_of_what_was_there() {
        let denied = Error::new(ErrorKind::Denied, "invalidate").context("the user lacks a right");
        let message = denied.context("queued").to_string();
        assert!(message.contains("the user lacks a right") && message.ends_with("queued"), "{message}");
    }
}
