//! The serializer that writes a key's text.

use std::fmt::{self, Write};

use serde::{Serialize, Serializer, ser};

use crate::key::push_escaped;

/// Writes one value.
pub(super) struct Text<'o> {
    out: &'o mut String,
    depth: u32,
}

/// Why a key has no text. Does not quote it.
#[derive(Debug)]
pub(super) struct Unfit(pub(super) &'static str);

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
    /// Appends to `out` what nests no deeper than `depth`.
    pub(super) fn new(out: &'o mut String, depth: u32) -> Self {
        Self { out, depth }
    }

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
pub(super) struct Parts<'o> {
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
pub(super) struct Entries<'o> {
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
