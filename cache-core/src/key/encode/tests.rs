use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::{Serializer, ser};

use super::*;

#[derive(Serialize)]
struct UserId(u64);

#[derive(Serialize)]
struct Member {
    org: u32,
    name: &'static str,
}

#[derive(Serialize)]
struct Nothing;

#[derive(Serialize)]
enum Plan {
    Free,
    Paid(u8),
    Custom(u8, &'static str),
    Trial { days: u8 },
}

struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

fn encoded<K: Serialize + ?Sized>(key: &K) -> KeyText {
    encode(key, &domain(&Namespace::new("shop").unwrap())).unwrap()
}

fn text<K: Serialize + ?Sized>(key: &K) -> String {
    encoded(key).text.to_string()
}

#[test]
fn keys_are_readable() {
    assert_eq!(text(&7), "7");
    assert_eq!(text(&-7_i8), "-7");
    assert_eq!(text(&u128::MAX), "340282366920938463463374607431768211455");
    assert_eq!(text(&i128::MIN), "-170141183460469231731687303715884105728");
    assert_eq!(text("alice"), "alice");
    assert_eq!(text("o'neil"), "o'neil");
    assert_eq!(text("alice@example.org"), "alice@example.org");
    assert_eq!(text("Zoë"), "Zoë");
    assert_eq!(text("a b{c}"), "a%20b%7Bc%7D");
    assert_eq!(text("a,b=(c):[d]~%\0"), "a%2Cb%3D%28c%29%3A%5Bd%5D%7E%25%00");
    assert_eq!(text(&'x'), "x");
    assert_eq!(text(&true), "true");
    assert_eq!(text(&()), "()");
    assert_eq!(text(&Nothing), "()");
    assert_eq!(text(&None::<u8>), "_");
    assert_eq!(text(&Some(7)), "+7");
    assert_eq!(text(&Some(-7)), "+-7");
    assert_eq!(text(&Some(None::<u8>)), "+_");
    assert_eq!(text(&(7, "alice")), "(7,alice)");
    assert_eq!(text(&(7,)), "(7)");
    assert_eq!(text(&UserId(7)), "7");
    assert_eq!(text(&Member { org: 7, name: "bo" }), "(org=7,name=bo)");
    assert_eq!(text(&Plan::Free), ".Free");
    assert_eq!(text(&Plan::Paid(3)), ".Paid(3)");
    assert_eq!(text(&Plan::Custom(3, "x")), ".Custom(3,x)");
    assert_eq!(text(&Plan::Trial { days: 9 }), ".Trial(days=9)");
    assert_eq!(text(&[1, 2][..]), "[1,2]");
    assert_eq!(text(&BTreeMap::from([("a", 1), ("b", 2)])), "[a=1,b=2]");
    assert_eq!(text(&BTreeMap::<u8, u8>::new()), "[=]");
    assert_eq!(text(&Vec::<u8>::new()), "[]");
    assert_eq!(text(&Bytes(&[0, 255])), "0x00ff");
    assert_eq!(text(&1.5_f64), "0f3ff8000000000000");
    assert_eq!(text(&1.5_f32), "0f3fc00000");
}

#[test]
fn a_string_never_passes_for_something_else() {
    assert_eq!(text(""), "'");
    assert_eq!(text("7"), "'7");
    assert_eq!(text("-7"), "'-7");
    assert_eq!(text("+7"), "'+7");
    assert_eq!(text("_"), "'_");
    assert_eq!(text(".Free"), "'.Free");
    assert_eq!(text("'"), "''");
    assert_eq!(text("true"), "'true");
    assert_eq!(text("false"), "'false");
    assert_eq!(text("0x00"), "'0x00");
    assert_eq!(text("()"), "%28%29");
    assert_eq!(text("[=]"), "%5B%3D%5D");
}

#[test]
fn neighbours_never_flow_into_each_other() {
    assert_ne!(text(&("a", "bc")), text(&("ab", "c")));
    assert_ne!(text(&("a,b",)), text(&("a", "b")));
    assert_ne!(text(&None::<&str>), text(&Some("")));
    assert_ne!(text(&(None::<u8>, Some(1))), text(&(Some(1), None::<u8>)));
    assert_ne!(text(&vec![vec![1], vec![]]), text(&vec![vec![], vec![1]]));
}

#[test]
fn a_hash_map_has_one_text_whatever_its_order() {
    let forward: HashMap<String, u32> = (0..100).map(|n| (format!("k{n}"), n)).collect();
    let backward: HashMap<String, u32> = (0..100).rev().map(|n| (format!("k{n}"), n)).collect();
    assert_eq!(encoded(&forward).full, encoded(&backward).full);
}

#[test]
fn long_keys_end_in_a_hash_of_all_of_them() {
    let long = "x".repeat(201);
    let key = encoded(&long);
    assert_eq!(*key.full, *long);
    let (prefix, hash) = key.text.split_once('~').unwrap();
    assert_eq!(prefix, "x".repeat(64));
    assert_eq!(hash.len(), 64);
    assert_ne!(key.text, encoded(&"x".repeat(202)).text);
    assert_eq!(text(&"x".repeat(200)), "x".repeat(200));
}

#[test]
fn nobody_can_ask_for_a_long_key_by_its_short_text() {
    let short = text(&"x".repeat(201));
    assert_ne!(text(&short), short);
}

#[test]
fn long_keys_differ_between_namespaces() {
    let long = "x".repeat(300);
    let other = encode(&long, &domain(&Namespace::new("other").unwrap())).unwrap();
    assert_ne!(other.text, encoded(&long).text);
    assert_eq!(other.full, encoded(&long).full);
}

#[test]
fn a_long_key_is_cut_between_characters_and_escapes() {
    assert!(text(&format!("{}{}", "x".repeat(63), "é".repeat(100))).starts_with(&format!("{}~", "x".repeat(63))));
    assert!(text(&format!("{}{}", "x".repeat(62), "{".repeat(100))).starts_with(&format!("{}~", "x".repeat(62))));
    assert!(text(&format!("{}{}", "x".repeat(61), "{".repeat(100))).starts_with(&format!("{}%7B~", "x".repeat(61))));
}

#[test]
fn a_key_that_fails_says_so_without_quoting_itself() {
    struct Failing;
    impl Serialize for Failing {
        fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            Err(ser::Error::custom("alice@example.org is no key"))
        }
    }
    let error = encode(&Failing, &[0; 32]).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(!format!("{error} {error:?}").contains("alice"));
}

