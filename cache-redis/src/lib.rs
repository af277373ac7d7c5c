//! Redis as the shared tier of [`cache-core`](cache_core): a [`Backend`](cache_core::backend::Backend) that keeps
//! entries, leases and the marks that judge them in one Redis server, so that many processes share one cache.
//!
//! ```no_run
//! # async fn example() -> cache_core::Result<()> {
//! use std::time::Duration;
//!
//! use cache_redis::Redis;
//!
//! let redis = Redis::connect("redis://:secret@cache.internal:6379").await?;
//!
//! // The same with settings, which can also come from serde or the environment: see `RedisConfig`.
//! let redis = Redis::builder("redis://:secret@cache.internal:6379")
//!     .connections(4)
//!     .response_timeout(Duration::from_millis(200))
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Servers
//! Redis 7.0 or later and what is compatible with it (Valkey), standalone, with or without replicas. Redis Cluster and
//! Sentinel's own port are refused with [`ErrorKind::Unsupported`](cache_core::ErrorKind::Unsupported). Any
//! `maxmemory-policy` is safe, since a record that is lost is a miss and never an old value; with `noeviction`, a full
//! server refuses to store and still invalidates. A key prefix or a database of its own is not needed.
//!
//! # When Redis fails
//! [`Redis::connect`] fails for what waiting won't mend: a wrong URL, wrong credentials, an untrusted certificate, a
//! server that is not supported. A server that can't be reached is none of these: each later call tries again, and one
//! that finds no server fails at once with the true reason. Everything has a deadline, [`connect_timeout`] for a
//! connection and [`response_timeout`] for an answer. A dead connection fails the calls that are on it and is replaced
//! before the next one; so is one that has been silent for several deadlines in a row, and one to a server that has become
//! a replica.
//!
//! [`connect_timeout`]: RedisConfig::connect_timeout
//! [`response_timeout`]: RedisConfig::response_timeout
//!
//! # What an operation costs
//! | operation | requests |
//! |---|---|
//! | read | `PTTL` and `MGET` of the entry and its marks, in one round trip and without a script |
//! | lease, fill, extend, release, put | one script |
//! | invalidate | one script for every 490 names; one more where another version of the cache is alive |
//!
//! Scripts are sent by hash, and sent in full once to a server that does not know them.
//!
//! # Keys
//! All names are those of [`cache_core::key`]; all values are strings.
//!
//! | key | value | expires |
//! |---|---|---|
//! | `shop:user:{alice}:v3` | id (16 bytes), time to live in ms (8), n (1), n epochs (16 each), frame | with the entry |
//! | `shop:user:{alice}:v3:lease` | token (16) | with the lease |
//! | `shop:user:{}` | epoch (16), live versions (4 each, at most 16) | never |
//! | `shop:#{org%3A7}`, `shop:#*` | epoch (16) | when no entry can carry it any more |
//! | `shop:#` | epoch (16) | never |
//!
//! Deleting any of them by hand is safe for Redis's own contents. Numbers are big-endian. An entry of another form is
//! reported as damaged and replaced; a mark of another form counts as missing.
//!
//! A seventeenth version of one cache forgets the other sixteen: it renews the cache's epoch, so that their entries,
//! which an invalidation would no longer reach, are misses.
//!
//! # Rights
//! A user for this library, for the namespace `shop`:
//!
//! ```text
//! ACL SETUSER shop-cache on >secret resetchannels ~shop:* -@all
//!     +hello +select +info +ping +evalsha +script|load +mget +getrange +pttl +set +pexpire +del
//!     +xadd +xread +xrevrange +time +type +zadd +zrem +zrange +zremrangebyscore +pexpireat
//! ```
//!
//! # Features
//! - `tls`: `rediss://` URLs, by rustls. Certificates are checked against the roots of the web or [`ca_file`]. The
//!   first connection installs the `ring` provider, unless the process has one.
//! - `test-util`: `testing::RedisServer`, a real server for each test.
//!
//! [`ca_file`]: RedisConfig::ca_file

mod attach;
mod backend;
mod builder;
mod config;
mod connection;
mod error;
mod log;
mod pool;
mod record;
mod script;
mod server;
#[cfg(feature = "test-util")]
pub mod testing;
#[cfg(feature = "tls")]
mod tls;

pub use backend::Redis;
pub use builder::Builder;
pub use config::RedisConfig;
