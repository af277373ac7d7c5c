//! A codec of one's own: how values become bytes for L2 and come back. Its number is written into every entry, so that a
//! process that reads the same entry by another codec has a miss, and never a misreading.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use cache_core::{Codec, Error, ErrorKind, Result, Source, Stack, backend::Memory};
use serde::{Serialize, de::DeserializeOwned};

/// JSON over several lines, for people who look into the store.
struct PrettyJson;

impl Codec for PrettyJson {
    const ID: u8 = 128; // 128 to 255 are free
    const NAME: &'static str = "pretty-json";
    const SELF_DESCRIBING: bool = true; // the bytes carry the names of fields

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        // The message of serde is left out: it could quote the value.
        serde_json::to_writer_pretty(out, value).map_err(|_| Error::new(ErrorKind::Codec, "encode"))
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        serde_json::from_slice(bytes).map_err(|_| Error::new(ErrorKind::Codec, "decode"))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut bytes = Vec::new();
    PrettyJson.encode(&("gold", 30), &mut bytes)?;
    println!("{}", String::from_utf8_lossy(&bytes));
    assert_eq!(PrettyJson.decode::<(String, u32)>(&bytes)?, ("gold".to_owned(), 30));

    // Three processes on one store. Two of them use the codec, the third one uses the default.
    let store = Memory::new();
    let (mut sources, codecs) = (Vec::new(), [Some(PrettyJson), Some(PrettyJson), None]);
    for codec in codecs {
        let stack = Stack::builder("example").l2(store.clone()).build().await?;
        let plans = stack.cache::<u32, (String, u32)>("plan");
        let plans = match codec {
            Some(codec) => plans.codec(codec).build()?,
            None => plans.build()?,
        };
        let answer = plans.at(&1).get_with(|_| async { ("gold".to_owned(), 30) }).await?;
        assert_eq!(answer.value, ("gold".to_owned(), 30));
        sources.push(answer.source);
    }
    assert_eq!(sources, [Source::Loaded, Source::L2, Source::Loaded]);
    Ok(())
}
