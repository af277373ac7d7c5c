//! How a key becomes text: the form is told in the [parent module](super).

mod text;

use std::sync::Arc;

use serde::Serialize;

use self::text::{Text, Unfit};
use super::Namespace;
use crate::{Error, ErrorKind, Result};

/// Text up to this many bytes is used as it is.
const LONGEST: usize = 200;

/// How much of a longer one is kept for reading.
const PREFIX: usize = 64;

/// How deep a key may nest.
const DEPTH: u32 = 128;

/// A key as text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeyText {
    /// What stands for it in a store's names: without braces, not empty, at most 200 bytes.
    pub(crate) text: Arc<str>,
    /// All of it, to be stored with the entry and compared.
    pub(crate) full: Arc<str>,
}

/// The full text of a key, if it has one.
pub(crate) fn text<K: Serialize + ?Sized>(key: &K) -> Option<Arc<str>> {
    encode(key, &[0; 32]).ok().map(|text| text.full)
}

/// Encodes `key`; `domain` is that of the namespace.
///
/// # Errors
/// [`ErrorKind::Codec`] if its `Serialize` fails or it nests deeper than 128.
pub(crate) fn encode<K: Serialize + ?Sized>(key: &K, domain: &[u8; 32]) -> Result<KeyText> {
    let mut out = String::new();
    key.serialize(Text::new(&mut out, DEPTH)).map_err(|Unfit(why)| Error::new(ErrorKind::Codec, "key").context(why))?;
    let full: Arc<str> = out.into();
    let text = if full.len() <= LONGEST { Arc::clone(&full) } else { shorten(&full, domain).into() };
    Ok(KeyText { text, full })
}

/// What keeps the hashes of long keys apart between namespaces.
pub(crate) fn domain(namespace: &Namespace) -> [u8; 32] {
    blake3::derive_key("cache-core 2025 long keys v1", namespace.0.as_bytes())
}

fn shorten(full: &str, domain: &[u8; 32]) -> String {
    format!("{}~{}", beginning(full), blake3::keyed_hash(domain, full.as_bytes()).to_hex())
}

/// The first bytes of `full`, without a torn character or a torn escape.
fn beginning(full: &str) -> &str {
    let end = (0..=PREFIX).rev().find(|&at| full.is_char_boundary(at)).unwrap_or(0);
    match full[..end].rfind('%') {
        Some(escape) if escape + 3 > end => &full[..escape],
        _ => &full[..end],
    }
}

#[cfg(test)]
mod tests;
