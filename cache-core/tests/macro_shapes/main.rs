//! Every shape of a function that `#[cached]` takes: each a test of its own, which holds the function and sees that it is cached.
//!
//! What the options do is tested in `macro_behaviour`; here it is what they may stand on.

#![cfg(feature = "macros")]

mod arguments;
mod asynchronous;
mod attributes;
mod generic;
mod methods;
mod names;
mod options;
mod paths;
mod returns;
mod synchronous;
mod traits;

use cache_core::Stack;

async fn stack() -> Stack {
    Stack::builder("test").build().await.expect("a stack of defaults is valid")
}
