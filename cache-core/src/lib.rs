//! A layered cache for async services: L1 in the process, L2 shared, and one load per key in the whole fleet.
//!
//! Put [`#[cached]`](macro@cached) on a function, or hold a typed [`Cache`]; give the [`Stack`] a shared store
//! (`cache-redis` brings Redis), or leave it out. Stampedes, revoked values and a Redis that is down are then the library's
//! business.
//!
//! ```
//! use std::time::Duration;
//! use cache_core::{L1, Stack};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> cache_core::Result<()> {
//! let stack = Stack::builder("shop").l1(L1::weight(64 << 20)).build().await?;
//! let users = stack.cache::<u64, String>("user").ttl(Duration::from_secs(300)).build()?;
//!
//! let user = users.at(&7).tag("org:1").get_with(|_| async { "Ada".to_owned() }).await?; // loaded
//! assert_eq!(users.get(&7).await.as_deref(), Some("Ada"));                              // from L1
//! stack.invalidate_tag("org:1").await?;                                                 // revoked, in O(1)
//! assert_eq!(users.get(&7).await, None);
//! # Ok(())
//! # }
//! ```
//!
//! # The read path
//!
//! ```text
//! get_with(key, loader)
//!  ├ L1: there, fresh, none of its marks renewed, proven recent ───────────────► hit: no lock, no I/O, no decoding
//!  └ flight: join the one under way for the key, or lead one
//!     ├ L2: one round trip for the entry and its marks; all marks equal ───────► promoted to L1, hit: all in the caller's task
//!     │  └ or else the flight goes on in a task of its own
//!     ├ lease in L2: taken ► load │ held by another process ► wait for its fill │ L2 away ► load
//!     ├ load: with a deadline, panics caught, the lease extended meanwhile
//!     └ store: L2 if the lease's token is still there, L1 if no invalidation came in between
//! ```
//!
//! # The write path
//!
//! ```text
//! invalidate(key), invalidate_tag(tag), invalidate_all()
//!  ├ L2: the entry and its lease are removed in every live version, or the mark, and the log is told, in one atomic step
//!  │  └ can't be reached ► queued and retried; until then this process believes no copy there; the caller is told
//!  ├ other processes read the log and do the last step
//!  └ this process: L1 drops it, flights under way are joined by nobody any more and store nothing
//! ```
//!
//! # What is promised
//!
//! Once an invalidation has returned, no value loaded before it is read from L2 again by anybody, nor served in its own process;
//! every other process stops serving it from L1 as soon as it hears of it, and after
//! [`max_staleness`](StackBuilder::max_staleness) (1 s) whether it hears of it or not. What is lost turns into misses, one load
//! per key runs in the fleet, and with L2 gone the loaders answer. [`consistency`] states the contract in full, says what is
//! not promised and what holds under each failure, and how all of it is proven.
//!
//! # Tasks
//!
//! | to | see |
//! |---|---|
//! | cache a function | [`#[cached]`](macro@cached) |
//! | cache by hand | [`Stack::cache`], [`Cache::get_with`], [`Cache::try_get_with`] |
//! | know how a call was answered | [`Cache::at`], [`Answer`] |
//! | revoke many things in one call, or bursts in few | [`Stack::invalidation`] |
//! | serve an old value while a new one is loaded, or where its load fails or is slow | [`stale_while_revalidate`](policy::Policy::stale_while_revalidate), [`stale_if_error`](policy::Policy::stale_if_error), [`soft_timeout`](policy::Policy::soft_timeout), [`Cache::expire`] |
//! | have what is asked for loaded anew before it expires | [`refresh_ahead`](policy::Policy::refresh_ahead) |
//! | let times to live follow how often a value changes | [`adaptive`](policy::Policy::adaptive), [`Load::not_modified`] |
//! | get, store or revoke many keys at once | [`Cache::many`], [`Cache::batched`], [`Cache::insert_many`], [`Cache::invalidate_many`] |
//! | bound the loads that run at once, leave failing keys alone | [`max_loads`](policy::Policy::max_loads), [`StackBuilder::max_loads`], [`error_backoff`](policy::Policy::error_backoff) |
//! | answer with a default where a load fails | [`At::default_on_error`] |
//! | revoke what a function changes | [`#[invalidates]`](macro@invalidates) |
//! | change data with no stale read in between | [`Cache::write`], [`At::validated`] |
//! | give entries tags, revoke by tag | [`At::tag`], [`Load::tag`], [`Stack::invalidate_tags`] |
//! | keep TTLs per kind of data in a file | [`policy`] |
//! | change policies, or switch a cache off, while it runs | [`Stack::reload_policies`], [`Cache::set_enabled`] |
//! | go past the cache, or load anew: one call, or all of a task | [`At::bypass`], [`At::refresh_with`], [`scope`] |
//! | warm up | [`warm`] |
//! | be told what happens as it happens | [`Stack::events`], [`events`] |
//! | watch it | [`Cache::stats`], [`stats`] for the `metrics` crate, [`Stack::health`], the feature `tracing` |
//! | deploy a changed type | [`CacheBuilder::version`] |
//! | compress what is large, seal what is shared with others | [`compression`](policy::Policy::compression), [`StackBuilder::integrity`] |
//! | bring a format or a store of one's own | [`codec::Codec`], [`backend::Backend`] |
//! | test code that caches | a [`Stack`] per test, [`backend::Memory`] shared by several, tokio's paused clock ([`clock`]) |
//! | end in good order | [`Stack::shutdown`] |
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `macros` | yes | [`#[cached]`](macro@cached), [`#[invalidates]`](macro@invalidates) |
//! | `toml` | yes | `Policies::from_toml` |
//! | `bincode`, `postcard`, `messagepack` | | these codecs beside JSON |
//! | `lz4`, `zstd` | | values compressed in L2 |
//! | `tracing` | | a span round each load, events for what callers don't see |
//! | `test-util` | | `testing`: the conformance suite for backends, fault injection |

#[doc(hidden)]
pub mod __private;
mod answer;
mod aside;
mod attention;
pub mod backend;
mod batch;
mod breaker;
mod bulkhead;
mod cache;
pub mod clock;
pub mod codec;
mod coherence;
pub mod consistency;
mod entry;
pub mod error;
pub mod events;
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
pub mod scope;
mod stack;
pub mod stats;
mod sync;
mod tag;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod token;
mod trace;
pub mod warm;
mod write;

pub use bytes::Bytes;
#[cfg(feature = "macros")]
pub use cache_macros::{cached, invalidates};

pub use self::{
    answer::{Answer, Source},
    batch::{AtMany, Batched, Many},
    breaker::{BreakerSettings, BreakerState},
    cache::{At, Cache, CacheBuilder, CacheKey, CacheValue},
    codec::{Codec, Compression, Format, IntegrityKey},
    error::{Error, ErrorKind, LoadError, Result},
    health::{Health, L2Health, Problem},
    l1::{ENTRY_OVERHEAD, L1, L1Engine},
    load::Load,
    lookup::Lookup,
    policy::{Adaptive, Overrides, Policies, Policy, RefreshAhead, Tiers},
    stack::{Invalidation, Stack, StackBuilder},
    stats::Stats,
};
