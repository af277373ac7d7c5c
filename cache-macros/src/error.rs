//! All mistakes of one use are reported together, so that a user compiles once to see them.

use proc_macro2::{Span, TokenStream};
use syn::{Error, Result};

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Mistakes {
    found: Option<Error>,
}

impl Mistakes {
    pub(crate) fn add(&mut self, mistake: Error) {
        match &mut self.found {
            Some(found) => found.combine(mistake),
            None => self.found = Some(mistake),
        }
    }

    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.add(Error::new(span, message));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_none()
    }

    /// Keeps the mistake and goes on without the value.
    pub(crate) fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|mistake| self.add(mistake)).ok()
    }

    pub(crate) fn into_result(self) -> Result<()> {
        self.found.map_or(Ok(()), Err)
    }

    /// The `compile_error!`s, if there is anything to report.
    pub(crate) fn report(self) -> Option<TokenStream> {
        self.found.map(Error::into_compile_error)
    }
}
