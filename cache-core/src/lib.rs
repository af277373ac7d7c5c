//! A layered cache for async services.

pub mod backend;
pub mod clock;
pub mod codec;
pub mod error;
pub mod key;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod token;

pub use bytes::Bytes;
pub use error::{Error, ErrorKind, LoadError, Result};
