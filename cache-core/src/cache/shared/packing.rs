//! Values on their way into frames: encoded, measured, compressed. What can't be stored is refused here, and what of it can't be
//! read back is noted.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;

use super::Shared;
use crate::{
    cache::{CacheKey, CacheValue},
    codec::{
        self, Compression,
        frame::{Damage, Frame, MAX_TAGS, Payload},
    },
    coherence::course::Loaded,
    error::{Error, Result},
    flight::{Cargo, MIN_LIFE},
    judge::OTHER_SCHEMA,
    key::{EntryKey, encode::KeyText},
    policy::Policy,
    stats::Event,
};

/// How many of the first values are read back before they are stored.
pub(super) const VERIFIED: u32 = 16;

impl<K: CacheKey, V: CacheValue> Shared<K, V> {
    /// Encodes a value for the tiers that need it so, and says where it may be stored.
    pub(crate) fn pack(&self, policy: &Policy, cargo: &mut Cargo<V>) -> Loaded {
        if cargo.ttl < MIN_LIFE {
            return Loaded::Drop;
        }
        if cargo.tags.len() > MAX_TAGS {
            self.stack.problems.report(&self.label, "tags", || {
                format!("an entry has at most {MAX_TAGS} tags, its loader named more: it is not stored")
            });
            return Loaded::Drop;
        }
        if !self.is_measured(policy) {
            return Loaded::Keep;
        }
        let payload = match self.encode_value(&cargo.value) {
            Ok(payload) => payload,
            Err(error) => {
                self.note_refused(&error);
                return Loaded::KeepHere;
            }
        };
        let size = payload.bytes().len();
        if size as u64 > policy.max_value_size {
            self.counters.count(Event::TooLarge);
            self.stack.problems.report(&self.label, "size", || {
                let limit = policy.max_value_size;
                format!("a value of {size} bytes is not stored: max_value_size is {limit}")
            });
            return Loaded::Drop;
        }
        cargo.size = Some(size);
        cargo.payload = Some(payload);
        Loaded::Keep
    }

    fn encode_value(&self, value: &V) -> Result<Payload> {
        let payload = Payload::write(|out| self.codec.encode(value, out))?;
        self.verify(value, payload.bytes())?;
        Ok(payload)
    }

    /// Whether anything needs the encoded value, or its size.
    fn is_measured(&self, policy: &Policy) -> bool {
        let is_weighed = self.weigher.is_none() && self.stack.store.is_weighed();
        self.l2().is_some() || is_weighed || policy.max_value_size != Policy::default().max_value_size
    }

    /// A type that its codec can't read back must not be stored in silence, to be missed for ever. The first values are
    /// read back before they are stored; after an unreadable entry was met, so are the next ones.
    fn verify(&self, value: &V, payload: &[u8]) -> Result<()> {
        let left = self.unverified.load(Ordering::Relaxed);
        if left == 0 || self.l2().is_none() {
            return Ok(());
        }
        self.codec.verify(value, payload)?;
        // Two at once may count as one: that verifies one value more.
        self.unverified.store(left - 1, Ordering::Relaxed);
        Ok(())
    }

    /// The frame of a loaded value; `tags` are in the order of the epochs that are stored beside it. None if it does not
    /// fit into one.
    #[expect(clippy::too_many_arguments, reason = "each goes into the frame")]
    pub(crate) fn frame(
        &self,
        policy: &Policy,
        (text, entry_key): (&KeyText, &EntryKey),
        cargo: &Cargo<V>,
        payload: Payload,
        tags: Vec<&str>,
        load: Duration,
        life: Duration,
    ) -> Option<Bytes> {
        let (payload, compression) = self.compress(policy, payload);
        let frame = Frame {
            codec: self.codec.id(),
            fingerprint: self.codec.fingerprint(),
            negative: codec::is_negative(&cargo.value),
            life_ms: millis(life),
            load_ms: millis(load),
            ttl_ms: millis(cargo.ttl),
            tags,
            key: &text.full,
            validator: cargo.validator.as_deref(),
            compression,
            payload,
        };
        let seal = self.stack.settings.seal.as_ref().map(|seal| (seal, entry_key));
        frame.encode(seal).inspect_err(|error| self.note_refused(error)).ok()
    }

    fn compress(&self, policy: &Policy, payload: Payload) -> (Payload, Compression) {
        let size = payload.bytes().len();
        if policy.compression == Compression::None || size as u64 <= policy.compress_above {
            return (payload, Compression::None);
        }
        let Some(compressed) = policy.compression.compress(&payload) else { return (payload, Compression::None) };
        self.counters.count(Event::Compressed);
        self.counters.add(Event::CompressionSaved, (size - compressed.bytes().len()) as u64);
        (compressed, policy.compression)
    }

    pub(crate) fn note_damage(&self, why: &'static str) {
        self.counters.count(Event::Damaged);
        crate::trace::damaged(&self.label, why);
        if why == Damage::Seal.name() {
            self.counters.count(Event::Unsealed);
        }
        if why == Damage::Compression.name() {
            self.stack.problems.report(&self.label, "compression", || {
                "an entry in L2 is compressed in a way that is not in this build: switch on the features `lz4` and `zstd`".into()
            });
        }
        if why == OTHER_SCHEMA {
            self.stack.problems.report(&self.label, "schema", || {
                let version = self.version;
                format!(
                    "an entry in L2 was written for another type under version {version}: raise the cache's version"
                )
            });
        }
    }

    /// The codec can't read what it wrote for this very schema: the next values are verified again, and refused.
    pub(crate) fn note_unreadable(&self, error: &Error) {
        self.counters.count(Event::Damaged);
        self.unverified.store(VERIFIED, Ordering::Relaxed);
        self.stack.problems.report(&self.label, "unreadable", || format!("an entry in L2 can't be read back: {error}"));
    }

    fn note_refused(&self, error: &Error) {
        self.counters.count(Event::CodecRefused);
        self.stack.problems.report(&self.label, "codec", || format!("values are not stored in L2: {error}"));
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
