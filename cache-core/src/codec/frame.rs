//! What is stored in L2, format version 1.
//!
//! ```text
//!  0  magic          CA C4 E5
//!  3  version        01
//!  4  flags          u8    bit 0: the value is "there is nothing"; bit 1: it has a validator;
//!                          bits 2 and 3: 1 if the payload is compressed by lz4, 2 by zstd; bit 4: it is
//!                          sealed; the others are 0
//!  5  codec          u8
//!  6  tags           u16   how many, at most 64
//!  8  fingerprint    u64   of codec and type
//! 16  life           u64   milliseconds that the entry was given to live at the fill
//! 24  load           u64   milliseconds from the start of the load to the fill
//! 32  ttl            u64   milliseconds from the start of the load for which it is fresh
//! 40  payload size   u32
//! 44  key size       u32
//! 48  payload, key, then each tag as size (u32) and text, then the validator, if it has one, likewise
//!     seal         32 B    if it is sealed: keyed BLAKE3 hash of the entry's name and everything before
//!     crc32          u32   of everything before
//! ```
//!
//! Numbers are little-endian. A compressed payload is the size that it had (u32), and the compressed block. The payload comes first, so that a codec appends to the buffer that is stored and its
//! size is known before the rest is decided. The entry's id, its epochs and its expiry are kept beside the frame by the
//! backend.
//!
//! Reading allocates one list of at most 64 tags, after every size was compared with what is there.

use std::{borrow::Cow, fmt};

use bytes::Bytes;

use super::{
    Compression,
    seal::{SEAL, Seal},
};
use crate::{Error, ErrorKind, Result, key::EntryKey};

/// The most tags that an entry can have.
pub(crate) const MAX_TAGS: usize = 64;

const MAGIC: [u8; 3] = [0xCA, 0xC4, 0xE5];
const VERSION: u8 = 1;
const NEGATIVE: u8 = 1;
const VALIDATOR: u8 = 2;
/// Where the number of the compression begins, which has two bits.
const COMPRESSION: u8 = 2;
const COMPRESSIONS: u8 = 0b11 << COMPRESSION;
const SEALED: u8 = 1 << 4;
const HEADER: usize = 48;
const CHECKSUM: usize = 4;

/// A frame: `P` is the bytes of its payload when it was read, and a [`Payload`] to write one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame<'a, P = &'a [u8]> {
    /// [`Codec::ID`](super::Codec::ID) of the codec that wrote the payload.
    pub(crate) codec: u8,
    /// [`ValueCodec::fingerprint`](super::ValueCodec::fingerprint) of it.
    pub(crate) fingerprint: u64,
    /// Whether the value says that there is nothing.
    pub(crate) negative: bool,
    /// The time to live that the entry was given at the fill.
    pub(crate) life_ms: u64,
    /// From the start of the load to the fill.
    pub(crate) load_ms: u64,
    /// For how long it is fresh, from the start of the load.
    pub(crate) ttl_ms: u64,
    /// The entry's tags, at most [`MAX_TAGS`].
    pub(crate) tags: Vec<&'a str>,
    /// The key's full text, to be compared with the one that was asked for.
    pub(crate) key: &'a str,
    /// By which the origin knows what it gave.
    pub(crate) validator: Option<&'a str>,
    /// What was done to the payload.
    pub(crate) compression: Compression,
    /// The encoded value.
    pub(crate) payload: P,
}

