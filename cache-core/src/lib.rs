//! A layered cache for async services.

mod answer;
pub mod backend;
mod breaker;
mod cache;
pub mod clock;
pub mod codec;
mod coherence;
mod entry;
pub mod error;
mod flight;
mod health;
mod judge;
pub mod key;
mod l1;
mod l2;
mod load;
mod lookup;
pub mod policy;
mod read;
mod stack;
pub mod stats;
mod tag;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod token;
mod trace;
pub mod warm;
mod write;

pub use bytes::Bytes;

pub use self::{
    answer::{Answer, Source},
    breaker::{BreakerSettings, BreakerState},
    cache::{At, Cache, CacheBuilder, CacheKey, CacheValue},
    codec::{Codec, Format},
    error::{Error, ErrorKind, LoadError, Result},
    health::{Health, L2Health, Problem},
    l1::{ENTRY_OVERHEAD, L1},
    load::Load,
    lookup::Lookup,
    policy::{Overrides, Policies, Policy},
    stack::{Stack, StackBuilder},
    stats::Stats,
};
