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
//! Sentinel's own port are refused with [`ErrorKind::Unsupported`](cache_core::ErrorKind::Unsupported), a replica with
//! [`ErrorKind::Unavailable`](cache_core::ErrorKind::Unavailable) until it is promoted. With any `maxmemory-policy`, a
//! record that is lost is a miss and never an old value; only a guard or a hold-off that is evicted before its end denies
//! no more, which `noeviction` alone rules out. With it, a full server refuses to store and still invalidates. A key prefix or a database of its own is not needed.
//!
//! A server is known by its run and by its history of writes (`run_id` and `master_replid`). Where a new connection leads
//! to another one than before, each namespace is attached there before anything else is asked: a restarted or promoted
//! server answers no read from entries whose invalidation it may have lost. Redis begins a new history also when the
//! first replica comes to a server, and an hour (`repl-backlog-ttl`) after the last one went; that is not told from a
//! promotion, and costs the entries that are there.
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
//! | read | `MGET` of the entry and its marks, one for all reads that are [gathered](#reads); once a second and connection `TIME` with it |
//! | read of the head | `PTTL` and `GETRANGE` of the entry and `MGET` of its marks, in one round trip |
//! | lease, fill, extend, release, put | one script |
//! | invalidate, expire | one script for every 490 names; one more where another version of the cache is alive |
//! | attach | `INFO`, then one script; on each new connection one script for every namespace |
//! | beat | `XREVRANGE` of one message, `MGET` and `INFO`, in one round trip |
//! | follow | `XREAD`; with a wait, on a connection of its own, one for each that waits at the same time |
//!
//! Scripts are sent by hash, and sent in full once to a server that does not know them.
//!
//! # Reads
//! A read that finds a connection at rest is sent at once. While one is under way on each of two connections, others gather, and go
//! together when it is back, up to 256 in one `MGET` with the marks that judge them, each of those once. So a hit costs one `GET`'s
//! worth at most, and less the more there are at once; nothing waits for a clock, and nothing is sent twice but what the server
//! refuses for some of them. An entry that had 16 KiB or more when it was last read travels by itself, on a third connection. Where
//! there are fewer, one is shared.
//!
//! When an entry expires is in its bytes, by the server's clock; what that shows is asked with the first read of each second and
//! connection. A clock that is set is noticed within that second.
//!
//! # Keys
//! All names are those of [`cache_core::key`]; all values but the log and guards are strings.
//!
//! | key | value | expires |
//! |---|---|---|
//! | `shop:user:{alice}:v3` | id (16 bytes), flags (1): 128 if it expired softly, time to live in ms (7), when it expires by the server's clock in ms (8), n (1), n epochs (16 each), frame | with the entry |
//! | `shop:user:{alice}:v3:lease` | token (16) | with the lease |
//! | `shop:user:{}` | epoch (16), live versions (4 each, at most 16) | never |
//! | `shop:#{org%3A7}`, `shop:#*` | epoch (16), then up to four earlier ones whose entries have expired softly | when no entry can carry it any more |
//! | `shop:#` | epoch (16) | never |
//! | any of the marks, while a hold-off lasts | `hold` | with the hold-off |
//! | `shop:user:{alice}:guard` | a sorted set: tokens (16), by the server's time at which each ends, in ms | with the last |
//! | `shop:#log` | a stream of the last 16,384 messages or somewhat more: see [below](#the-log) | never |
//! | `shop:#server` | the server (16) to which the namespace was attached, the fleet's longest staleness in ms (8) | never |
//!
//! Deleting any of them by hand but a guard or a hold-off is safe for Redis's own contents. Numbers are big-endian. An entry of another form is
//! reported as damaged and replaced; a mark of another form counts as missing.
//!
//! A seventeenth version of one cache forgets the other sixteen: it renews the cache's epoch, so that their entries,
//! which an invalidation would no longer reach, are misses.
//!
//! # The log
//! Whatever an invalidation or a put takes away, or marks as stale, is appended to the stream `shop:#log` in the same step. The stream and its
//! fields are stable, and all of them are text:
//!
//! | field | value |
//! |---|---|
//! | `after` | the id of the message before, as Redis shows it; `0-0` in the first |
//! | `from` | who sent it, in 32 hexadecimal digits |
//! | `del` | the name of an entry or a mark that was removed; once for each, or never |
//! | `exp` | the name of an entry or a tag that expired softly; likewise |
//!
//! ```text
//! > XRANGE shop:#log - + COUNT 1
//! 1) 1) "1764000000000-0"
//!    2) 1) "after"  2) "0-0"  3) "from"  4) "000102030405060708090a0b0c0d0e0f"  5) "del"  6) "shop:user:{alice}:v3"
//! ```
//!
//! Other fields are ignored. A message without a correct `after` (none, another form, fields that are not text) makes
//! every process revoke all that it has in L1: safe, but coarse. `from` may be left out.
//!
//! Another program invalidates with this script. It is given the log first, then the names of entries, in each version
//! that is in use, and of marks. With a tag, name `shop:#*` as well: it is how loads in flight learn that some tag was
//! invalidated.
//!
//! ```text
//! redis-cli EVAL "$(cat revoke.lua)" 2 'shop:#log' 'shop:user:{alice}:v3'
//! ```
//!
//! ```lua
//! #!lua flags=allow-oom
//! local log = KEYS[1]
//! local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
//! local message = { 'after', last and last[1] or '0-0' }
//! for at = 2, #KEYS do
//!   -- A mark that is held stays so; the lease of an entry ends with it.
//!   if redis.call('MGET', KEYS[at])[1] ~= 'hold' then
//!     redis.call('DEL', KEYS[at], KEYS[at] .. ':lease')
//!   end
//!   message[#message + 1] = 'del'
//!   message[#message + 1] = KEYS[at]
//! end
//! return redis.call('XADD', log, 'MAXLEN', '~', 16384, '*', unpack(message))
//! ```
//!
//! # Rights
//! A user for this library, for the namespace `shop`:
//!
//! ```text
//! ACL SETUSER shop-cache on >secret resetchannels ~shop:* -@all
//!     +hello +select +info +ping +evalsha +script|load +mget +getrange +pttl +set +pexpire +del
//!     +xadd +xread +xrevrange +setrange +strlen +time +type +zadd +zrem +zrange +zremrangebyscore +pexpireat
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
mod clock;
mod config;
mod connection;
mod error;
mod gather;
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
