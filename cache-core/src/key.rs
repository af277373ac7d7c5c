//! Names in the shared store: readable, injective, and never chosen by a caller's braces.
//!
//! ```text
//! shop:user:{alice}:v3        an entry            namespace : cache : {key} : version
//! shop:user:{alice}:v3:lease  its lease           the braces put both, and every version, in one cluster slot
//! shop:user:{}                a cache's mark      no key is ever written as nothing, so no entry has this name
//! shop:#{org%3A7}             a tag's mark        a cache name never begins with `#`
//! shop:#                      the namespace's mark
//! shop:user:{alice}:guard     guards: while one is open, nothing is cached under the key, in no version
//! shop:#log                   the log of invalidations
//! shop:#server                which server the namespace was last attached to
//! ```
//!
//! Namespace, cache and tag are escaped: `%`, `:`, `#`, braces, white space and control characters become `%XX`.
//!
//! # Keys
//! Any `Serialize` type is a key. Its text is readable, holds no brace and is never empty; different keys of a type have
//! different texts. `Debug` is never asked.
//!
//! | value | text |
//! |---|---|
//! | `7`, `-7` | `7`, `-7` |
//! | `"alice"` | `alice` |
//! | `""`, `"7"`, `"true"`, `"_x"` | `'`, `'7`, `'true`, `'_x`: with a quote where it could be taken for something else |
//! | `"a b{c}"` | `a%20b%7Bc%7D` |
//! | `true`, `()` | `true`, `()` |
//! | `None`, `Some(7)`, `Some("")` | `_`, `+7`, `+'` |
//! | `(7, "alice")` | `(7,alice)` |
//! | `Key { org: 7, id: 3 }` | `(org=7,id=3)` |
//! | `UserId(7)` | `7` |
//! | `Plan::Free`, `Plan::Paid(3)` | `.Free`, `.Paid(3)` |
//! | `vec![1, 2]` | `[1,2]` |
//! | a map | `[a=1,b=2]`, sorted by text, `[=]` if empty |
//! | bytes | `0x00ff` |
//! | `1.5_f64` | `0f3ff8000000000000`, its bits |
//!
//! "Different" is meant as serde sees values, with these limits: the width of an integer, the name of a type, and
//! whether a letter is a `char` or a `String` are not told apart, which only an untagged enum could make use of; the
//! empty tuple is `()`; `0.0` and `-0.0` differ; a `HashSet` is a sequence to serde, so its order is part of the key:
//! use a `BTreeSet`.
//!
//! Text of more than 200 bytes is replaced by its beginning, `~` and a keyed 256-bit hash of all of it. No other text
//! has a `~`. The hash is not trusted: the full text is stored with the entry and compared.

pub(crate) mod encode;
mod scratch;

use std::{fmt, fmt::Write as _, sync::Arc};

/// Where one entry lives: every name it needs in a shared store.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntryKey {
    /// `shop:user:{alice}:v3`
    name: Arc<str>,
    /// How much of it is the stem: `shop:user:{alice}:v`
    stem: usize,
    version: u32,
    cache: Mark,
}

impl EntryKey {
    /// `text` is an encoded key: it holds no brace and is not empty.
    pub(crate) fn new(cache: &CacheName, version: u32, text: &str) -> Self {
        debug_assert!(!text.is_empty() && !text.contains(['{', '}']), "keys are encoded before they are named");
        scratch::write(|name| {
            name.extend([&*cache.prefix, ":{", text, "}:v"]);
            let stem = name.len();
            // To a string nothing fails to be written.
            let _ = write!(name, "{version}");
            Self { name: name.as_str().into(), stem, version, cache: cache.mark() }
        })
    }

    /// The schema version that this process reads and writes.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The mark of the cache it belongs to. A backend keeps the cache's live versions with it.
    #[must_use]
    pub const fn cache(&self) -> &Mark {
        &self.cache
    }

    /// The entry's name in its own version.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The entry's name in schema version `version`.
    #[must_use]
    pub fn entry(&self, version: u32) -> String {
        self.beside(version, "")
    }

    /// The name of the guards that are open on the key, in all versions.
    #[must_use]
    pub fn guard(&self) -> String {
        // The stem ends in `:v`.
        [&self.name[..self.stem - 1], "guard"].concat()
    }

