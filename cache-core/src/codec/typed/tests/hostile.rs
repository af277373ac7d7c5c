//! Bytes that want to do harm.

use std::thread;

use proptest::prelude::*;

use super::*;

/// Runs on a stack of the size that tokio gives its workers.
fn on_a_worker_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Chain(Option<Box<Chain>>);

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Node {
    next: Option<Box<Node>>,
    label: String,
}

#[derive(Serialize, Deserialize, PartialEq, Default, Debug)]
struct Tree {
    children: Vec<Tree>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
enum Expr {
    Not(Box<Expr>),
    Leaf,
}

fn nested(levels: usize) -> Tree {
    (0..levels).fold(Tree::default(), |tree, _| Tree { children: vec![tree] })
}

/// Each prefix, each flipped bit and each byte too many is an error or a value, never a panic.
fn damage_is_harmless<C: Codec + Copy>(codec: C) {
    let bytes = encoded(&codec, &user());
    for end in 0..bytes.len() {
        assert!(codec.decode::<User>(&bytes[..end]).is_err());
    }
    let mut damaged = bytes.clone();
    for bit in 0..bytes.len() * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        let _ = codec.decode::<User>(&damaged);
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    for more in [0, 1, b' ' + 1, 0xC1, 0xFF] {
        assert!(codec.decode::<User>(&[&bytes[..], &[more]].concat()).is_err());
    }
    assert!(codec.decode::<User>(&bytes.repeat(2)).is_err());
}

/// Nesting that people use is read; a megabyte of it is an error.
fn nesting_is_bounded<C: Codec + Copy>(codec: C) {
    on_a_worker_stack(move || {
        survives(codec, nested(62));
        let deep = encoded(&codec, &nested(100));
        assert!(codec.decode::<Tree>(&deep).is_err());
    });
}

/// Decoding `bytes` is an error, and one of this crate.
fn refused<C: Codec + Copy, V: DeserializeOwned>(codec: C, bytes: Vec<u8>) {
    on_a_worker_stack(move || {
        let error = codec.decode::<V>(&bytes).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
    });
}

/// Whatever the bytes are, they end in a value or an error.
fn noise_is_harmless<C: Codec + Copy>(codec: C) {
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..64))| {
        let _ = codec.decode::<User>(&bytes);
        let _ = codec.decode::<Tree>(&bytes);
        let _ = codec.decode::<Vec<Expr>>(&bytes);
        let _ = codec.decode::<Vec<HashMap<u8, ()>>>(&bytes);
        let _ = codec.decode::<serde_json::Value>(&bytes);
        let _ = codec.decode::<Vec<Untagged>>(&bytes);
    });
}

#[test]
fn json_bounds_what_it_reads() {
    damage_is_harmless(Json);
    noise_is_harmless(Json);
    nesting_is_bounded(Json);
    refused::<_, Chain>(Json, b"1".to_vec());
    refused::<_, Tree>(Json, b"{\"children\":[".repeat(100_000));
    refused::<_, serde_json::Value>(Json, b"[".repeat(1 << 20));
    refused::<_, Chain>(Json, b"[".repeat(1 << 20));
}

/// One of 2^60 and one of 2^63, as bincode writes lengths.
#[cfg(feature = "bincode")]
const BINCODE_LENGTHS: [[u8; 9]; 2] = [[253, 0, 0, 0, 0, 0, 0, 0, 0x10], [253, 0, 0, 0, 0, 0, 0, 0, 0x80]];

#[cfg(feature = "bincode")]
#[test]
fn bincode_bounds_what_it_reads() {
    damage_is_harmless(Bincode);
    noise_is_harmless(Bincode);
    nesting_is_bounded(Bincode);
    refused::<_, Chain>(Bincode, vec![1; 1 << 20]);
    refused::<_, Node>(Bincode, vec![1; 1 << 20]);
    refused::<_, Tree>(Bincode, vec![1; 1 << 20]);
    refused::<_, Expr>(Bincode, vec![0; 1 << 20]);
    BINCODE_LENGTHS.into_iter().for_each(|length| claims_are_refused(Bincode, &length));
}

