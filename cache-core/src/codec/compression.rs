//! Making payloads smaller for L2.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::frame::{Damage, Payload};
use crate::{Error, ErrorKind, Result};

/// How values are compressed in L2, as settings name it: `none`, `lz4` or `zstd`.
///
/// A value is compressed if it is larger than [`compress_above`](crate::policy::Policy::compress_above) in its encoded form,
/// and stored so if that makes it smaller. What was used is written into its frame, so a fleet may change it at any time:
/// every process reads all that its build has, and what it has not is a counted miss.
///
/// It takes processor time of the process that stores and of each that reads from L2: lz4 little, zstd several times as much
/// for less space. Don't compress values that hold a secret beside text that others choose, if anybody may see their sizes:
/// the size tells how much of the one is like the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Compression {
    /// Values are stored as their codec writes them.
    #[default]
    None,
    /// lz4, with the feature `lz4`.
    Lz4,
    /// zstd at its default level, with the feature `zstd`.
    Zstd,
}

impl Compression {
    const ALL: [Self; 3] = [Self::None, Self::Lz4, Self::Zstd];

    /// Its name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// # Errors
    /// [`ErrorKind::Config`] if its feature is off.
    pub(crate) fn check(self) -> Result<()> {
        if self.is_built() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, "compression").context(format!(
            "the compression `{self}` is not in this build: switch on the feature `{self}` of cache-core"
        )))
    }

    const fn is_built(self) -> bool {
        match self {
            Self::None => true,
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// Its number in frames.
    pub(super) const fn id(self) -> u8 {
        self as u8
    }

    pub(super) fn of_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.id() == id)
    }

    /// The payload compressed, if that is smaller: its size as it was (u32), then the block.
    pub(crate) fn compress(self, payload: &Payload) -> Option<Payload> {
        let raw = payload.bytes();
        let size = u32::try_from(raw.len()).ok()?;
        // Worth it only if it is smaller: so no more room is needed, and what does not fit is not worth it.
        let room = raw.len().checked_sub(SIZE)?;
        let compressed = Payload::write(|out| {
            out.extend_from_slice(&size.to_le_bytes());
            let start = out.len();
            out.resize(start + room.max(self.least_room(raw.len())), 0);
            let written = self.compress_into(raw, &mut out[start..]).ok_or_else(too_large)?;
            out.truncate(start + written);
            Ok(())
        });
        compressed.ok().filter(|compressed| compressed.bytes().len() < raw.len())
    }

    /// The payload as it was. Bytes are untrusted: no room is made for more than `most`.
    pub(super) fn decompress(self, stored: &[u8], most: u64) -> Result<Cow<'_, [u8]>, Damage> {
        if self == Self::None {
            return Ok(Cow::Borrowed(stored));
        }
        if !self.is_built() {
            return Err(Damage::Compression);
        }
        let (size, block) = stored.split_first_chunk::<SIZE>().ok_or(Damage::Length)?;
        let size = u32::from_le_bytes(*size);
        if u64::from(size) > most || !self.can_hold(block, size) {
            return Err(Damage::Decompressed);
        }
        let mut raw = vec![0; size as usize];
        match self.decompress_into(block, &mut raw) {
            Some(written) if written == raw.len() => Ok(Cow::Owned(raw)),
            _ => Err(Damage::Decompressed),
        }
    }

    /// The room without which nothing is compressed at all.
    #[cfg_attr(not(feature = "lz4"), expect(unused_variables, reason = "only lz4 asks"))]
    fn least_room(self, size: usize) -> usize {
        match self {
            #[cfg(feature = "lz4")]
            Self::Lz4 => lz4_flex::block::get_maximum_output_size(size),
            _ => 0,
        }
    }

    /// Whether a block can become so large at all.
    fn can_hold(self, block: &[u8], size: u32) -> bool {
        // lz4 makes at most 255 bytes of one.
        self != Self::Lz4 || size as usize <= block.len().saturating_mul(255)
    }

    #[cfg_attr(not(any(feature = "lz4", feature = "zstd")), expect(unused_variables, reason = "nothing compresses"))]
    fn compress_into(self, raw: &[u8], out: &mut [u8]) -> Option<usize> {
        match self {
            #[cfg(feature = "lz4")]
            Self::Lz4 => lz4_flex::block::compress_into(raw, out).ok(),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::bulk::compress_to_buffer(raw, out, zstd::DEFAULT_COMPRESSION_LEVEL).ok(),
            _ => None,
        }
    }

    #[cfg_attr(not(any(feature = "lz4", feature = "zstd")), expect(unused_variables, reason = "nothing decompresses"))]
    fn decompress_into(self, block: &[u8], out: &mut [u8]) -> Option<usize> {
        match self {
            #[cfg(feature = "lz4")]
            Self::Lz4 => lz4_flex::block::decompress_into(block, out).ok(),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::bulk::decompress_to_buffer(block, out).ok(),
            _ => None,
        }
    }
}