#[test]
fn a_key_that_nests_too_deeply_is_refused() {
    let deep = (0..100_000).fold(Tree::default(), |tree, _| Tree { children: vec![tree] });
    assert_eq!(encode(&deep, &[0; 32]).err().unwrap().kind(), ErrorKind::Codec);
    deep.dismantle();
}

#[derive(Serialize, Default)]
struct Tree {
    children: Vec<Tree>,
}

impl Tree {
    /// Drops it without recursion.
    fn dismantle(self) {
        let mut open = vec![self];
        while let Some(mut tree) = open.pop() {
            open.append(&mut tree.children);
        }
    }
}

/// Every shape that a key can have, so that one type holds values that are easily mistaken for each other.
#[derive(Clone, PartialEq, Debug, Serialize)]
enum Shape {
    Unit,
    Text(String),
    Pair(String, String),
    Named { a: String, b: Option<Box<Shape>> },
    Signed(i64),
    Unsigned(u128),
    Flag(bool),
    Letter(char),
    Bits(u64),
    Maybe(Option<Option<String>>),
    List(Vec<Shape>),
    Map(BTreeMap<String, Shape>),
    Tuple((Box<Shape>, Box<Shape>)),
    Loose(Loose),
}

/// Values without a name of their own to tell them apart.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
enum Loose {
    Nothing,
    Flag(bool),
    Number(i64),
    Text(#[serde(serialize_with = "as_text")] Vec<u8>),
    Some(Option<i64>),
    Numbers(Vec<i64>),
    Pair(i64, i64),
    Map(BTreeMap<i64, i64>),
    Named { a: i64 },
    Variant(Plain),
}

#[derive(Clone, PartialEq, Debug, Serialize)]
enum Plain {
    A,
    B(i64),
    C(i64, i64),
    D {
        a: i64,
    },
    #[serde(rename = "{A}, (b)")]
    E,
}

fn as_text<S: Serializer>(bytes: &[u8], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&bytes.iter().map(|&byte| char::from(byte)).collect::<String>())
}