    /// The name of the entry's lease in schema version `version`.
    #[must_use]
    pub fn lease(&self, version: u32) -> String {
        self.beside(version, ":lease")
    }

    fn beside(&self, version: u32, what: &str) -> String {
        match version == self.version {
            true => [&*self.name, what].concat(),
            false => format!("{}{version}{what}", self.stem()),
        }
    }
}

impl EntryKey {
    /// What its names have in common in every version, but for the version itself.
    pub(crate) fn stem(&self) -> &str {
        &self.name[..self.stem]
    }
}

impl fmt::Debug for EntryKey {
    /// Shows a short digest, not the key: keys carry what users typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = blake3::hash(self.stem().as_bytes());
        write!(f, "EntryKey({}…:v{})", &digest.to_hex()[..12], self.version)
    }
}

/// The names of a namespace's log of invalidations, and of what belongs to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Log {
    name: Arc<str>,
    server: Arc<str>,
    mark: Mark,
}

impl Log {
    /// The name of the log itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the server that the namespace was last attached to is recorded.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The mark of the namespace, which is removed when that server turns out to be another one.
    #[must_use]
    pub const fn mark(&self) -> &Mark {
        &self.mark
    }
}

/// The name of an epoch in a shared store: of a tag, a cache or a namespace.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Mark {
    name: Arc<str>,
    scope: Scope,
}

/// What a [`Mark`] stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Every entry of a namespace, or [any](Namespace::any_tag) of its tags.
    Namespace,
    /// Every entry of one cache, in all its versions.
    Cache,
    /// Every entry with one tag.
    Tag,
}

impl Mark {
    /// Its name in the store.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it stands for. Marks of tags may expire when nothing needs them any more; the others are kept.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = blake3::hash(self.name.as_bytes());
        write!(f, "Mark({:?} {}…)", self.scope, &digest.to_hex()[..12])
    }
}

/// The first part of every name of a stack.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it is empty or longer than 255 bytes.
    pub fn new(name: &str) -> crate::Result<Self> {
        named("namespace", name).map(|name| Self(name.into()))
    }

    /// Its name, escaped.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// The mark of all its entries.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { name: format!("{}:#", self.0).into(), scope: Scope::Namespace }
    }

    /// The mark that is renewed together with *any* tag of the namespace.
    ///
    /// A load whose tags are known only when it ends is stored only if this one is unchanged since it began.
    #[must_use]
    pub fn any_tag(&self) -> Mark {
        Mark { name: format!("{}:#*", self.0).into(), scope: Scope::Namespace }
    }

    /// Its log of invalidations.
    #[must_use]
    pub fn log(&self) -> Log {
        let name = |what: &str| format!("{}:#{what}", self.0).into();
        Log { name: name("log"), server: name("server"), mark: self.mark() }
    }

    /// The mark of a tag. Any text is a tag.
    #[must_use]
    pub fn tag(&self, tag: &str) -> Mark {
        let name = scratch::write(|name| {
            name.extend([&*self.0, ":#{"]);
            push_name(name, tag);
            name.push('}');
            name.as_str().into()
        });
        Mark { name, scope: Scope::Tag }
    }
}

/// What a name in the log stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Named<'a> {
    /// An entry, by what its names in all versions begin with.
    Entry(&'a str),
    Mark(Mark),
}

impl Namespace {
    /// What `name` stands for, if it is the name of an entry or a mark of this namespace.
    pub(crate) fn parse<'a>(&self, name: &'a str) -> Option<Named<'a>> {
        let own = name.strip_prefix(&*self.0)?.strip_prefix(':')?;
        let mark = |scope| Some(Named::Mark(Mark { name: name.into(), scope }));
        match own {
            "#" | "#*" => return mark(Scope::Namespace),
            _ if own.starts_with("#{") && own.ends_with('}') => return mark(Scope::Tag),
            _ if own.starts_with('#') => return None,
            _ if own.ends_with(":{}") => return mark(Scope::Cache),
            _ => {}
        }
        let version = name.rfind("}:v")? + 3;
        let is_number = !name[version..].is_empty() && name[version..].bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Named::Entry(&name[..version]))
    }
}

/// The escaped name of a cache, with its namespace before it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CacheName {
    prefix: Arc<str>,
    mark: Mark,
}