/// Bytes of a size.
const SIZE: usize = 4;

/// Nobody is told.
const fn too_large() -> Error {
    Error::new(ErrorKind::Codec, "compress")
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|compression| compression.name() == name).ok_or_else(|| {
            Error::new(ErrorKind::Config, "compression").context("a compression is one of `none`, `lz4` and `zstd`")
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn built() -> impl Iterator<Item = Compression> {
        Compression::ALL.into_iter().filter(|compression| *compression != Compression::None && compression.is_built())
    }

    fn payload(bytes: &[u8]) -> Payload {
        Payload::write(|out| {
            out.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap()
    }

    const MOST: u64 = 1 << 20;

    #[test]
    fn each_is_found_by_its_name_and_number() {
        for (number, compression) in Compression::ALL.into_iter().enumerate() {
            assert_eq!(compression.to_string().parse::<Compression>().unwrap(), compression);
            assert_eq!(serde_json::to_string(&compression).unwrap(), format!("\"{compression}\""));
            assert_eq!((usize::from(compression.id()), Compression::of_id(number as u8)), (number, Some(compression)));
            assert_eq!(compression.check().is_ok(), compression.is_built());
        }
        assert!("gzip".parse::<Compression>().unwrap_err().to_string().contains("zstd"));
        assert_eq!(Compression::of_id(3), None);
    }

    #[test]
    fn text_gets_smaller_and_comes_back() {
        let text = "a layered cache for async services ".repeat(100);
        for compression in built() {
            let small = compression.compress(&payload(text.as_bytes())).unwrap();
            assert!(small.bytes().len() < text.len() / 5, "{compression}: {}", small.bytes().len());
            assert_eq!(*compression.decompress(small.bytes(), MOST).unwrap(), *text.as_bytes());
        }
    }

    #[test]
    fn what_does_not_get_smaller_is_left_alone() {
        let noise: Vec<u8> = blake3::Hasher::new().finalize_xof().take_bytes(4000);
        for compression in built() {
            for bytes in [&noise[..], b"", b"a", b"abcd", b"abcde"] {
                assert!(compression.compress(&payload(bytes)).is_none(), "{compression}: {}", bytes.len());
            }
        }
    }

    #[test]
    fn a_size_is_believed_no_further_than_the_bound_and_the_block_bear_it_out() {
        let text = vec![b'a'; 10_000];
        for compression in built() {
            let small = compression.compress(&payload(&text)).unwrap();
            let with_size = |size: u32| [&size.to_le_bytes()[..], &small.bytes()[SIZE..]].concat();
            assert!(compression.decompress(&with_size(10_000), 10_000).is_ok());
            for (size, most) in [(10_000, 9_999), (9_999, MOST), (10_001, MOST), (0, MOST), (u32::MAX, u64::MAX)] {
                let damage = compression.decompress(&with_size(size), most).unwrap_err();
                assert_eq!(damage, Damage::Decompressed, "{compression}: {size} of {most}");
            }
            assert_eq!(compression.decompress(b"abc", MOST), Err(Damage::Length));
            assert_eq!(compression.decompress(&u32::MAX.to_le_bytes(), u64::MAX), Err(Damage::Decompressed));
        }
    }

    trait TakeBytes {
        fn take_bytes(self, count: usize) -> Vec<u8>;
    }

    impl TakeBytes for blake3::OutputReader {
        fn take_bytes(mut self, count: usize) -> Vec<u8> {
            let mut bytes = vec![0; count];
            self.fill(&mut bytes);
            bytes
        }
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(bytes in prop::collection::vec(0u8..4, 0..2000)) {
            for compression in built() {
                if let Some(small) = compression.compress(&payload(&bytes)) {
                    prop_assert_eq!(&*compression.decompress(small.bytes(), MOST).unwrap(), &bytes[..]);
                }
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(size in 0u32..5000, block: Vec<u8>) {
            let stored = [&size.to_le_bytes()[..], &block].concat();
            for compression in built() {
                let _ = compression.decompress(&stored, 4000);
                let _ = compression.decompress(&block, 4000);
            }
        }
    }
}
