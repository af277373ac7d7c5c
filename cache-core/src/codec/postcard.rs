//! postcard.

use postcard::{Deserializer, Error as Failure};
use serde::{Serialize, de::DeserializeOwned};

use super::{Codec, bounds};
use crate::{Error, ErrorKind, Result};

/// postcard: the most compact of the codecs, without field names, with a documented and stable wire format.
///
/// Bytes of a type with other fields are refused by the schema fingerprint.
#[derive(Clone, Copy, Default, Debug)]
pub struct Postcard;

impl Codec for Postcard {
    const ID: u8 = 3;
    const NAME: &'static str = "postcard";
    const SELF_DESCRIBING: bool = false;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        match postcard::to_io(value, out) {
            Ok(_) => Ok(()),
            Err(error) => Err(unwritable(error)),
        }
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        let mut decoder = Deserializer::from_bytes(bytes);
        let value = bounds::deserialize(&mut decoder, bytes.len()).map_err(unreadable)?;
        match decoder.finalize() {
            Ok([]) => Ok(value),
            _ => Err(bounds::trailing(Self::NAME)),
        }
    }
}

fn unwritable(error: Failure) -> Error {
    Error::new(ErrorKind::Codec, "encode").context(match error {
        Failure::SerializeSeqLengthUnknown => {
            "postcard can't hold a map or sequence of unknown length, which `flatten` makes of a struct: use JSON or \
             MessagePack for this cache"
        }
        _ => "postcard can't hold this value, or its `Serialize` failed",
    })
}

fn unreadable(error: Failure) -> Error {
    Error::new(ErrorKind::Codec, "decode").context(match error {
        Failure::DeserializeUnexpectedEnd => "truncated postcard",
        Failure::WontImplement => "a type that postcard can't read back: it asks the bytes what they are",
        _ => "not postcard of this type",
    })
}
