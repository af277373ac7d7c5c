//! bincode 2 through serde.

use bincode::{
    config::{self, Configuration},
    error::{DecodeError, EncodeError},
    serde::{BorrowedSerdeDecoder, EncodeError as SerdeError},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Codec, bounds};
use crate::{Error, ErrorKind, Result};

/// bincode 2 with its standard configuration: compact and fast, without field names.
///
/// bincode is finished but no longer maintained ([RUSTSEC-2025-0141]); 2.0.1 is its last usable version. postcard is
/// of the same kind and maintained.
///
/// Bytes of a type with other fields are refused by the schema fingerprint.
///
/// [RUSTSEC-2025-0141]: https://rustsec.org/advisories/RUSTSEC-2025-0141.html
#[cfg_attr(feature = "postcard", doc = "[`Postcard`]: super::Postcard")]
#[cfg_attr(not(feature = "postcard"), doc = "[`Postcard`]: super::Format::Postcard")]
#[derive(Clone, Copy, Default, Debug)]
pub struct Bincode;

const CONFIG: Configuration = config::standard();

impl Codec for Bincode {
    const ID: u8 = 2;
    const NAME: &'static str = "bincode";
    const SELF_DESCRIBING: bool = false;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        match bincode::serde::encode_into_std_write(value, out, CONFIG) {
            Ok(_) => Ok(()),
            Err(error) => Err(unwritable(&error)),
        }
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        let mut decoder = BorrowedSerdeDecoder::from_slice(bytes, CONFIG, ());
        let value = bounds::deserialize(decoder.as_deserializer(), bytes.len()).map_err(|error| unreadable(&error))?;
        match u8::deserialize(decoder.as_deserializer()) {
            Err(DecodeError::UnexpectedEnd { .. }) => Ok(value),
            _ => Err(bounds::trailing(Self::NAME)),
        }
    }
}

fn unwritable(error: &EncodeError) -> Error {
    Error::new(ErrorKind::Codec, "encode").context(match error {
        EncodeError::Serde(SerdeError::SequenceMustHaveLength) => {
            "bincode can't hold a map or sequence of unknown length, which `flatten` makes of a struct: use JSON or \
             MessagePack for this cache"
        }
        _ => "bincode can't hold this value, or its `Serialize` failed",
    })
}

fn unreadable(error: &DecodeError) -> Error {
    Error::new(ErrorKind::Codec, "decode").context(match error {
        DecodeError::UnexpectedEnd { .. } => "truncated bincode",
        DecodeError::Serde(_) => "a type that bincode can't read back: it asks the bytes what they are",
        _ => "not bincode of this type",
    })
}
