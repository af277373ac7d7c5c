//! A deserializer without any bytes.

use std::fmt::{self, Display};

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor},
};

use super::Shape;

/// Answers requests for one value.
pub(super) struct Explorer<'s> {
    shape: &'s mut Shape,
    depth: u32,
}

impl<'s> Explorer<'s> {
    /// Notes what it is asked for in `shape`, down to `depth` levels.
    pub(super) fn new(shape: &'s mut Shape, depth: u32) -> Self {
        Self { shape, depth }
    }
}

/// Exploring ends here: the type refused a sample, or a limit was reached.
#[derive(Debug)]
pub(super) struct Stop;

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type can't be explored further")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

macro_rules! samples {
    ($($method:ident => $visit:ident($($sample:expr)?);)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            self.shape.note(stringify!($visit))?;
            visitor.$visit($($sample)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Explorer<'_> {
    type Error = Stop;

    // One is not zero, is in most ranges, and is a date's first month and day; the text is a moment in time.
    samples! {
        deserialize_bool => visit_bool(false);
        deserialize_i8 => visit_i8(1);
        deserialize_i16 => visit_i16(1);
        deserialize_i32 => visit_i32(1);
        deserialize_i64 => visit_i64(1);
        deserialize_i128 => visit_i128(1);
        deserialize_u8 => visit_u8(1);
        deserialize_u16 => visit_u16(1);
        deserialize_u32 => visit_u32(1);
        deserialize_u64 => visit_u64(1);
        deserialize_u128 => visit_u128(1);
        deserialize_f32 => visit_f32(1.0);
        deserialize_f64 => visit_f64(1.0);
        deserialize_char => visit_char('a');
        deserialize_str => visit_borrowed_str("1970-01-01T00:00:00Z");
        deserialize_string => visit_borrowed_str("1970-01-01T00:00:00Z");
        deserialize_bytes => visit_borrowed_bytes(&[0; 16]);
        deserialize_byte_buf => visit_borrowed_bytes(&[0; 16]);
        deserialize_unit => visit_unit();
        deserialize_ignored_any => visit_unit();
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.shape.note("any")?;
        Err(Stop)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.shape.note("identifier")?;
        Err(Stop)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.shape.note("option")?;
        if self.shape.recurs() {
            return visitor.visit_none();
        }
        visitor.visit_some(self.deeper()?)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Stop> {
        self.shape.note("unit struct")?;
        self.shape.within(name, |_| visitor.visit_unit())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Stop> {
        self.shape.note("newtype")?;
        let Explorer { shape, depth } = self.deeper()?;
        shape.within(name, |shape| visitor.visit_newtype_struct(Explorer { shape, depth }))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.shape.note("seq")?;
        let left = self.sample_len();
        visitor.visit_seq(self.row(left)?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.shape.note("map")?;
        let left = self.sample_len();
        visitor.visit_map(self.row(left)?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.shape.note("tuple")?;
        self.shape.hash.number(len);
        visitor.visit_seq(self.row(len)?)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.shape.note("tuple struct")?;
        self.shape.hash.number(len);
        let depth = self.depth;
        self.shape.within(name, |shape| visitor.visit_seq(Explorer { shape, depth }.row(len)?))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.shape.note("struct")?;
        self.shape.note_names(fields);
        let depth = self.depth;
        self.shape.within(name, |shape| visitor.visit_seq(Explorer { shape, depth }.row(fields.len())?))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.shape.note("enum")?;
        self.shape.note_names(variants);
        let Explorer { shape, depth } = self.deeper()?;
        shape.within(name, |shape| {
            let (index, visits) = shape.enums.entry((name, variants)).or_default().choose(variants.len());
            shape.hash.number(index);
            let value = visitor.visit_enum(Choice { index, explorer: Explorer { shape: &mut *shape, depth } })?;
            shape.enums.entry((name, variants)).or_default().completed(index, visits);
            Ok(value)
        })
    }

    /// As the codecs without names say of themselves.
    fn is_human_readable(&self) -> bool {
        false
    }
}

impl<'s> Explorer<'s> {
    fn deeper(self) -> Result<Self, Stop> {
        let depth = self.depth.checked_sub(1).ok_or(Stop)?;
        Ok(Self { depth, ..self })
    }

    fn row(self, left: usize) -> Result<Row<'s>, Stop> {
        let Self { shape, depth } = self.deeper()?;
        Ok(Row { shape, depth, left })
    }

    fn sample_len(&self) -> usize {
        if self.shape.recurs() { 0 } else { 1 }
    }
}

/// Elements, fields or entries.
struct Row<'s> {
    shape: &'s mut Shape,
    depth: u32,
    left: usize,
}

impl Row<'_> {
    fn explorer(&mut self) -> Explorer<'_> {
        Explorer { shape: self.shape, depth: self.depth }
    }
}

impl<'de> SeqAccess<'de> for Row<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        match self.left.checked_sub(1) {
            None => Ok(None),
            Some(left) => {
                self.left = left;
                seed.deserialize(self.explorer()).map(Some)
            }
        }
    }
}

impl<'de> MapAccess<'de> for Row<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self.explorer())
    }
}

/// A variant that was chosen.
struct Choice<'s> {
    index: usize,
    explorer: Explorer<'s>,
}

impl<'s, 'de> EnumAccess<'de> for Choice<'s> {
    type Error = Stop;
    type Variant = Explorer<'s>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Explorer<'s>), Stop> {
        let index = u32::try_from(self.index).map_err(|_| Stop)?;
        Ok((seed.deserialize(index.into_deserializer())?, self.explorer))
    }
}

impl<'de> VariantAccess<'de> for Explorer<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        self.shape.note("unit variant")
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        self.shape.note("newtype variant")?;
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Stop> {
        self.shape.note("struct variant")?;
        self.shape.note_names(fields);
        visitor.visit_seq(self.row(fields.len())?)
    }
}
