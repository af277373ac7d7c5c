//! May this entry from L2 be served?
//!
//! One definition, used for every entry that comes from L2: it was written by this codec for this key and schema, and it
//! is [valid](crate::coherence::validity).

use std::time::Duration;

use crate::{
    backend::{Found, Stored},
    codec::{
        ValueCodec,
        frame::{self, Damage, Frame},
        seal::Seal,
    },
    coherence::{
        ledger::Ledger,
        validity::{Present, SCOPES, Validity},
    },
    entry::Span,
    key::EntryKey,
    tag::Tags,
    token::{EntryId, Epoch},
};

/// What a reader holds an entry against.
pub(crate) struct Judge<'a, V> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) codec: &'a dyn ValueCodec<V>,
    pub(crate) entry: &'a EntryKey,
    /// The key's full text.
    pub(crate) key: &'a str,
    /// Without which nothing is read, if there is one.
    pub(crate) seal: Option<&'a Seal>,
    /// The most bytes that a compressed value may become.
    pub(crate) most: u64,
    /// The tags that the call names.
    pub(crate) declared: &'a Tags,
    /// The tags whose epochs were asked for, after those of namespace and cache.
    pub(crate) asked: &'a Tags,
}

/// The judgement.
pub(crate) enum Verdict<V> {
    /// It may be served.
    Usable(Promotion<V>),
    /// There is none.
    Absent,
    /// It was invalidated, or its tags are not those of the call: dead, but as it should be.
    Dead(EntryId),
    /// It has tags whose epochs were not asked for: ask again.
    Unknown(EntryId, Tags),
    /// It can't be read.
    Damaged(EntryId, &'static str),
    /// It is what this codec wrote for this schema, and yet the codec can't read it back.
    Unreadable(EntryId, crate::Error),
}

/// Why an entry can't be read that another type of the same cache and version wrote.
pub(crate) const OTHER_SCHEMA: &str = "it was written for another schema";

/// A usable entry.
pub(crate) struct Promotion<V> {
    pub(crate) value: V,
    pub(crate) id: EntryId,
    pub(crate) span: Span,
    /// How long its load took.
    pub(crate) cost: Duration,
    /// Whether it was marked as stale.
    pub(crate) expired: bool,
    pub(crate) tags: Tags,
    pub(crate) validator: Option<Box<str>>,
    /// Bytes of the frame, its payload as the codec wrote it.
    pub(crate) size: usize,
}

impl<V> Judge<'_, V> {
    pub(crate) fn judge(&self, found: Found) -> Verdict<V> {
        let Found { entry, epochs, expired } = found;
        match entry {
            Some(stored) => self.read(&stored, &epochs, &expired),
            None => Verdict::Absent,
        }
    }

    fn read(&self, stored: &Stored, current: &[Option<Epoch>], expired: &[Epoch]) -> Verdict<V> {
        let frame = match Frame::parse(&stored.frame) {
            Ok(frame) => frame,
            Err(damage) => return Verdict::Damaged(stored.id, damage.name()),
        };
        if self.seal.is_some_and(|seal| !frame::is_sealed(&stored.frame, seal, self.entry)) {
            return Verdict::Damaged(stored.id, Damage::Seal.name());
        }
        if let Some(why) = self.mismatch(&frame, stored) {
            return Verdict::Damaged(stored.id, why);
        }
        let Some(remaining) = stored.remaining else {
            return Verdict::Damaged(stored.id, "it has no expiry");
        };
        let present = Present { declared: self.declared, asked: self.asked, epochs: current, expired };
        let is_expired = match present.weigh(&frame.tags, &stored.epochs) {
            Validity::Current => stored.expired,
            Validity::Expired => true,
            Validity::Dead => return Verdict::Dead(stored.id),
            Validity::Unknown => return Verdict::Unknown(stored.id, self.ledger.tags(&frame.tags)),
        };
        let payload = match frame.unpacked(self.most) {
            Ok(payload) => payload,
            Err(damage) => return Verdict::Damaged(stored.id, damage.name()),
        };
        match self.codec.decode(&payload) {
            Ok(value) => {
                let tags = self.asked.only(&frame.tags);
                let span = span(&frame, remaining);
                Verdict::Usable(Promotion {
                    value,
                    id: stored.id,
                    span,
                    cost: Duration::from_millis(frame.load_ms),
                    expired: is_expired,
                    tags,
                    validator: frame.validator.map(Into::into),
                    size: stored.frame.len() - frame.payload.len() + payload.len(),
                })
            }
            Err(error) => Verdict::Unreadable(stored.id, error),
        }
    }

    fn mismatch(&self, frame: &Frame<'_>, stored: &Stored) -> Option<&'static str> {
        if frame.codec != self.codec.id() {
            return Some("it was written by another codec");
        }
        if frame.fingerprint != self.codec.fingerprint() {
            return Some(OTHER_SCHEMA);
        }
        if frame.key != self.key {
            return Some("it belongs to another key");
        }
        if stored.epochs.len() != frame.tags.len() + SCOPES {
            return Some(Damage::Length.name());
        }
        None
    }
}

fn span(frame: &Frame<'_>, remaining: Duration) -> Span {
    let life = Duration::from_millis(frame.life_ms);
    // The store's time to live can only have been read early, so it is an upper bound; and never above what was given.
    let left = remaining.min(life);
    let age = Duration::from_millis(frame.load_ms) + (life - left);
    Span { age, ttl: Duration::from_millis(frame.ttl_ms), left }
}