impl Frame<'_, Payload> {
    /// Completes the buffer that the payload was written to, sealed for an entry if it is to be.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`]: too many tags, or a part of 4 GiB or more.
    pub(crate) fn encode(self, seal: Option<(&Seal, &EntryKey)>) -> Result<Bytes> {
        if self.tags.len() > MAX_TAGS {
            return Err(unstorable(format!("an entry has at most {MAX_TAGS} tags")));
        }
        let mut header = [0; HEADER];
        header[..3].copy_from_slice(&MAGIC);
        header[3] = VERSION;
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        header[4] = flag(self.negative, NEGATIVE) | flag(self.validator.is_some(), VALIDATOR);
        header[4] |= self.compression.id() << COMPRESSION | flag(seal.is_some(), SEALED);
        header[5] = self.codec;
        header[6..8].copy_from_slice(&(self.tags.len() as u16).to_le_bytes());
        header[8..16].copy_from_slice(&self.fingerprint.to_le_bytes());
        header[16..24].copy_from_slice(&self.life_ms.to_le_bytes());
        header[24..32].copy_from_slice(&self.load_ms.to_le_bytes());
        header[32..40].copy_from_slice(&self.ttl_ms.to_le_bytes());
        header[40..44].copy_from_slice(&size(self.payload.bytes())?);
        header[44..48].copy_from_slice(&size(self.key.as_bytes())?);

        let texts = || self.tags.iter().copied().chain(self.validator);
        let tail = self.key.len() + texts().map(|text| 4 + text.len()).sum::<usize>() + CHECKSUM;
        let tail = tail + if seal.is_some() { SEAL } else { 0 };
        let mut out = self.payload.0;
        out.reserve_exact(tail);
        out[..HEADER].copy_from_slice(&header);
        out.extend_from_slice(self.key.as_bytes());
        for text in texts() {
            out.extend_from_slice(&size(text.as_bytes())?);
            out.extend_from_slice(text.as_bytes());
        }
        if let Some((seal, entry)) = seal {
            let seal = seal.of(entry, &out);
            out.extend_from_slice(&seal);
        }
        let checksum = crc32fast::hash(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        Ok(out.into())
    }
}

fn size(part: &[u8]) -> Result<[u8; 4]> {
    match u32::try_from(part.len()) {
        Ok(size) => Ok(size.to_le_bytes()),
        Err(_) => Err(unstorable("a value, key or tag takes less than 4 GiB".into())),
    }
}

fn unstorable(context: String) -> Error {
    Error::new(ErrorKind::Codec, "frame").context(context)
}

/// The buffer that a codec appends to: what it writes is stored from where it stands.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Payload(Vec<u8>);

impl Payload {
    /// Has `encode` append to a new buffer.
    ///
    /// # Errors
    /// Those of `encode`, and [`ErrorKind::Codec`] if it took away what it had not written.
    pub(crate) fn write(encode: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<Self> {
        let mut buffer = Vec::with_capacity(512);
        buffer.resize(HEADER, 0);
        encode(&mut buffer)?;
        if buffer.len() < HEADER {
            return Err(unstorable("the codec did not append to the buffer, it shortened it".into()));
        }
        Ok(Self(buffer))
    }

    /// What was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0[HEADER..]
    }
}

impl<'a> Frame<'a> {
    /// Reads a frame from untrusted bytes. Panics on none.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Damage> {
        let mut rest = Rest(checked(bytes)?);
        let [flags, codec] = rest.array()?;
        let tags = usize::from(u16::from_le_bytes(rest.array()?));
        let fingerprint = u64::from_le_bytes(rest.array()?);
        let life_ms = u64::from_le_bytes(rest.array()?);
        let load_ms = u64::from_le_bytes(rest.array()?);
        let ttl_ms = u64::from_le_bytes(rest.array()?);
        let payload_size = u32::from_le_bytes(rest.array()?);
        let key_size = u32::from_le_bytes(rest.array()?);
        if flags & !(NEGATIVE | VALIDATOR | COMPRESSIONS | SEALED) != 0 {
            return Err(Damage::Flags);
        }
        let compression = (flags & COMPRESSIONS) >> COMPRESSION;
        let compression = Compression::of_id(compression).ok_or(Damage::Flags)?;
        if tags > MAX_TAGS {
            return Err(Damage::Tags);
        }
        let payload = rest.take(payload_size)?;
        let key = rest.text(key_size)?;
        let tags = (0..tags).map(|_| rest.sized_text()).collect::<Result<_, _>>()?;
        let validator = (flags & VALIDATOR != 0).then(|| rest.sized_text()).transpose()?;
        if flags & SEALED != 0 {
            rest.array::<SEAL>()?;
        }
        if !rest.0.is_empty() {
            return Err(Damage::Length);
        }
        let negative = flags & NEGATIVE != 0;
        Ok(Self { codec, fingerprint, negative, life_ms, load_ms, ttl_ms, tags, key, validator, compression, payload })
    }
}

