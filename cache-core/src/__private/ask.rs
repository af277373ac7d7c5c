//! What is asked of a cached function's entry, by the call if there is no hit in L1, and by what goes with the function: questions
//! to one hidden function, so that what an entry is and how it is loaded is in the generated code, and before the compiler, once.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::{Target, Warmed};
use crate::{answer::Answer, error::Result};

/// A question to an entry, by who asks. `D` is the value, as the signature shows it.
pub enum Ask<D> {
    /// The function itself.
    Call,
    /// The function itself, where `when` or `unless` says that the call goes past the cache.
    Past,
    /// `refresh`
    Refresh,
    /// `explain`
    Explain,
    /// `get`
    Get,
    /// `insert`
    Insert(D),
    /// `warm`
    Warm,
    /// Whoever revokes it. Answered [`at_once`].
    Target,
}

impl<D> Ask<D> {
    /// The function itself.
    pub const fn call(bypassed: bool) -> Self {
        if bypassed { Self::Past } else { Self::Call }
    }

    /// Whether it is answered by the value of a load, if need be.
    pub(super) const fn loads(&self) -> bool {
        matches!(self, Self::Call | Self::Refresh | Self::Explain)
    }

    /// Whether it goes past the cache: what the call found out, or what `condition` says now.
    pub fn bypasses(&self, condition: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Call | Self::Target => false,
            Self::Past => true,
            _ => condition(),
        }
    }
}

/// The answer to each of them. `R` is what the function returns.
pub enum Told<R, D> {
    /// To the function itself, and to `refresh`.
    Returned(R),
    /// To `explain`.
    Explained(Answer<R>),
    /// To `get`.
    Found(Option<D>),
    /// To `insert`.
    Inserted(Result<()>),
    /// To `warm`.
    Warmed(Warmed),
    /// To whoever revokes.
    Target(Target),
}

macro_rules! takes {
    ($($take:ident -> $what:ty: $variant:ident),+ $(,)?) => {
        impl<R, D> Told<R, D> {
            $(
                #[doc = concat!("`", stringify!($variant), "`, to who asked for it.")]
                pub fn $take(self) -> $what {
                    match self {
                        Self::$variant(told) => told,
                        _ => unreachable!("each question has its own answer"),
                    }
                }
            )+
        }
    };
}

takes! {
    returned -> R: Returned,
    explained -> Answer<R>: Explained,
    found -> Option<D>: Found,
    inserted -> Result<()>: Inserted,
    warmed -> Warmed: Warmed,
    target -> Target: Target,
}

/// The answer, once it is there.
pub async fn later<T, A>(told: impl Future<Output = T>, take: fn(T) -> A) -> A {
    take(told.await)
}

/// The answer of a future that has nothing to wait for.
pub fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("it waits for nothing"),
    }
}
