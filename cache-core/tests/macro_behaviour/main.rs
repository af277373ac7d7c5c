//! What `#[cached]` functions do.

#![cfg(feature = "macros")]

mod acceptance;
mod batch;
mod choices;
mod companions;
mod errors;
mod generics;
mod invalidates;
mod keys;
mod loads;
mod methods;
mod names;
mod recursion;
mod returns;
mod scopes;
mod settings;
mod sizes;
mod stacks;
mod synchronous;
mod tags;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use cache_core::Stack;

/// Counts how often something was done.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicU32>);

impl Runs {
    fn add(&self) -> u32 {
        self.0.fetch_add(1, Relaxed) + 1
    }

    fn count(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

async fn stack() -> Stack {
    Stack::builder("test").build().await.expect("a stack of defaults is valid")
}
