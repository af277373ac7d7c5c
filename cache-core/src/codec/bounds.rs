//! Limits for decoding untrusted bytes: how deep they may nest, and how many elements they may claim.
//!
//! Binary formats recurse once for each byte that says so, and believe the lengths they read; JSON bounds its own
//! brackets, but not a type that contains itself by way of an option alone. A stack overflow can't be caught, and a
//! sequence of 2^60 empty tuples takes no bytes at all. So whatever a format hands out goes through [`Bounded`], which
//! - refuses nesting beyond [`DEPTH`]: each option, newtype, enum, sequence, map, tuple and struct counts;
//! - takes each element of a sequence or map from one budget for the whole value, so that elements without bytes of
//!   their own are refused in bulk;
//! - caps the size hints, from which collections allocate, by what is left of the budget;
//! - asks for borrowed text and bytes only, so that no format copies a length it has not checked against its input.

use std::{cell::Cell, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor},
};

#[cfg(any(feature = "bincode", feature = "postcard", feature = "messagepack"))]
use crate::{Error, ErrorKind};

/// How deep a value may nest.
const DEPTH: u32 = 128;

/// Elements that may take no bytes, beyond one for each byte there is.
const SPARE_ELEMENTS: usize = 1024;

/// Reads a value that was encoded in `length` bytes.
pub(super) fn deserialize<'de, T, D>(deserializer: D, length: usize) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let elements = Cell::new(length.saturating_add(SPARE_ELEMENTS));
    let limits = Limits { depth: DEPTH, elements: &elements, length: Length::Fixed };
    T::deserialize(limits.on(deserializer))
}

/// There are more bytes than the value takes.
#[cfg(any(feature = "bincode", feature = "postcard", feature = "messagepack"))]
pub(super) fn trailing(codec: &str) -> Error {
    Error::new(ErrorKind::Codec, "decode").context(format!("there is more than one {codec} value"))
}

#[derive(Clone, Copy)]
struct Limits<'b> {
    /// Levels that are left. Passed down by value, so no way out of a level can forget to give it back.
    depth: u32,
    /// Elements that are left for the whole value.
    elements: &'b Cell<usize>,
    length: Length,
}

/// Where the number of elements of what is read next comes from.
#[derive(Clone, Copy)]
enum Length {
    /// From the type: a struct, a tuple.
    Fixed,
    /// From the bytes.
    Claimed,
}

impl<'b> Limits<'b> {
    fn on<T>(self, inner: T) -> Bounded<'b, T> {
        Bounded { inner, limits: self }
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom("nested too deeply")),
        }
    }

    fn with(self, length: Length) -> Self {
        Self { length, ..self }
    }

    fn count_element<E: serde::de::Error>(self) -> Result<(), E> {
        match (self.length, self.elements.get().checked_sub(1)) {
            (Length::Fixed, _) => Ok(()),
            (Length::Claimed, Some(left)) => {
                self.elements.set(left);
                Ok(())
            }
            (Length::Claimed, None) => Err(E::custom("more elements than bytes")),
        }
    }

    fn cap(self, hint: Option<usize>) -> Option<usize> {
        hint.map(|hint| hint.min(self.elements.get()))
    }
}

/// Anything of serde's decoding side, with limits on what it gives out.
struct Bounded<'b, T> {
    inner: T,
    limits: Limits<'b>,
}

macro_rules! forward {
    ($length:ident: $($method:ident => $target:ident($($name:ident: $argument:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $argument,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$target($($name,)* self.limits.with(Length::$length).on(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    forward! { Fixed:
        deserialize_bool => deserialize_bool();
        deserialize_i8 => deserialize_i8();
        deserialize_i16 => deserialize_i16();
        deserialize_i32 => deserialize_i32();
        deserialize_i64 => deserialize_i64();
        deserialize_i128 => deserialize_i128();
        deserialize_u8 => deserialize_u8();
        deserialize_u16 => deserialize_u16();
        deserialize_u32 => deserialize_u32();
        deserialize_u64 => deserialize_u64();
        deserialize_u128 => deserialize_u128();
        deserialize_f32 => deserialize_f32();
        deserialize_f64 => deserialize_f64();
        deserialize_char => deserialize_char();
        deserialize_str => deserialize_str();
        deserialize_string => deserialize_str();
        deserialize_bytes => deserialize_bytes();
        deserialize_byte_buf => deserialize_bytes();
        deserialize_option => deserialize_option();
        deserialize_unit => deserialize_unit();
        deserialize_identifier => deserialize_identifier();
        deserialize_unit_struct => deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct => deserialize_newtype_struct(name: &'static str);
        deserialize_tuple => deserialize_tuple(len: usize);
        deserialize_tuple_struct => deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_struct => deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum => deserialize_enum(name: &'static str, variants: &'static [&'static str]);
    }

    forward! { Claimed:
        deserialize_any => deserialize_any();
        deserialize_ignored_any => deserialize_ignored_any();
        deserialize_seq => deserialize_seq();
        deserialize_map => deserialize_map();
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit_leaves {
    ($($method:ident: $type:ty;)*) => {
        $(fn $method<E: serde::de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit_leaves! {
        visit_bool: bool;
        visit_i8: i8;
        visit_i16: i16;
        visit_i32: i32;
        visit_i64: i64;
        visit_i128: i128;
        visit_u8: u8;
        visit_u16: u16;
        visit_u32: u32;
        visit_u64: u64;
        visit_u128: u128;
        visit_f32: f32;
        visit_f64: f64;
        visit_char: char;
        visit_str: &str;
        visit_borrowed_str: &'de str;
        visit_string: String;
        visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8];
        visit_byte_buf: Vec<u8>;
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(self.limits.deeper()?.on(value))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(self.limits.deeper()?.on(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(self.limits.deeper()?.on(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(self.limits.deeper()?.on(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(self.limits.deeper()?.on(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(self.limits.on(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let element = self.inner.next_element_seed(self.limits.on(seed))?;
        if element.is_some() {
            self.limits.count_element()?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.limits.cap(self.inner.size_hint())
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let key = self.inner.next_key_seed(self.limits.on(seed))?;
        if key.is_some() {
            self.limits.count_element()?;
        }
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(self.limits.on(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.limits.cap(self.inner.size_hint())
    }
}

impl<'b, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(self.limits.on(seed))?;
        Ok((value, self.limits.on(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(self.limits.on(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, self.limits.with(Length::Fixed).on(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, self.limits.with(Length::Fixed).on(visitor))
    }
}
