//! Telling "there is nothing" from a value.

use std::fmt;

use serde::{
    Serialize, Serializer,
    ser::{self, Impossible},
};

/// Whether `value` serializes as `None` at the top, so that it is cached for the negative time to live.
///
/// Sees through references, `Box`, `Arc`, `Ok`, newtypes and type aliases; `Some(None)` is a value. Allocates nothing and
/// stops at the first thing that the value says about itself.
pub(crate) fn is_negative<V: Serialize + ?Sized>(value: &V) -> bool {
    value.serialize(Probe).is_ok()
}

/// Succeeds for `None` alone.
struct Probe;

/// It is a value.
#[derive(Debug)]
struct Positive;

impl fmt::Display for Positive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not `None`")
    }
}

impl std::error::Error for Positive {}

impl ser::Error for Positive {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! positive {
    ($($method:ident($($argument:ty),*) $(-> $compound:ident)?;)*) => {
        $(positive!(@ $method($($argument),*) $(-> $compound)?);)*
    };
    (@ $method:ident($($argument:ty),*)) => {
        fn $method(self, $(_: $argument),*) -> Result<(), Positive> {
            Err(Positive)
        }
    };
    (@ $method:ident($($argument:ty),*) -> $compound:ident) => {
        fn $method(self, $(_: $argument),*) -> Result<Self::$compound, Positive> {
            Err(Positive)
        }
    };
}

impl Serializer for Probe {
    type Ok = ();
    type Error = Positive;
    type SerializeSeq = Impossible<(), Positive>;
    type SerializeTuple = Impossible<(), Positive>;
    type SerializeTupleStruct = Impossible<(), Positive>;
    type SerializeTupleVariant = Impossible<(), Positive>;
    type SerializeMap = Impossible<(), Positive>;
    type SerializeStruct = Impossible<(), Positive>;
    type SerializeStructVariant = Impossible<(), Positive>;

    fn serialize_none(self) -> Result<(), Positive> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Positive> {
        Err(Positive)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Positive> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Positive> {
        if (name, variant) == ("Result", "Ok") { value.serialize(self) } else { Err(Positive) }
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), Positive> {
        Err(Positive)
    }

    positive! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Serialize)]
    struct Found(Option<u32>);

    #[derive(Serialize)]
    struct Record {
        value: Option<u32>,
    }

    #[test]
    fn none_is_negative_however_it_is_wrapped() {
        assert!(is_negative(&None::<u32>));
        assert!(is_negative(&Arc::new(None::<String>)));
        assert!(is_negative(&&Box::new(None::<u32>)));
        assert!(is_negative(&Found(None)));
        assert!(is_negative(&Ok::<_, u32>(None::<u32>)));
    }

    #[test]
    fn everything_else_is_a_value() {
        assert!(!is_negative(&Some(1)));
        assert!(!is_negative(&Some(None::<u32>)));
        assert!(!is_negative(&()));
        assert!(!is_negative(""));
        assert!(!is_negative(&Vec::<u32>::new()));
        assert!(!is_negative(&Record { value: None }));
        assert!(!is_negative(&Err::<u32, Option<u32>>(None)));
        assert!(!is_negative(&(None::<u32>,)));
    }
}