impl Frame<'_> {
    /// The encoded value as its codec wrote it, at most so many bytes of it.
    pub(crate) fn unpacked(&self, most: u64) -> Result<Cow<'_, [u8]>, Damage> {
        self.compression.decompress(self.payload, most)
    }
}

/// Whether the bytes of a frame, which was [read](Frame::parse), were sealed for this entry.
pub(crate) fn is_sealed(bytes: &[u8], seal: &Seal, entry: &EntryKey) -> bool {
    let body = bytes.split_last_chunk::<CHECKSUM>().and_then(|(body, _)| body.split_last_chunk::<SEAL>());
    bytes[4] & SEALED != 0 && body.is_some_and(|(body, stored)| seal.fits(entry, body, *stored))
}

/// What is between version and checksum, if both are right.
fn checked(bytes: &[u8]) -> Result<&[u8], Damage> {
    if bytes.len() < HEADER + CHECKSUM {
        return Err(Damage::TooShort);
    }
    let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    let (magic, version, rest) = (&body[..3], body[3], &body[4..]);
    if magic != MAGIC {
        return Err(Damage::Magic);
    }
    if version != VERSION {
        return Err(Damage::Version);
    }
    if crc32fast::hash(body).to_le_bytes() != checksum {
        return Err(Damage::Checksum);
    }
    Ok(rest)
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Damage::Length)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn take(&mut self, size: u32) -> Result<&'a [u8], Damage> {
        let size = usize::try_from(size).map_err(|_| Damage::Length)?;
        let (taken, rest) = self.0.split_at_checked(size).ok_or(Damage::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    fn text(&mut self, size: u32) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.take(size)?).map_err(|_| Damage::Utf8)
    }

    fn sized_text(&mut self) -> Result<&'a str, Damage> {
        let size = u32::from_le_bytes(self.array()?);
        self.text(size)
    }
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Damage {
    /// Fewer bytes than the smallest frame has.
    TooShort,
    /// They were not written by this library.
    Magic,
    /// Another format version.
    Version,
    /// The checksum is of other bytes.
    Checksum,
    /// A flag that this version does not know.
    Flags,
    /// More tags than an entry has.
    Tags,
    /// A size that does not fit what is there.
    Length,
    /// A key or tag that is not text.
    Utf8,
    /// A compression that is not in this build.
    Compression,
    /// A compressed payload that is not what it says, or more than may be.
    Decompressed,
    /// No seal, or not that of this stack for this entry.
    Seal,
}

impl Damage {
    /// Its name in logs and counters.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::Magic => "magic",
            Self::Version => "version",
            Self::Checksum => "checksum",
            Self::Flags => "flags",
            Self::Tags => "tags",
            Self::Length => "length",
            Self::Utf8 => "utf8",
            Self::Compression => "compression",
            Self::Decompressed => "decompressed",
            Self::Seal => "seal",
        }
    }
}

impl<P> fmt::Debug for Frame<'_, P> {
    /// Shows neither key nor tags nor value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("codec", &self.codec)
            .field("fingerprint", &format_args!("{:016x}", self.fingerprint))
            .field("negative", &self.negative)
            .field("life_ms", &self.life_ms)
            .field("load_ms", &self.load_ms)
            .field("ttl_ms", &self.ttl_ms)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
