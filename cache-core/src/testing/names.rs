//! Keys and marks of a test.

use crate::{
    key::{CacheName, EntryKey, Log, Mark, Namespace},
    token::EntryId,
};

/// Keys and marks in a namespace that is drawn at random, so that tests can share a server.
#[derive(Clone, Debug)]
pub struct Names {
    namespace: Namespace,
    cache: CacheName,
}

impl Names {
    /// Draws a new namespace, with a cache named `cache` in it.
    #[must_use]
    pub fn random() -> Self {
        let random = u128::from_be_bytes(*EntryId::random().as_bytes());
        let namespace = Namespace::new(&format!("test-{random:032x}")).expect("a short name");
        let cache = CacheName::new(&namespace, "cache").expect("a short name");
        Self { namespace, cache }
    }

    /// A cache of another name in the same namespace.
    ///
    /// # Panics
    /// If `name` is not one.
    #[must_use]
    pub fn with_cache(&self, name: &str) -> Self {
        let cache = CacheName::new(&self.namespace, name).expect("a cache name");
        Self { namespace: self.namespace.clone(), cache }
    }

    /// An entry of the cache in schema version 1. `text` is not escaped: it has no braces.
    #[must_use]
    pub fn key(&self, text: &str) -> EntryKey {
        self.key_of_version(text, 1)
    }

    /// The same in another version.
    #[must_use]
    pub fn key_of_version(&self, text: &str, version: u32) -> EntryKey {
        EntryKey::new(&self.cache, version, text)
    }

    /// The mark of the namespace.
    #[must_use]
    pub fn namespace(&self) -> Mark {
        self.namespace.mark()
    }

    /// The mark of the cache.
    #[must_use]
    pub fn cache(&self) -> Mark {
        self.cache.mark()
    }

    /// The mark of a tag.
    #[must_use]
    pub fn tag(&self, tag: &str) -> Mark {
        self.namespace.tag(tag)
    }

    /// The mark that is renewed with any tag.
    #[must_use]
    pub fn any_tag(&self) -> Mark {
        self.namespace.any_tag()
    }

    /// The log of the namespace.
    #[must_use]
    pub fn log(&self) -> Log {
        self.namespace.log()
    }

    /// The marks of an entry without tags: the namespace's and the cache's.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        vec![self.namespace(), self.cache()]
    }
}
