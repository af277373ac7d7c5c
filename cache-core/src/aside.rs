//! What a call does if there is no hit, kept apart from what it does for one.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// A future in a box, made and polled by functions of its own: a hit would otherwise save registers and reserve stack for it.
pub struct Aside<F>(Pin<Box<F>>);

/// Makes one.
#[cold]
#[inline(never)]
pub fn aside<F: Future>(make: impl FnOnce() -> F) -> Aside<F> {
    Aside(Box::pin(make()))
}

impl<F: Future> Future for Aside<F> {
    type Output = F::Output;

    #[cold]
    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().poll(context)
    }
}
