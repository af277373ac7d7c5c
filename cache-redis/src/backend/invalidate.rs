//! Invalidation, which finds out on its way in which versions the entries live.
//!
//! A script may touch only keys that it was given, so the first round removes the caller's own version and reads, in
//! the same step, which others are registered. A second round removes those, if there are any: during a rolling deploy.
//! A version that registers between the rounds begins to load after the invalidation began, and loads what is true now.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
};

use bb8_redis::redis::Value;
use cache_core::{
    Result,
    backend::Invalidate,
    key::{EntryKey, Mark, Scope},
};

use crate::{error::unexpected, pool::Pool, record, script};

pub(super) async fn run(pool: &Pool, what: Invalidate<'_>) -> Result<()> {
    let mut registered = Registered::default();
    let mut batch = Batch::default();
    // Versions are registered with marks, so keys go first.
    for key in what.keys {
        batch.add_entry(key, key.version());
        batch.ask(key.cache());
        batch.send_if_full(pool, &mut registered).await?;
    }
    for mark in what.marks {
        batch.add_mark(mark, what.any_tag);
        batch.send_if_full(pool, &mut registered).await?;
    }
    batch.send(pool, &mut registered).await?;

    let mut others = Batch::default();
    for key in what.keys {
        for version in registered.versions(key).filter(|version| *version != key.version()) {
            others.add_entry(key, version);
            others.send_if_full(pool, &mut Registered::default()).await?;
        }
    }
    others.send(pool, &mut Registered::default()).await
}

/// The live versions of caches, by the names of their marks.
#[derive(Default)]
struct Registered(HashMap<String, BTreeSet<u32>>);

impl Registered {
    fn versions(&self, key: &EntryKey) -> impl Iterator<Item = u32> {
        self.0.get(key.cache().name()).into_iter().flatten().copied()
    }

    fn add(&mut self, cache: String, mark: &[u8]) {
        self.0.entry(cache).or_default().extend(record::versions(mark));
    }
}

/// What one call of the script removes, and the caches whose versions it tells.
#[derive(Default)]
struct Batch {
    names: Vec<String>,
    caches: BTreeSet<String>,
    has_tag: bool,
}

impl Batch {
    /// Lua can't pass on thousands of arguments, and nobody else is served while a script runs.
    const MOST_KEYS: usize = 490;

    fn add_entry(&mut self, key: &EntryKey, version: u32) {
        self.names.extend([key.entry(version), key.lease(version)]);
    }

    fn ask(&mut self, cache: &Mark) {
        if !self.caches.contains(cache.name()) {
            self.caches.insert(cache.name().to_owned());
        }
    }

    /// A tag takes the mark of any tag with it in the same step: fills judge the one by the other.
    fn add_mark(&mut self, mark: &Mark, any_tag: &Mark) {
        if mark.scope() == Scope::Tag && !mem::replace(&mut self.has_tag, true) {
            self.names.push(any_tag.name().to_owned());
        }
        self.names.push(mark.name().to_owned());
    }

    async fn send_if_full(&mut self, pool: &Pool, registered: &mut Registered) -> Result<()> {
        if self.names.len() + self.caches.len() < Self::MOST_KEYS {
            return Ok(());
        }
        mem::take(self).send(pool, registered).await
    }

    async fn send(self, pool: &Pool, registered: &mut Registered) -> Result<()> {
        if self.names.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = self.names.iter().chain(&self.caches).map(String::as_str).collect();
        let mut call = script::INVALIDATE.call(keys.into_iter());
        call.arg(self.names.len());
        let Value::Array(marks) = pool.script("invalidate", &script::INVALIDATE, &call).await? else {
            return Err(unexpected("invalidate"));
        };
        for (cache, mark) in self.caches.into_iter().zip(marks) {
            if let Value::BulkString(mark) = mark {
                registered.add(cache, &mark);
            }
        }
        Ok(())
    }
}
