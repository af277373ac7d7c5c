//! How a key becomes text.
//!
//! Any `Serialize` type is a key. Its text is readable, holds no brace and is never empty; different keys of a type have
//! different texts. `Debug` is never asked.
//!
//! | value | text |
//! |---|---|
//! | `7`, `-7` | `7`, `-7` |
//! | `"alice"` | `alice` |
//! | `""`, `"7"`, `"true"`, `"_x"` | `'`, `'7`, `'true`, `'_x`: with a quote where it could be taken for something else |
//! | `"a b{c}"` | `a%20b%7Bc%7D` |
//! | `true`, `()` | `true`, `()` |
//! | `None`, `Some(7)`, `Some("")` | `_`, `+7`, `+'` |
//! | `(7, "alice")` | `(7,alice)` |
//! | `Key { org: 7, id: 3 }` | `(org=7,id=3)` |
//! | `UserId(7)` | `7` |
//! | `Plan::Free`, `Plan::Paid(3)` | `.Free`, `.Paid(3)` |
//! | `vec![1, 2]` | `[1,2]` |
//! | a map | `[a=1,b=2]`, sorted by text, `[=]` if empty |
//! | bytes | `0x00ff` |
//! | `1.5_f64` | `0f3ff8000000000000`, its bits |
//!
//! "Different" is meant as serde sees values, with these limits: the width of an integer, the name of a type, and
//! whether a letter is a `char` or a `String` are not told apart, which only an untagged enum could make use of; the
//! empty tuple is `()`; `0.0` and `-0.0` differ; a `HashSet` is a sequence to serde, so its order is part of the key:
//! use a `BTreeSet`.
//!
//! Text of more than 200 bytes is replaced by its beginning, `~` and a keyed 256-bit hash of all of it. No other text
//! has a `~`. The hash is not trusted: the full text is stored with the entry and compared.

use std::{fmt, fmt::Write, sync::Arc};

use serde::{Serialize, Serializer, ser};

use super::{Namespace, push_escaped};
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

/// Encodes `key`; `domain` is that of the namespace.
///
/// # Errors
/// [`ErrorKind::Codec`] if its `Serialize` fails or it nests deeper than 128.
pub(crate) fn encode<K: Serialize + ?Sized>(key: &K, domain: &[u8; 32]) -> Result<KeyText> {
    let mut out = String::new();
    key.serialize(Text { out: &mut out, depth: DEPTH })
        .map_err(|Unfit(why)| Error::new(ErrorKind::Codec, "key").context(why))?;
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

/// Writes one value.
struct Text<'o> {
    out: &'o mut String,
    depth: u32,
}

/// Why a key has no text. Does not quote it.
#[derive(Debug)]
struct Unfit(&'static str);

type Written<T = ()> = std::result::Result<T, Unfit>;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unfit {}

impl ser::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("the `Serialize` of the key's type failed")
    }
}

impl<'o> Text<'o> {
    fn deeper(self) -> Written<Self> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(Unfit("the key nests too deeply")),
        }
    }

    fn raw(self, text: &str) -> Written {
        self.out.push_str(text);
        Ok(())
    }

    fn plain(self, text: impl fmt::Display) -> Written {
        write!(self.out, "{text}").expect("writing to a string");
        Ok(())
    }

    fn variant(self, name: &str) -> Self {
        self.out.push('.');
        push_text(self.out, name);
        self
    }

    fn parts(self, close: char) -> Written<Parts<'o>> {
        let Self { out, depth } = self.deeper()?;
        out.push(if close == ']' { '[' } else { '(' });
        Ok(Parts { start: out.len(), out, depth, close })
    }
}

/// Whether a string could be taken for something else.
fn is_ambiguous(text: &str) -> bool {
    matches!(text, "true" | "false")
        || !text.starts_with(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-' | '\'' | '.' | '_'))
}

fn push_text(out: &mut String, text: &str) {
    for c in text.chars() {
        push_escaped(out, c, |c| matches!(c, '(' | ')' | '[' | ']' | ',' | '=' | ':' | '~'));
    }
}

macro_rules! plain {
    ($($method:ident: $type:ty;)*) => {
        $(fn $method(self, value: $type) -> Written {
            self.plain(value)
        })*
    };
}

