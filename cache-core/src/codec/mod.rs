//! From a value to bytes and back.
//!
//! A codec is a small trait. Which one a cache uses is chosen per cache, by the TTL map or for the whole stack; the
//! choice is written into every frame, so bytes of another codec are a miss, never a misreading. L1 holds the typed
//! value: a hit there decodes nothing.
//!
//! | codec | feature | bytes carry names | what it can't read back |
//! |---|---|---|---|
//! | [`Json`] | always there | yes | NaN, infinities, `Some(None)`, maps whose keys are not text, numbers or variants |
//! | `MessagePack` | `messagepack` | yes | `Some(None)`, `Some(())` |
//! | `Postcard` | `postcard` | no | `flatten`, `untagged`, `tag`, `skip_serializing_if`, `serde_json::Value` |
//! | `Bincode` | `bincode` | no | the same |
//!
//! What a codec can't read back is found when the first value is stored, not when the first process misreads it.
//!
//! Bytes from L2 are untrusted. The built-in codecs refuse values that nest deeper than 128 levels (each option, newtype,
//! enum, sequence, map, tuple and struct is one; JSON stops at 127 brackets as well), believe no length that was not
//! compared with the bytes that are there, and take no bytes after the value.
//!
//! Large values can be [compressed](Compression), whatever the codec. No more is decompressed than a value may have bytes
//! ([`max_value_size`](crate::policy::Policy::max_value_size)), and no room is made before that was checked. Where others can
//! write to L2, an [`IntegrityKey`] tells their bytes from the fleet's before anything of them is decompressed or decoded.

#[cfg(feature = "bincode")]
mod bincode;
mod bounds;
mod compression;
pub(crate) mod digest;
mod fingerprint;
mod format;
pub(crate) mod frame;
mod json;
#[cfg(feature = "messagepack")]
mod messagepack;
mod negative;
#[cfg(feature = "postcard")]
mod postcard;
pub(crate) mod seal;
mod typed;

use serde::{Serialize, de::DeserializeOwned};

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
#[cfg(feature = "messagepack")]
pub use self::messagepack::MessagePack;
#[cfg(feature = "postcard")]
pub use self::postcard::Postcard;
pub use self::{compression::Compression, format::Format, json::Json, seal::IntegrityKey};
pub(crate) use self::{
    negative::is_negative,
    typed::{ValueCodec, typed},
};

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
