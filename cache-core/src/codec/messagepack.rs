//! MessagePack through `rmp-serde`.

use rmp_serde::{Deserializer, decode::Error as Failure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Codec, bounds};
use crate::{Error, ErrorKind, Result};

/// MessagePack with field names: as forgiving about added fields as JSON, smaller, and it holds NaN and binary data.
///
/// `Some(None)` and `Some(())` read back as `None`.
#[derive(Clone, Copy, Default, Debug)]
pub struct MessagePack;

impl Codec for MessagePack {
    const ID: u8 = 4;
    const NAME: &'static str = "messagepack";
    const SELF_DESCRIBING: bool = true;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        rmp_serde::encode::write_named(out, value).map_err(|_| {
            Error::new(ErrorKind::Codec, "encode")
                .context("MessagePack can't hold this value, or its `Serialize` failed")
        })
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        let mut decoder = Deserializer::from_read_ref(bytes);
        let value = bounds::deserialize(&mut decoder, bytes.len()).map_err(|error| unreadable(&error))?;
        match u8::deserialize(&mut decoder) {
            Err(Failure::InvalidMarkerRead(_)) => Ok(value),
            _ => Err(bounds::trailing(Self::NAME)),
        }
    }
}

fn unreadable(error: &Failure) -> Error {
    Error::new(ErrorKind::Codec, "decode").context(match error {
        Failure::InvalidMarkerRead(_) | Failure::InvalidDataRead(_) => "truncated MessagePack",
        _ => "not MessagePack of this type",
    })
}