impl CacheName {
    pub(crate) fn new(namespace: &Namespace, name: &str) -> crate::Result<Self> {
        let prefix = format!("{}:{}", namespace.0, named("cache name", name)?);
        let mark = Mark { name: format!("{prefix}:{{}}").into(), scope: Scope::Cache };
        Ok(Self { prefix: prefix.into(), mark })
    }

    pub(crate) fn mark(&self) -> Mark {
        self.mark.clone()
    }
}

fn named(what: &str, name: &str) -> crate::Result<String> {
    if name.is_empty() || name.len() > 255 {
        return Err(crate::Error::new(crate::ErrorKind::Config, "name")
            .context(format!("a {what} has 1 to 255 bytes, this one has {}; name it shorter", name.len())));
    }
    Ok(escape(name))
}

/// Percent-escapes what has a meaning in a name, so that the whole stays injective.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_name(&mut out, text);
    out
}

fn push_name(out: &mut String, text: &str) {
    for c in text.chars() {
        push_escaped(out, c, |c| matches!(c, ':' | '#'));
    }
}

/// Appends `c`, escaped if it is a brace, `%`, white space, a control character, or `special`.
pub(crate) fn push_escaped(out: &mut String, c: char, special: impl Fn(char) -> bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if matches!(c, '%' | '{' | '}') || c.is_whitespace() || c.is_control() || special(c) {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // Not by `write!`: tags such as `user:7` are escaped with each call.
            out.extend(['%', char::from(DIGITS[usize::from(byte >> 4)]), char::from(DIGITS[usize::from(byte & 15)])]);
        }
    } else {
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_share_a_slot() {
        let shop = Namespace::new("shop").unwrap();
        let users = CacheName::new(&shop, "user").unwrap();
        let key = EntryKey::new(&users, 3, "alice");
        assert_eq!(key.entry(3), "shop:user:{alice}:v3");
        assert_eq!(key.lease(4), "shop:user:{alice}:v4:lease");
        assert_eq!(key.cache().name(), "shop:user:{}");
        assert_eq!(key.guard(), "shop:user:{alice}:guard");
        assert_eq!(shop.mark().name(), "shop:#");
        assert_eq!((shop.log().name(), shop.log().server()), ("shop:#log", "shop:#server"));
        assert_eq!(shop.tag("org:7").name(), "shop:#{org%3A7}");
    }

    #[test]
    fn separators_in_names_never_shift_a_boundary() {
        let name = |namespace: &str, cache: &str| CacheName::new(&Namespace::new(namespace).unwrap(), cache).unwrap();
        assert_ne!(name("a:b", "c"), name("a", "b:c"));
        assert_ne!(name("a%3Ab", "c"), name("a:b", "c"));
        let a = Namespace::new("a").unwrap();
        assert_ne!(a.tag("x}"), a.tag("x%7D"));
        assert_ne!(a.tag("*"), a.any_tag());
    }

    #[test]
    fn names_in_the_log_are_those_that_were_written() {
        let shop = Namespace::new("shop").unwrap();
        let users = CacheName::new(&shop, "user").unwrap();
        let key = EntryKey::new(&users, 3, "alice");
        assert_eq!(shop.parse(&key.entry(3)), Some(Named::Entry(key.stem())));
        assert_eq!(shop.parse(&key.entry(4)), Some(Named::Entry(key.stem())));
        for mark in [shop.mark(), shop.any_tag(), shop.tag("org:7"), users.mark()] {
            assert_eq!(shop.parse(mark.name()), Some(Named::Mark(mark.clone())));
        }
        for nonsense in
            ["", "shop", "shop:", "shop:#log", "shop:user", "shop:user:{a}:v", "shop:user:{a}:v1x", "other:#"]
        {
            assert_eq!(shop.parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_name_is_neither_empty_nor_endless() {
        assert!(Namespace::new("").is_err());
        assert!(Namespace::new(&"n".repeat(256)).is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        let shop = Namespace::new("shop").unwrap();
        let key = EntryKey::new(&CacheName::new(&shop, "user").unwrap(), 1, "alice@example.org");
        assert!(!format!("{key:?} {:?}", shop.tag("alice")).contains("alice"));
    }
}