/// One of 2^60 and one of 2^63, as postcard writes lengths.
#[cfg(feature = "postcard")]
const POSTCARD_LENGTHS: [&[u8]; 2] = [
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
];

#[cfg(feature = "postcard")]
#[test]
fn postcard_bounds_what_it_reads() {
    damage_is_harmless(Postcard);
    noise_is_harmless(Postcard);
    nesting_is_bounded(Postcard);
    refused::<_, Chain>(Postcard, vec![1; 1 << 20]);
    refused::<_, Node>(Postcard, vec![1; 1 << 20]);
    refused::<_, Tree>(Postcard, vec![1; 1 << 20]);
    refused::<_, Expr>(Postcard, vec![0; 1 << 20]);
    POSTCARD_LENGTHS.into_iter().for_each(|length| claims_are_refused(Postcard, length));
}

/// No collection, text or nest of them is allocated or counted through because bytes claim a length.
#[cfg(any(feature = "bincode", feature = "postcard"))]
fn claims_are_refused<C: Codec + Copy>(codec: C, length: &[u8]) {
    let tail = [length, &[0; 64]].concat();
    refused::<_, String>(codec, tail.clone());
    refused::<_, Vec<u8>>(codec, tail.clone());
    refused::<_, Vec<u64>>(codec, tail.clone());
    refused::<_, Vec<String>>(codec, tail.clone());
    refused::<_, Vec<()>>(codec, length.to_vec());
    refused::<_, Vec<((), [(); 4])>>(codec, length.to_vec());
    refused::<_, HashMap<(), ()>>(codec, length.to_vec());
    refused::<_, Vec<Vec<()>>>(codec, [&[1], length].concat());
    refused::<_, Vec<Vec<Vec<u64>>>>(codec, length.repeat(3));
    refused::<_, HashMap<String, String>>(codec, tail.clone());
    refused::<_, Box<[u8]>>(codec, tail.clone());
    refused::<_, Trusting>(codec, tail);
}

/// Allocates what the size hint says, as hand-written impls do.
#[cfg(any(feature = "bincode", feature = "postcard", feature = "messagepack"))]
struct Trusting;

#[cfg(any(feature = "bincode", feature = "postcard", feature = "messagepack"))]
impl<'de> Deserialize<'de> for Trusting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Trusting;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut elements: A,
            ) -> std::result::Result<Trusting, A::Error> {
                let mut all = Vec::<u64>::with_capacity(elements.size_hint().unwrap_or(0));
                while let Some(element) = elements.next_element()? {
                    all.push(element);
                }
                Ok(Trusting)
            }
        }

        deserializer.deserialize_seq(Visitor)
    }
}

#[cfg(feature = "messagepack")]
#[test]
fn messagepack_bounds_what_it_reads() {
    damage_is_harmless(MessagePack);
    noise_is_harmless(MessagePack);
    nesting_is_bounded(MessagePack);
    let one_element = 0x91;
    refused::<_, Chain>(MessagePack, vec![one_element; 1 << 20]);
    refused::<_, Tree>(MessagePack, vec![one_element; 1 << 20]);
    refused::<_, serde_json::Value>(MessagePack, vec![one_element; 1 << 20]);
    refused::<_, Untagged>(MessagePack, vec![one_element; 1 << 20]);
    refused::<_, serde::de::IgnoredAny>(MessagePack, vec![one_element; 1 << 20]);
    refused::<_, Tagged>(MessagePack, b"\x81\xA1x".repeat(1 << 18));
    let sequence = [0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0];
    refused::<_, Vec<u64>>(MessagePack, sequence.to_vec());
    refused::<_, Vec<()>>(MessagePack, sequence.to_vec());
    refused::<_, Trusting>(MessagePack, sequence.to_vec());
    refused::<_, serde_json::Value>(MessagePack, sequence.to_vec());
    refused::<_, HashMap<u8, u8>>(MessagePack, [0xDF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0].to_vec());
    refused::<_, String>(MessagePack, [0xDB, 0xFF, 0xFF, 0xFF, 0xFF, b'a'].to_vec());
    refused::<_, Vec<u8>>(MessagePack, [0xC6, 0xFF, 0xFF, 0xFF, 0xFF, 0].to_vec());
}
