//! What tells bytes of one type from bytes of another before they are decoded.
//!
//! A codec without names can't see that a field was added, removed or moved: it reads something else. So the shape of
//! the type goes into each frame as a hash, and another shape is a miss. The shape is found by deserializing the type
//! from nothing: [`Explorer`] answers each request with a sample and notes what was asked for. What it sees is what
//! serde sees: names of structs, fields and variants, kinds of numbers, options, sequences, tuples, maps.
//!
//! It is a net, not a proof. It has holes where a type
//! - refuses the samples (a string that has to be a URL): what follows it in the same value is not explored, though the
//!   names of the fields are already noted,
//! - hides a change behind the same shape: another unit, another meaning, other contents of a recursive type further
//!   down than it is followed.
//!
//! The version number of the cache is for those. Renaming a type or a field changes the fingerprint, though a codec
//! without names would not mind: a cold cache is the safe side.
//!
//! For codecs with names, fields may come and go, so only the first name counts that the type has: that of the struct
//! or enum itself, or of what is inside its options and sequences.
//!
//! The hash is the same in all processes and builds: it contains no address, no `TypeId` and no compiler's type name.

mod explorer;

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use self::explorer::{Explorer, Stop};

/// The most requests that are answered for one type.
const STEPS: u32 = 20_000;

/// How often a type is walked through to see all variants of its enums.
const WALKS: u32 = 256;

/// How deep it is followed.
const DEPTH: u32 = 64;

/// How often a name may occur inside itself before options and sequences in it are left empty.
const RECURSION: usize = 2;

/// For codecs that carry names: the codec and the first name that the type has.
pub(super) fn of_name<V: DeserializeOwned>(codec: u8) -> u64 {
    let mut shape = Shape::default();
    shape.walk::<V>();
    let mut hash = Hash::new("name", codec);
    hash.text(shape.name.unwrap_or(""));
    hash.finish()
}

/// For codecs that don't: the codec and all that can be found out about the type.
pub(super) fn of_shape<V: DeserializeOwned>(codec: u8) -> u64 {
    let mut shape = Shape { hash: Hash::new("shape", codec), ..Shape::default() };
    for _ in 0..WALKS {
        let seen = shape.variants_seen();
        shape.walk::<V>();
        if shape.variants_seen() == seen {
            break;
        }
    }
    shape.hash.finish()
}

/// What was found out so far.
struct Shape {
    hash: Hash,
    name: Option<&'static str>,
    /// The named types that the present request is inside of.
    path: Vec<&'static str>,
    enums: HashMap<(&'static str, &'static [&'static str]), Variants>,
    steps: u32,
}

/// How much of an enum was explored.
#[derive(Clone, Copy, Default)]
struct Variants {
    seen: usize,
    /// One that does not contain the enum itself.
    leaf: Option<usize>,
    visits: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Self { hash: Hash::new("", 0), name: None, path: Vec::new(), enums: HashMap::new(), steps: STEPS }
    }
}

impl Shape {
    fn walk<V: DeserializeOwned>(&mut self) {
        let outcome = V::deserialize(Explorer::new(self, DEPTH));
        self.hash.text(if outcome.is_ok() { "end" } else { "stop" });
    }

    fn variants_seen(&self) -> usize {
        self.enums.values().map(|variants| variants.seen).sum()
    }

    fn note(&mut self, kind: &str) -> Result<(), Stop> {
        self.steps = self.steps.checked_sub(1).ok_or(Stop)?;
        self.hash.text(kind);
        Ok(())
    }

    fn note_names(&mut self, names: &[&str]) {
        self.hash.number(names.len());
        for name in names {
            self.hash.text(name);
        }
    }

    /// Runs `inside` as being inside of the type `name`.
    fn within<T>(&mut self, name: &'static str, inside: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        self.hash.text(name);
        self.name.get_or_insert(name);
        self.path.push(name);
        let outcome = inside(self);
        self.path.pop();
        outcome
    }

    fn recurs(&self) -> bool {
        self.path.last().is_some_and(|innermost| self.path.iter().filter(|name| *name == innermost).count() > RECURSION)
    }
}

impl Variants {
    /// The next variant that was not seen; or else one that ends a recursion. With the number of this visit.
    fn choose(&mut self, count: usize) -> (usize, u32) {
        self.visits += 1;
        if self.seen < count {
            self.seen += 1;
            return (self.seen - 1, self.visits);
        }
        (self.leaf.unwrap_or(0), self.visits)
    }

    /// Visit `visit` of variant `index` is done: a leaf, if it visited nobody else on the way.
    fn completed(&mut self, index: usize, visit: u32) {
        if self.visits == visit {
            self.leaf = Some(index);
        }
    }
}

/// blake3, with each part delimited.
struct Hash(blake3::Hasher);

impl Hash {
    fn new(kind: &str, codec: u8) -> Self {
        let mut hash = Self(blake3::Hasher::new_derive_key("cache-core 2025 schema fingerprint v1"));
        hash.text(kind);
        hash.number(usize::from(codec));
        hash
    }

    fn number(&mut self, number: usize) {
        self.0.update(&(number as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.update(text.as_bytes());
    }

    fn finish(self) -> u64 {
        let mut bytes = [0; 8];
        self.0.finalize_xof().fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

#[cfg(test)]
mod tests;