/// Strings made of what has a meaning in the text form.
fn tricky() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a{}()\\[\\],=:%'~_.+0-9\\-\u{0}\u{e9} ]{0,6}",
        any::<String>(),
        Just("true".to_owned()),
        Just("()".to_owned()),
        "[a-z]{190,210}",
    ]
}

fn loose() -> impl Strategy<Value = Loose> {
    let small = || -3..3_i64;
    prop_oneof![
        Just(Loose::Nothing),
        any::<bool>().prop_map(Loose::Flag),
        small().prop_map(Loose::Number),
        "[a-b0-3()\\[\\]=,_+.'\\-]{0,4}".prop_map(|text| Loose::Text(text.into_bytes())),
        small().prop_map(|n| Loose::Some(Some(n))),
        Just(Loose::Some(None)),
        prop::collection::vec(small(), 0..3).prop_map(Loose::Numbers),
        (small(), small()).prop_map(|(a, b)| Loose::Pair(a, b)),
        prop::collection::btree_map(small(), small(), 0..3).prop_map(Loose::Map),
        small().prop_map(|a| Loose::Named { a }),
        prop_oneof![
            Just(Plain::A),
            small().prop_map(Plain::B),
            (small(), small()).prop_map(|(a, b)| Plain::C(a, b)),
            small().prop_map(|a| Plain::D { a }),
            Just(Plain::E),
        ]
        .prop_map(Loose::Variant),
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        tricky().prop_map(Shape::Text),
        (tricky(), tricky()).prop_map(|(a, b)| Shape::Pair(a, b)),
        any::<i64>().prop_map(Shape::Signed),
        any::<u128>().prop_map(Shape::Unsigned),
        any::<bool>().prop_map(Shape::Flag),
        any::<char>().prop_map(Shape::Letter),
        any::<u64>().prop_map(Shape::Bits),
        prop::option::of(prop::option::of(tricky())).prop_map(Shape::Maybe),
        loose().prop_map(Shape::Loose),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Shape::List),
            prop::collection::btree_map(tricky(), inner.clone(), 0..4).prop_map(Shape::Map),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Shape::Tuple((Box::new(a), Box::new(b)))),
            (tricky(), prop::option::of(inner.prop_map(Box::new))).prop_map(|(a, b)| Shape::Named { a, b }),
        ]
    })
}

proptest! {
    #[test]
    fn texts_are_equal_for_equal_keys_only(a in shape(), b in shape()) {
        prop_assert_eq!(encoded(&a).text == encoded(&b).text, a == b);
        prop_assert_eq!(encoded(&a).full == encoded(&b).full, a == b);
        prop_assert_eq!(encoded(&a).text, encoded(&a.clone()).text);
    }

    #[test]
    fn unnamed_values_keep_apart(a in loose(), b in loose()) {
        prop_assert_eq!(text(&a) == text(&b), a == b);
        prop_assert_eq!(text(&(&a, &b)) == text(&(&b, &a)), a == b);
    }

    #[test]
    fn pairs_of_strings_keep_apart(a in (tricky(), tricky()), b in (tricky(), tricky())) {
        prop_assert_eq!(encoded(&a).full == encoded(&b).full, a == b);
    }

    #[test]
    fn a_text_is_a_fit_name(key in shape()) {
        let text = text(&key);
        prop_assert!(!text.is_empty());
        prop_assert!(text.len() <= LONGEST);
        let unfit = text.contains(|c: char| "{}".contains(c) || c.is_whitespace() || c.is_control());
        prop_assert!(!unfit);
    }

    #[test]
    fn floats_keep_apart_by_their_bits(a in any::<f64>(), b in any::<f64>()) {
        prop_assert_eq!(text(&a) == text(&b), a.to_bits() == b.to_bits());
    }
}
