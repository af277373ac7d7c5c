//! A layered cache for async services.

pub mod backend;
pub mod clock;
pub mod codec;
pub mod error;
pub mod key;
pub mod token;

pub use bytes::Bytes;
pub use error::{Error, ErrorKind, LoadError, Result};
