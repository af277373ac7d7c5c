//! What the attribute says of a cache: its name first of all.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    cache::{Cache, CacheKey, CacheValue},
    error::{Error, ErrorKind, Result},
    policy::Overrides,
    stack::Stack,
};

/// What the attribute says of the cache.
pub struct Spec {
    name: Name,
    policy: Option<&'static str>,
    version: Option<u32>,
    overrides: Option<fn(Overrides) -> Overrides>,
}

/// The name of a cache.
#[derive(Clone, Copy)]
enum Name {
    /// The function's own path; nobody else may have it.
    Path(fn() -> &'static str),
    /// `cache = "…"`; functions may share it.
    Given(&'static str),
    /// `cache = …`; functions may share it too.
    Said(fn() -> String),
    /// Of one of many instances, which share nothing. Within `family`, nobody else may have it.
    Instance { name: &'static str, family: usize },
}

/// The longest name of an instance; a longer one is cut, and ends in its digest.
const LONGEST: usize = 200;

impl Spec {
    /// Of a function that is yet to be named.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Self { name: Name::Path(|| ""), policy: None, version: None, overrides: None }
    }

    /// `path` is the function's own; it names the cache unless the attribute does. The body of a function has no module
    /// path of its own, hence not `module_path!()`: two local functions of one name would share their entries.
    pub const fn path(mut self, path: fn() -> &'static str) -> Self {
        self.name = Name::Path(path);
        self
    }

    /// `cache = "…"`
    pub const fn cache(mut self, cache: &'static str) -> Self {
        self.name = Name::Given(cache);
        self
    }

    /// `cache = …`
    pub const fn named(mut self, name: fn() -> String) -> Self {
        self.name = Name::Said(name);
        self
    }

    /// `policy = "…"`
    pub const fn policy(mut self, policy: &'static str) -> Self {
        self.policy = Some(policy);
        self
    }

    /// `version = …`
    pub const fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// `ttl = …` and the other fields of the policy
    pub const fn overrides(mut self, overrides: fn(Overrides) -> Overrides) -> Self {
        self.overrides = Some(overrides);
        self
    }

    /// Names one of many instances. `place` is the type name of what holds its site: `shop::load::__site<User>`, or, for a
    /// method, `shop::Table<User>::__count_site<u8>`. What is generic about it becomes a part of a name that does not say it.
    pub(super) fn settle(self, place: &str, family: usize) -> Self {
        let (function, own) = split_generics(place);
        let (scope, hidden) = function.rsplit_once("::").unwrap_or(("", function));
        let method = hidden.strip_prefix("__").and_then(|hidden| hidden.strip_suffix("_site"));
        let of = if method.is_some() { split_generics(scope).1 } else { "" };
        let (name, family) = match self.name {
            Name::Given(given) if of.is_empty() && own.is_empty() => return Self { name: Name::Given(given), ..self },
            Name::Given(given) => (format!("{given}{of}{own}"), family),
            Name::Said(name) => (name(), family),
            Name::Path(_) => match method {
                Some(method) => (format!("{scope}::{method}{own}"), 0),
                None => (format!("{scope}{own}"), 0),
            },
            Name::Instance { .. } => return self,
        };
        // Once for each instance of the program.
        Self { name: Name::Instance { name: shortened(name).leak(), family }, ..self }
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        match self.name {
            Name::Path(path) => path().into(),
            Name::Given(name) | Name::Instance { name, .. } => name.into(),
            Name::Said(name) => name().into(),
        }
    }

    pub(super) fn build<K: CacheKey, V: CacheValue>(&'static self, stack: &Stack) -> Result<Cache<K, V>> {
        self.claim()?;
        let mut builder = stack.cache(self.name());
        if let Some(policy) = self.policy {
            builder = builder.policy(policy);
        }
        if let Some(version) = self.version {
            builder = builder.version(version);
        }
        if let Some(overrides) = self.overrides {
            builder = builder.overrides(overrides(Overrides::new()));
        }
        builder.build()
    }

    /// Sees that nobody else has a name that is not to be shared: a function in another block, or in another version of the
    /// crate; or another instance that `cache = …` does not tell from this one.
    fn claim(&'static self) -> Result<()> {
        static CLAIMS: Mutex<BTreeMap<(usize, String), usize>> = Mutex::new(BTreeMap::new());
        let family = match self.name {
            Name::Path(_) => 0,
            Name::Instance { family, .. } => family,
            Name::Given(_) | Name::Said(_) => return Ok(()),
        };
        let me = std::ptr::from_ref(self).addr();
        let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
        if *claims.entry((family, self.name().into_owned())).or_insert(me) == me {
            return Ok(());
        }
        let name = self.name();
        Err(Error::new(ErrorKind::Config, "build").context(match family {
            0 => format!(
                "two cached functions are both `{name}`, and would share their entries; name their caches by \
                 #[cached(cache = …)]"
            ),
            _ => format!(
                "two instances of a cached function both name their cache `{name}`, and would share their entries; let \
                 #[cached(cache = …)] speak of what tells them apart"
            ),
        }))
    }
}

/// `load<User>` as `load` and `<User>`.
fn split_generics(name: &str) -> (&str, &str) {
    if !name.ends_with('>') {
        return (name, "");
    }
    let mut depth = 0;
    for (at, c) in name.char_indices().rev() {
        match c {
            '>' if !name[..at].ends_with('-') => depth += 1,
            '<' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return name.split_at(at);
        }
    }
    (name, "")
}

fn shortened(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let digest = blake3::hash(name.as_bytes()).to_hex();
    let cut = (0..=LONGEST - 32).rev().find(|&at| name.is_char_boundary(at)).unwrap_or_default();
    format!("{}{}", &name[..cut], &digest[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(spec: Spec, place: &str) -> String {
        spec.settle(place, 1).name().into_owned()
    }

    #[test]
    fn an_instance_is_named_by_its_path_and_what_it_is_generic_over() {
        assert_eq!(name(Spec::new(), "shop::load::__site<shop::User>"), "shop::load<shop::User>");
        assert_eq!(name(Spec::new(), "shop::Table<u8>::__count_site"), "shop::Table<u8>::count");
        assert_eq!(
            name(Spec::new(), "shop::Table<u8>::__a_b_site<fn(u8) -> u8, 3>"),
            "shop::Table<u8>::a_b<fn(u8) -> u8, 3>"
        );
    }

    #[test]
    fn a_given_name_is_completed() {
        let given = || Spec::new().cache("row");
        assert_eq!(name(given(), "shop::load::__site<shop::Row<u8>>"), "row<shop::Row<u8>>");
        assert_eq!(name(given(), "shop::Table<u8>::__count_site<3>"), "row<u8><3>");
        assert_eq!(name(given(), "shop::Table::__count_site"), "row");
        assert_eq!(name(Spec::new().named(|| "said".into()), "shop::load::__site<u8>"), "said");
    }

    #[test]
    fn long_names_stay_apart() {
        let long = |end: &str| name(Spec::new(), &format!("load::__site<{}{end}>", "é".repeat(300)));
        assert!(long("a").len() <= LONGEST && long("a") != long("b"), "{}", long("a"));
    }
}
