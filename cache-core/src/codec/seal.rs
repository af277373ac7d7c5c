//! Telling the fleet's own frames from those of others who can write to the shared store.
//!
//! A sealed frame carries a keyed hash (BLAKE3) of the entry's name in the store and of all its other bytes. It shows that
//! somebody who has the key wrote this for this entry: what was forged, changed, or moved here from another key is damaged.
//! It does not show that this is the latest that was written for it: epochs are kept beside the frame and belong to the store,
//! and who may write there can put back an old frame together with the epochs that it had.

use std::fmt;

use blake3::Hasher;

use crate::{Error, ErrorKind, Result, key::EntryKey};

/// A secret that the processes of a fleet share, by which they know their own entries in L2:
/// see [`StackBuilder::integrity`](crate::StackBuilder::integrity).
///
/// `Debug` does not show it.
#[derive(Clone)]
pub struct IntegrityKey([u8; 32]);

impl IntegrityKey {
    /// These bytes, which must come from a random generator.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Derived from a secret of any form that nobody can guess, such as a long random text from the environment. A password
    /// that people choose is none.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for one of less than 32 bytes.
    pub fn derive(secret: impl AsRef<[u8]>) -> Result<Self> {
        let secret = secret.as_ref();
        if secret.len() < 32 {
            let context = "the secret of an integrity key has less than 32 bytes; make one by `openssl rand -hex 32`";
            return Err(Error::new(ErrorKind::Config, "integrity").context(context));
        }
        Ok(Self(blake3::derive_key("cache-core 2026-11 integrity of frames", secret)))
    }

    /// The hash of a frame's bytes under an entry's name. `EntryKey`'s stem has no bytes of a fixed place, so its size goes first.
    fn hash(&self, entry: &EntryKey, body: &[u8]) -> blake3::Hash {
        let stem = entry.stem().as_bytes();
        let mut hasher = Hasher::new_keyed(&self.0);
        hasher.update(&(stem.len() as u64).to_le_bytes()).update(stem).update(&entry.version().to_le_bytes());
        hasher.update(body).finalize()
    }
}

impl From<[u8; 32]> for IntegrityKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(…)")
    }
}

/// What a stack seals with, and what else it accepts.
pub(crate) struct Seal {
    pub(crate) key: IntegrityKey,
    pub(crate) accepted: Vec<IntegrityKey>,
}

/// Bytes of a seal.
pub(super) const SEAL: usize = blake3::OUT_LEN;

impl Seal {
    pub(super) fn of(&self, entry: &EntryKey, body: &[u8]) -> [u8; SEAL] {
        *self.key.hash(entry, body).as_bytes()
    }

    /// Whether `seal` is one of ours. Takes as long for a near miss as for any other.
    pub(super) fn fits(&self, entry: &EntryKey, body: &[u8], seal: [u8; SEAL]) -> bool {
        let seal = blake3::Hash::from_bytes(seal);
        [&self.key].into_iter().chain(&self.accepted).any(|key| key.hash(entry, body) == seal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_nothing_of_itself_and_comes_of_no_short_secret() {
        let key = IntegrityKey::new([7; 32]);
        assert_eq!(format!("{key:?}"), "IntegrityKey(…)");
        let error = IntegrityKey::derive("hunter2").unwrap_err();
        assert!(error.to_string().contains("32 bytes") && !error.to_string().contains("hunter2"));
        let derived = IntegrityKey::derive([7; 32]).unwrap();
        assert_ne!(derived.0, key.0);
    }
}
