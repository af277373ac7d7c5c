use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Deserializer, de};

use super::*;

/// Declares a type in a module of its own, so that several can have one name.
macro_rules! versions {
    ($($module:ident { $($item:item)* })*) => {
        $(#[allow(dead_code, reason = "only their shape is looked at")]
        mod $module {
            use serde::Deserialize;
            $(#[derive(Deserialize)] $item)*
        })*
    };
}

versions! {
    original { pub(super) struct User { id: u64, name: String } }
    copied { pub(super) struct User { id: u64, name: String } }
    added { pub(super) struct User { id: u64, name: String, age: Option<u8> } }
    renamed { pub(super) struct User { id: u64, label: String } }
    moved { pub(super) struct User { name: String, id: u64 } }
    retyped { pub(super) struct User { id: u32, name: String } }
    optional { pub(super) struct User { id: u64, name: Option<String> } }
    other { pub(super) struct Account { id: u64, name: String } }
}

fn shape<V: DeserializeOwned>() -> u64 {
    of_shape::<V>(3)
}

fn name<V: DeserializeOwned>() -> u64 {
    of_name::<V>(1)
}

#[test]
fn every_change_of_a_struct_changes_its_shape() {
    let all = [
        shape::<original::User>(),
        shape::<added::User>(),
        shape::<renamed::User>(),
        shape::<moved::User>(),
        shape::<retyped::User>(),
        shape::<optional::User>(),
        shape::<other::Account>(),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(!all[i + 1..].contains(one), "{i}");
    }
    assert_eq!(shape::<original::User>(), shape::<copied::User>());
}

#[test]
fn fields_may_come_and_go_where_names_are_carried() {
    assert_eq!(name::<original::User>(), name::<added::User>());
    assert_eq!(name::<original::User>(), name::<retyped::User>());
    assert_ne!(name::<original::User>(), name::<other::Account>());
    assert_ne!(name::<Vec<original::User>>(), name::<Vec<other::Account>>());
    assert_ne!(name::<Option<original::User>>(), name::<Option<other::Account>>());
}

#[test]
fn the_codec_counts() {
    assert_ne!(of_shape::<original::User>(2), of_shape::<original::User>(3));
    assert_ne!(of_name::<original::User>(1), of_name::<original::User>(4));
}

/// A change here makes every entry of a codec without names unreadable to processes of the version before.
#[test]
fn a_fingerprint_is_the_same_in_every_build() {
    assert_eq!(format!("{:016x}", shape::<original::User>()), "988a54e2e17fcff6");
    assert_eq!(format!("{:016x}", name::<original::User>()), "719252d9f21d1215");
}

#[test]
fn kinds_keep_apart() {
    let all = [
        shape::<u8>(),
        shape::<u16>(),
        shape::<i16>(),
        shape::<f32>(),
        shape::<char>(),
        shape::<String>(),
        shape::<()>(),
        shape::<Option<u8>>(),
        shape::<Vec<u8>>(),
        shape::<[u8; 2]>(),
        shape::<(u8, u8, u8)>(),
        shape::<(u8, (u8, u8))>(),
        shape::<((u8, u8), u8)>(),
        shape::<BTreeMap<u8, u8>>(),
        shape::<BTreeMap<u8, u16>>(),
        shape::<Vec<Option<u8>>>(),
        shape::<Option<Vec<u8>>>(),
        shape::<IpAddr>(),
        shape::<Duration>(),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(!all[i + 1..].contains(one), "{i}");
    }
    assert_eq!(shape::<Arc<u8>>(), shape::<u8>());
    assert_eq!(shape::<HashMap<u8, u8>>(), shape::<BTreeMap<u8, u8>>());
}

versions! {
    variants {
        pub(super) enum Event { A, B(u8), C { x: u8, y: Option<u16> }, D(u8, u8) }
        pub(super) struct Pair { first: Event, second: Event }
    }
    variant_added { pub(super) enum Event { A, B(u8), C { x: u8, y: Option<u16> }, D(u8, u8), E } }
    variant_retyped { pub(super) enum Event { A, B(u16), C { x: u8, y: Option<u16> }, D(u8, u8) } }
    variant_field_retyped { pub(super) enum Event { A, B(u8), C { x: u8, y: Option<u32> }, D(u8, u8) } }
    variant_grown {
        pub(super) enum Event { A, B(u8), C { x: u8, y: Option<u16> }, D(u8, u8, u8) }
        pub(super) struct Pair { first: Event, second: Event }
    }
}

#[test]
fn every_variant_is_explored() {
    let all = [
        shape::<variants::Event>(),
        shape::<variant_added::Event>(),
        shape::<variant_retyped::Event>(),
        shape::<variant_field_retyped::Event>(),
        shape::<variant_grown::Event>(),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(!all[i + 1..].contains(one), "{i}");
    }
    assert_ne!(shape::<variants::Pair>(), shape::<variant_grown::Pair>());
    assert_eq!(name::<variants::Event>(), name::<variant_added::Event>());
}

versions! {
    recursive {
        pub(super) struct Node { id: u64, next: Option<Box<Node>>, children: Vec<Node>, last: u8 }
        pub(super) enum Expr { Sum(Box<Expr>, Box<Expr>), Not(Box<Expr>), Value(u8), Empty }
        pub(super) enum Endless { Only(Box<Endless>) }
    }
    recursive_changed {
        pub(super) struct Node { id: u64, next: Option<Box<Node>>, children: Vec<Node>, last: u16 }
        pub(super) enum Expr { Sum(Box<Expr>, Box<Expr>), Not(Box<Expr>), Value(u16), Empty }
    }
}

#[test]
fn recursive_types_are_explored_and_end() {
    assert_ne!(shape::<recursive::Node>(), shape::<recursive_changed::Node>());
    assert_ne!(shape::<recursive::Expr>(), shape::<recursive_changed::Expr>());
    assert_eq!(shape::<recursive::Endless>(), shape::<recursive::Endless>());
}

versions! {
    wide {
        pub(super) struct Wide {
            a: Option<Box<Wide>>, b: Option<Box<Wide>>, c: Vec<Wide>, d: Option<(Box<Wide>, Box<Wide>)>,
            e: [Option<Box<Wide>>; 16],
        }
    }
}

#[test]
fn a_type_that_multiplies_is_bounded() {
    assert_eq!(shape::<wide::Wide>(), shape::<wide::Wide>());
}

struct Picky;

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?;
        Err(de::Error::custom("no such thing"))
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape is looked at")]
struct Holder<T> {
    picky: T,
    rest: u8,
}

#[test]
fn a_type_that_refuses_the_samples_still_has_a_shape() {
    assert_eq!(shape::<Holder<Picky>>(), shape::<Holder<Picky>>());
    assert_ne!(shape::<Holder<Picky>>(), shape::<Holder<u8>>());
    assert_ne!(shape::<Picky>(), shape::<Option<Picky>>());
}

#[test]
fn common_types_accept_the_samples() {
    assert_ne!(shape::<(NonZeroU32, u8)>(), shape::<(NonZeroU32, u16)>());
    assert_ne!(shape::<(IpAddr, u8)>(), shape::<(IpAddr, u16)>());
    assert_ne!(shape::<(Duration, u8)>(), shape::<(Duration, u16)>());
}
