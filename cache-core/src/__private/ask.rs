//! What goes with a cached function, but for the call itself: questions to one hidden function, so that what an entry is and how
//! it is loaded is in the generated code, and before the compiler, once for all of them.

use super::Warmed;
use crate::{answer::Answer, error::Result};

/// A question to an entry, by the companion that asks. `D` is the value, as the signature shows it.
pub enum Ask<D> {
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
}

/// The answer to each of them. `R` is what the function returns.
pub enum Told<R, D> {
    /// To `refresh`.
    Returned(R),
    /// To `explain`.
    Explained(Answer<R>),
    /// To `get`.
    Found(Option<D>),
    /// To `insert`.
    Inserted(Result<()>),
    /// To `warm`.
    Warmed(Warmed),
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
}

/// The answer, once it is there.
pub async fn later<T, A>(told: impl Future<Output = T>, take: fn(T) -> A) -> A {
    take(told.await)
}
