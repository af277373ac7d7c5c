//! A digest of what a value serializes as, to compare two values whose type has no `PartialEq`.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde::{Serialize, Serializer, ser};

/// Equal for values that serialize alike, up to the order of sequences and maps: a `HashSet` has none.
///
/// `None` for a value whose `Serialize` fails.
pub(crate) fn digest<V: Serialize + ?Sized>(value: &V) -> Option<u64> {
    value.serialize(Digest).ok()
}

#[derive(Clone, Copy)]
struct Digest;

/// The value's own `Serialize` failed.
#[derive(Debug)]
struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`Serialize` failed")
    }
}

impl std::error::Error for Failed {}

impl ser::Error for Failed {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Adds up what it holds, so that the order does not count.
struct Sum {
    kind: &'static str,
    len: u64,
    sum: u64,
    key: u64,
}

impl Sum {
    fn of(kind: &'static str) -> Self {
        Self { kind, len: 0, sum: 0, key: 0 }
    }

    fn add(&mut self, part: u64) {
        self.len += 1;
        self.sum = self.sum.wrapping_add(part);
    }

    fn finish(self) -> u64 {
        hash((self.kind, self.len, self.sum))
    }
}

macro_rules! leaves {
    ($($method:ident: $type:ty => $hashed:expr;)*) => {
        $(fn $method(self, value: $type) -> Result<u64, Failed> {
            let hashed: fn($type) -> _ = $hashed;
            Ok(hash((stringify!($type), hashed(value))))
        })*
    };
}

impl Serializer for Digest {
    type Ok = u64;
    type Error = Failed;
    type SerializeSeq = Sum;
    type SerializeTuple = Row;
    type SerializeTupleStruct = Row;
    type SerializeTupleVariant = Row;
    type SerializeMap = Sum;
    type SerializeStruct = Row;
    type SerializeStructVariant = Row;

    leaves! {
        serialize_bool: bool => |v| v;
        serialize_i8: i8 => |v| v;
        serialize_i16: i16 => |v| v;
        serialize_i32: i32 => |v| v;
        serialize_i64: i64 => |v| v;
        serialize_i128: i128 => |v| v;
        serialize_u8: u8 => |v| v;
        serialize_u16: u16 => |v| v;
        serialize_u32: u32 => |v| v;
        serialize_u64: u64 => |v| v;
        serialize_u128: u128 => |v| v;
        serialize_f32: f32 => f32::to_bits;
        serialize_f64: f64 => f64::to_bits;
        serialize_char: char => |v| v;
    }

    fn serialize_str(self, value: &str) -> Result<u64, Failed> {
        Ok(hash(value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<u64, Failed> {
        Ok(hash(value))
    }

    fn serialize_none(self) -> Result<u64, Failed> {
        Ok(hash("none"))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Failed> {
        Ok(hash(("some", value.serialize(self)?)))
    }

    fn serialize_unit(self) -> Result<u64, Failed> {
        Ok(hash("unit"))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<u64, Failed> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<u64, Failed> {
        Ok(hash(("variant", index)))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<u64, Failed> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<u64, Failed> {
        Ok(hash(("variant", index, value.serialize(self)?)))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sum, Failed> {
        Ok(Sum::of("seq"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Row, Failed> {
        Ok(Row::of("tuple"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Row, Failed> {
        Ok(Row::of("tuple"))
    }

    fn serialize_tuple_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Row, Failed> {
        Ok(Row::of(("variant", index)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Sum, Failed> {
        Ok(Sum::of("map"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Row, Failed> {
        Ok(Row::of("struct"))
    }

    fn serialize_struct_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Row, Failed> {
        Ok(Row::of(("variant", index)))
    }
}

/// Hashes what it holds in order.
struct Row(DefaultHasher);

impl Row {
    fn of(kind: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        Self(hasher)
    }

    fn push(&mut self, part: impl Hash) {
        part.hash(&mut self.0);
    }
}

impl ser::SerializeSeq for Sum {
    type Ok = u64;
    type Error = Failed;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.add(value.serialize(Digest)?);
        Ok(())
    }

    fn end(self) -> Result<u64, Failed> {
        Ok(self.finish())
    }
}

impl ser::SerializeMap for Sum {
    type Ok = u64;
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        self.key = key.serialize(Digest)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let entry = hash((self.key, value.serialize(Digest)?));
        self.add(entry);
        Ok(())
    }

    fn end(self) -> Result<u64, Failed> {
        Ok(self.finish())
    }
}

macro_rules! row {
    ($($trait:ident::$method:ident)*) => {
        $(impl ser::$trait for Row {
            type Ok = u64;
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.push(value.serialize(Digest)?);
                Ok(())
            }

            fn end(self) -> Result<u64, Failed> {
                Ok(self.0.finish())
            }
        })*
    };
}

row! { SerializeTuple::serialize_element SerializeTupleStruct::serialize_field SerializeTupleVariant::serialize_field }

macro_rules! named_row {
    ($($trait:ident)*) => {
        $(impl ser::$trait for Row {
            type Ok = u64;
            type Error = Failed;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Failed> {
                self.push((name, value.serialize(Digest)?));
                Ok(())
            }

            fn end(self) -> Result<u64, Failed> {
                Ok(self.0.finish())
            }
        })*
    };
}

named_row! { SerializeStruct SerializeStructVariant }

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

    use super::*;

    #[test]
    fn the_order_of_unordered_collections_does_not_count() {
        let forward: HashSet<u32> = (0..100).collect();
        let backward: HashSet<u32> = (0..100).rev().collect();
        assert_eq!(digest(&forward), digest(&backward));
        assert_eq!(digest(&forward), digest(&forward.iter().collect::<BTreeSet<_>>()));
        let forward: HashMap<u32, u32> = (0..100).map(|n| (n, n)).collect();
        assert_eq!(digest(&forward), digest(&forward.iter().collect::<BTreeMap<_, _>>()));
    }

    #[test]
    fn everything_else_counts() {
        let all = [
            digest(&None::<u8>),
            digest(&Some(None::<u8>)),
            digest(&Some(())),
            digest(&()),
            digest(&0_u8),
            digest(&0.0),
            digest(&-0.0),
            digest(&f64::NAN),
            digest(&false),
            digest(""),
            digest(&(1, 2)),
            digest(&(2, 1)),
            digest(&[1, 2][..]),
            digest(&[1, 1, 2][..]),
            digest(&[(1, 2), (3, 4)][..]),
            digest(&[(1, 4), (3, 2)][..]),
            digest(&BTreeMap::from([(1, 2), (3, 4)])),
            digest(&BTreeMap::from([(1, 4), (3, 2)])),
            digest(&Ok::<u8, u8>(1)),
            digest(&Err::<u8, u8>(1)),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(one.is_some() && !all[i + 1..].contains(one), "{i}");
        }
    }
}
