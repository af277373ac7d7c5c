//! The stack that `#[cached]` functions use when they name none.

use std::sync::{Arc, OnceLock};

use super::Stack;
use crate::error::{Error, ErrorKind, Result};

static GLOBAL: OnceLock<Global> = OnceLock::new();

enum Global {
    Installed(Stack),
    /// Made because something was called before a stack was installed.
    Default(Stack),
}

impl Stack {
    /// Makes this the stack of every `#[cached]` function that names none. Once per process, before the first of them is
    /// called.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if one is installed already, or if a function was called before and made the default stack.
    pub fn install(&self) -> Result<()> {
        GLOBAL.set(Global::Installed(self.clone())).map_err(|_| {
            Error::new(ErrorKind::Config, "install").context(match GLOBAL.get() {
                Some(Global::Default(_)) => {
                    "a #[cached] function was called before, and made the default stack; install yours first thing"
                }
                _ => "a stack is installed already; give a function another one by #[cached(stack = …)]",
            })
        })
    }

    /// The installed stack; if there is none, the default one: L1 alone, 10,000 entries, the policies of the environment
    /// left aside.
    #[must_use]
    pub fn global() -> Self {
        match GLOBAL.get_or_init(|| Global::Default(Self::local("default"))) {
            Global::Installed(stack) | Global::Default(stack) => stack.clone(),
        }
    }

    fn local(namespace: &str) -> Self {
        let builder = Self::builder(namespace);
        Self::from_inner(Arc::new(builder.assemble().expect("a stack of defaults is valid")))
    }
}
