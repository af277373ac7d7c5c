//! From a value to bytes and back.
//!
//! A codec is a small trait. Which one a cache uses is chosen per cache, by the TTL map or for the whole stack; the
//! choice is written into every frame, so bytes of another codec are a miss, never a misreading. L1 holds the typed
//! value: a hit there decodes nothing.

use serde::{Serialize, de::DeserializeOwned};

/// Turns values into bytes and back. Implement it to bring a format of your own.
pub trait Codec: Send + Sync + 'static {
    /// What is written into each frame to tell codecs apart: 128 to 255 are free for users' own.
    const ID: u8;

    /// Its name, for settings and messages.
    const NAME: &'static str;

    /// Whether the bytes carry field names, so that a field may be added or missing (JSON does, bincode does not).
    ///
    /// A codec that is not self-describing refuses bytes of a type with other fields by the schema fingerprint.
    const SELF_DESCRIBING: bool;

    /// Appends the encoded `value` to `out`.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec): the value is not stored in L2, which is counted and said.
    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> crate::Result<()>;

    /// Reads a value from `bytes`, which are untrusted: no size in them may be believed before it was compared with what
    /// is there, and no nesting may overflow the stack.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec): a counted miss.
    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> crate::Result<T>;
}