impl<'o> Serializer for Text<'o> {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Parts<'o>;
    type SerializeTuple = Parts<'o>;
    type SerializeTupleStruct = Parts<'o>;
    type SerializeTupleVariant = Parts<'o>;
    type SerializeMap = Entries<'o>;
    type SerializeStruct = Parts<'o>;
    type SerializeStructVariant = Parts<'o>;

    plain! {
        serialize_bool: bool;
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.plain(format_args!("0f{:08x}", value.to_bits()))
    }

    fn serialize_f64(self, value: f64) -> Written {
        self.plain(format_args!("0f{:016x}", value.to_bits()))
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Written {
        if is_ambiguous(value) {
            self.out.push('\'');
        }
        push_text(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.out.push_str("0x");
        for byte in value {
            write!(self.out, "{byte:02x}").expect("writing to a string");
        }
        Ok(())
    }

    fn serialize_none(self) -> Written {
        self.raw("_")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.out.push('+');
        value.serialize(self.deeper()?)
    }

    fn serialize_unit(self) -> Written {
        self.raw("()")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.variant(variant).raw("")
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self.deeper()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let mut parts = self.variant(variant).parts(')')?;
        parts.push(value)?;
        parts.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Written<Parts<'o>> {
        self.parts(']')
    }

    fn serialize_tuple(self, _: usize) -> Written<Parts<'o>> {
        self.parts(')')
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Written<Parts<'o>> {
        self.parts(')')
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Written<Parts<'o>> {
        self.variant(variant).parts(')')
    }

    fn serialize_map(self, _: Option<usize>) -> Written<Entries<'o>> {
        let Self { out, depth } = self.deeper()?;
        Ok(Entries { out, depth, key: String::new(), entries: Vec::new() })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Written<Parts<'o>> {
        self.parts(')')
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Written<Parts<'o>> {
        self.variant(variant).parts(')')
    }
}

/// Writes what is inside brackets.
struct Parts<'o> {
    out: &'o mut String,
    depth: u32,
    start: usize,
    close: char,
}

impl Parts<'_> {
    fn separate(&mut self) {
        if self.out.len() > self.start {
            self.out.push(',');
        }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.separate();
        value.serialize(Text { out: self.out, depth: self.depth })
    }

    fn push_named<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Written {
        self.separate();
        push_text(self.out, name);
        self.out.push('=');
        value.serialize(Text { out: self.out, depth: self.depth })
    }

    fn close(self) -> Written {
        self.out.push(self.close);
        Ok(())
    }
}

macro_rules! parts {
    ($($trait:ident::$method:ident($($name:ident: $type:ty)?) => $push:ident;)*) => {
        $(impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = Unfit;

            fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Written {
                self.$push($($name,)? value)
            }

            fn end(self) -> Written {
                self.close()
            }
        })*
    };
}

parts! {
    SerializeSeq::serialize_element() => push;
    SerializeTuple::serialize_element() => push;
    SerializeTupleStruct::serialize_field() => push;
    SerializeTupleVariant::serialize_field() => push;
    SerializeStruct::serialize_field(name: &'static str) => push_named;
    SerializeStructVariant::serialize_field(name: &'static str) => push_named;
}

/// Collects the entries of a map, to write them sorted: a `HashMap` has no order of its own.
struct Entries<'o> {
    out: &'o mut String,
    depth: u32,
    key: String,
    entries: Vec<(String, String)>,
}

impl Entries<'_> {
    fn text<T: Serialize + ?Sized>(&self, value: &T) -> Written<String> {
        let mut out = String::new();
        value.serialize(Text { out: &mut out, depth: self.depth })?;
        Ok(out)
    }
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.key = self.text(key)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let value = self.text(value)?;
        self.entries.push((std::mem::take(&mut self.key), value));
        Ok(())
    }

    fn end(mut self) -> Written {
        self.entries.sort_unstable();
        self.out.push('[');
        if self.entries.is_empty() {
            self.out.push('=');
        }
        for (i, (key, value)) in self.entries.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            write!(self.out, "{separator}{key}={value}").expect("writing to a string");
        }
        self.out.push(']');
        Ok(())
    }
}

#[cfg(test)]
mod tests;
