//! A codec together with the type of the values it is used for.

use std::{any::type_name, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{Codec, digest::digest, fingerprint};
use crate::{Error, ErrorKind, Result};

/// A [`Codec`] for values of one type: what a cache holds, whatever codec was chosen for it.
pub(crate) trait ValueCodec<V>: Send + Sync {
    /// [`Codec::ID`].
    fn id(&self) -> u8;

    /// What is compared before bytes are decoded: codec and shape of the type.
    fn fingerprint(&self) -> u64;

    /// Appends the encoded value.
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()>;

    /// Reads what [`encode`](Self::encode) wrote; the bytes are untrusted.
    fn decode(&self, bytes: &[u8]) -> Result<V>;

    /// Whether `encoded`, written from `value`, reads back as that value. Costs a decode and two walks over the value.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`] says what is wrong with the type and the way out.
    fn verify(&self, value: &V, encoded: &[u8]) -> Result<()>;
}

/// `codec` for values of type `V`. Works out the fingerprint, so it is called once per cache.
pub(crate) fn typed<C: Codec, V: Serialize + DeserializeOwned>(codec: C) -> Arc<dyn ValueCodec<V>> {
    let fingerprint =
        if C::SELF_DESCRIBING { fingerprint::of_name::<V>(C::ID) } else { fingerprint::of_shape::<V>(C::ID) };
    Arc::new(Typed { codec, fingerprint })
}

struct Typed<C> {
    codec: C,
    fingerprint: u64,
}

impl<C: Codec, V: Serialize + DeserializeOwned> ValueCodec<V> for Typed<C> {
    fn id(&self) -> u8 {
        C::ID
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        self.codec.encode(value, out)
    }

    fn decode(&self, bytes: &[u8]) -> Result<V> {
        self.codec.decode(bytes)
    }

    fn verify(&self, value: &V, encoded: &[u8]) -> Result<()> {
        let (fault, cause) = match self.codec.decode::<V>(encoded) {
            Ok(back) if digest(&back) == digest(value) => return Ok(()),
            Ok(_) => ("as another value", None),
            Err(error) => ("not at all", Some(error)),
        };
        let advice = if C::SELF_DESCRIBING {
            "NaN, infinities, `Some(None)` and one-sided serde attributes do that: change the type's serde attributes, \
             or use a binary codec for this cache"
        } else {
            "`flatten`, `untagged`, `tag`, `skip_serializing_if` and one-sided serde attributes do that: use JSON or \
             MessagePack for this cache, or change the type's serde attributes"
        };
        let error = Error::new(ErrorKind::Codec, "verify").context(format!(
            "what {} writes for {} reads back {fault}. {advice}",
            C::NAME,
            type_name::<V>()
        ));
        Err(match cause {
            Some(cause) => error.caused_by(cause),
            None => error,
        })
    }
}

#[cfg(test)]
mod tests;
