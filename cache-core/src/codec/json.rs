//! JSON through `serde_json`.

use serde::{Serialize, de::DeserializeOwned};

use super::{Codec, bounds};
use crate::{Error, ErrorKind, Result};

/// JSON: readable in `redis-cli`, and forgiving about fields that were added. The default.
///
/// Floats come back bit for bit; NaN and the infinities don't exist in JSON, and `Some(None)` reads back as `None`.
#[derive(Clone, Copy, Default, Debug)]
pub struct Json;

impl Codec for Json {
    const ID: u8 = 1;
    const NAME: &'static str = "json";
    const SELF_DESCRIBING: bool = true;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, value).map_err(|_| {
            Error::new(ErrorKind::Codec, "encode").context(
                "JSON can't hold this value: the keys of a map are not text (use another codec for this cache), or its \
                 `Serialize` failed",
            )
        })
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        let mut decoder = serde_json::Deserializer::from_slice(bytes);
        bounds::deserialize(&mut decoder, bytes.len())
            .and_then(|value| decoder.end().map(|()| value))
            .map_err(|error| unreadable(&error))
    }
}

/// Says where it went wrong, but not what was there: serde's own message would quote the value.
fn unreadable(error: &serde_json::Error) -> Error {
    let what = match error.classify() {
        serde_json::error::Category::Data => "JSON of another type",
        serde_json::error::Category::Eof => "truncated JSON",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "not JSON",
    };
    Error::new(ErrorKind::Codec, "decode").context(format!(
        "{what}, at line {} column {}",
        error.line(),
        error.column()
    ))
}
