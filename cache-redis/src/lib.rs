//! Redis as the shared tier of `cache-core`.

mod backend;
mod builder;
mod config;
mod connection;
mod error;
mod pool;
mod record;
mod script;
#[cfg(feature = "test-util")]
pub mod testing;
#[cfg(feature = "tls")]
mod tls;

pub use backend::Redis;
pub use builder::Builder;
pub use config::RedisConfig;
