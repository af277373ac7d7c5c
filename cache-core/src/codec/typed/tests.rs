//! The built-in codecs with the types that are hard on codecs.

mod hostile;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Debug,
    sync::Arc,
};

use serde::Deserialize;

use super::*;
#[cfg(feature = "bincode")]
use crate::codec::Bincode;
use crate::codec::Json;
#[cfg(feature = "messagepack")]
use crate::codec::MessagePack;
#[cfg(feature = "postcard")]
use crate::codec::Postcard;

fn encoded<C: Codec, V: Serialize>(codec: &C, value: &V) -> Vec<u8> {
    let mut out = b"kept".to_vec();
    codec.encode(value, &mut out).unwrap();
    assert!(out.starts_with(b"kept"), "a codec appends");
    out.split_off(4)
}

/// What a codec writes for `value` reads back, and is verified.
#[track_caller]
fn survives<C: Codec + Copy, V>(codec: C, value: V)
where
    V: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = encoded(&codec, &value);
    assert_eq!(codec.decode::<V>(&bytes).unwrap(), value);
    typed::<C, V>(codec).verify(&value, &bytes).unwrap();
}

/// A codec can't write `value`, or `verify` finds that it doesn't read back.
#[track_caller]
fn is_found_out<C: Codec + Copy, V: Serialize + DeserializeOwned>(codec: C, value: V) {
    let mut bytes = Vec::new();
    let error = match codec.encode(&value, &mut bytes) {
        Ok(()) => typed::<C, V>(codec).verify(&value, &bytes).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(error.to_string().contains("use "), "{error} names a way out");
}

#[derive(Serialize, Deserialize, PartialEq, Clone, Default, Debug)]
struct User {
    id: u64,
    name: String,
    balance: i128,
    score: f64,
    ratio: f32,
    letter: char,
    tags: Vec<String>,
    limits: BTreeMap<u32, i64>,
    seen: HashMap<String, u64>,
    flags: HashSet<u16>,
    parent: Option<Box<User>>,
    pair: (u8, Option<String>),
    plan: Plan,
    unit: (),
    shared: Arc<str>,
}

#[derive(Serialize, Deserialize, PartialEq, Clone, Default, Debug)]
enum Plan {
    #[default]
    Free,
    Paid(u32),
    Custom(u8, String),
    Trial {
        days: u16,
    },
}

fn user() -> User {
    User {
        id: u64::MAX,
        name: "Zoë\0\u{10FFFF}".into(),
        balance: -7,
        score: 0.1 + 0.2,
        ratio: f32::MIN_POSITIVE,
        letter: 'ß',
        tags: vec![String::new(), "a".repeat(300)],
        limits: BTreeMap::from([(0, i64::MIN), (u32::MAX, i64::MAX)]),
        seen: (0..50).map(|n| (format!("k{n}"), n)).collect(),
        flags: (0..50).collect(),
        parent: Some(Box::new(User { plan: Plan::Trial { days: 3 }, ..User::default() })),
        pair: (255, None),
        plan: Plan::Custom(1, "x".into()),
        unit: (),
        shared: "shared".into(),
    }
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Text(String),
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: u8 },
    B { y: String },
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Sparse {
    #[serde(default, skip_serializing_if = "is_zero")]
    count: u8,
    bytes: Vec<u8>,
}

fn is_zero(count: &u8) -> bool {
    *count == 0
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Sketch {
    id: u8,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Finished {
    id: u8,
    #[serde(default)]
    name: Option<String>,
}

/// Deserializes as something else than it serializes as.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct OneSided {
    #[serde(serialize_with = "doubled")]
    n: u32,
}

fn doubled<S: serde::Serializer>(n: &u32, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_u32(n * 2)
}

/// What every codec must read back.
fn rich_types_survive<C: Codec + Copy>(codec: C) {
    survives(codec, user());
    survives(codec, vec![user(); 3]);
    survives(codec, Some(user()));
    survives(codec, None::<User>);
    survives(codec, Arc::new(Some(7)));
    survives(codec, [Plan::Free, Plan::Paid(u32::MAX)]);
    survives(codec, (u128::MAX, i128::MIN, i64::MIN, -0.0_f64, f64::MAX));
    survives(codec, Ok::<u8, String>(1));
    survives(codec, String::new());
    survives(codec, ());
    survives(codec, vec![(); 100]);
    survives(codec, Vec::<User>::new());
    is_found_out_one_sided(codec);
}

fn is_found_out_one_sided<C: Codec + Copy>(codec: C) {
    is_found_out(codec, OneSided { n: 1 });
}

/// What a codec with names must read back.
fn attributes_survive<C: Codec + Copy>(codec: C) {
    survives(codec, Flat { id: 1, rest: BTreeMap::from([("x".into(), 2)]) });
    survives(codec, vec![Untagged::Number(7), Untagged::Text("7".into())]);
    survives(codec, vec![Tagged::A { x: 1 }, Tagged::B { y: "b".into() }]);
    survives(codec, Sparse { count: 0, bytes: vec![0] });
    survives(codec, serde_json::json!({"a": [1, -2, 0.5, null, true, {"b": "c"}]}));

    let old = encoded(&codec, &Sketch { id: 1 });
    assert_eq!(codec.decode::<Finished>(&old).unwrap(), Finished { id: 1, name: None });
    let new = encoded(&codec, &Finished { id: 1, name: Some("x".into()) });
    assert_eq!(codec.decode::<Sketch>(&new).unwrap(), Sketch { id: 1 });
}

/// What a codec without names can't read back, and must say so.
#[cfg(any(feature = "bincode", feature = "postcard"))]
fn attributes_are_found_out<C: Codec + Copy>(codec: C) {
    is_found_out(codec, Flat { id: 1, rest: BTreeMap::from([("x".into(), 2)]) });
    is_found_out(codec, Untagged::Number(7));
    is_found_out(codec, Tagged::A { x: 1 });
    is_found_out(codec, serde_json::json!({"a": 1}));
    // Reads back as `count: 1` and no bytes, which would be encoded to the very same bytes.
    is_found_out(codec, Sparse { count: 0, bytes: vec![0] });

    survives(codec, Sparse { count: 1, bytes: vec![0] });
    survives(codec, Some(None::<u8>));
    survives(codec, Some(()));
    let nan = encoded(&codec, &f64::NAN);
    assert!(codec.decode::<f64>(&nan).unwrap().is_nan());
    typed::<C, f64>(codec).verify(&f64::NAN, &nan).unwrap();
}

#[test]
fn json_keeps_rich_types() {
    rich_types_survive(Json);
    attributes_survive(Json);
}

#[test]
fn json_says_what_it_can_not_keep() {
    is_found_out(Json, f64::NAN);
    is_found_out(Json, Some(f64::INFINITY));
    is_found_out(Json, Some(None::<u8>));
    is_found_out(Json, BTreeMap::from([((1, 2), 3)]));
}

#[test]
fn json_keeps_floats_bit_for_bit() {
    for bits in (0..1000).map(|n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
        let float = f64::from_bits(bits);
        if float.is_finite() {
            let back: f64 = Json.decode(&encoded(&Json, &float)).unwrap();
            assert_eq!(back.to_bits(), bits);
        }
    }
}

#[cfg(feature = "bincode")]
#[test]
fn bincode_keeps_rich_types_and_finds_out_the_rest() {
    rich_types_survive(Bincode);
    attributes_are_found_out(Bincode);
}

#[cfg(feature = "postcard")]
#[test]
fn postcard_keeps_rich_types_and_finds_out_the_rest() {
    rich_types_survive(Postcard);
    attributes_are_found_out(Postcard);
}

#[cfg(feature = "messagepack")]
#[test]
fn messagepack_keeps_rich_types_and_finds_out_the_rest() {
    rich_types_survive(MessagePack);
    attributes_survive(MessagePack);
    is_found_out(MessagePack, Some(None::<u8>));
    is_found_out(MessagePack, Some(()));
    typed::<_, f64>(MessagePack).verify(&f64::NAN, &encoded(&MessagePack, &f64::NAN)).unwrap();
}

#[test]
fn an_error_shows_no_value() {
    let bytes = encoded(&Json, &"secret");
    let error = Json.decode::<u8>(&bytes).unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert!(!format!("{error} {error:?} {source:?}").contains("secret"));
}

#[test]
fn fingerprints_differ_by_codec_and_by_type() {
    let all = [
        typed::<_, User>(Json).fingerprint(),
        typed::<_, Plan>(Json).fingerprint(),
        #[cfg(feature = "bincode")]
        typed::<_, User>(Bincode).fingerprint(),
        #[cfg(feature = "postcard")]
        typed::<_, User>(Postcard).fingerprint(),
        #[cfg(feature = "messagepack")]
        typed::<_, User>(MessagePack).fingerprint(),
    ];
    let distinct: HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}
