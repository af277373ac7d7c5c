//! Invalidation, which finds out on its way in which versions the entries live.
//!
//! A script may touch only keys that it was given, so the first round removes the caller's own version and reads, in
//! the same step, which others are registered. A second round removes those, if there are any: during a rolling deploy.
//! A version that registers between the rounds begins to load after the invalidation began, and loads what is true now.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
};

use bb8_redis::redis::{Cmd, Value};
use cache_core::{
    Result,
    backend::{Expire, Guard, Invalidate, Position},
    key::{EntryKey, Mark, Scope},
    token::{Epoch, LeaseToken},
};

use crate::{
    error::unexpected,
    pool::Pool,
    record,
    script::{self, Script},
};

pub(super) async fn run(pool: &Pool, what: Invalidate<'_>) -> Result<Option<Position>> {
    send(pool, what, false).await
}

/// The same way, but that nothing is removed.
pub(super) async fn expire(pool: &Pool, what: Expire<'_>) -> Result<Option<Position>> {
    let Expire { keys, tags, any_tag, log, from } = what;
    send(pool, Invalidate { keys, marks: tags, any_tag, guard: None, log, from }, true).await
}

async fn send(pool: &Pool, what: Invalidate<'_>, soft: bool) -> Result<Option<Position>> {
    let mut sender = Sender { pool, what: &what, soft, registered: Registered::default(), end: None };
    let mut batch = Batch::default();
    // Versions are registered with marks, so keys go first.
    for key in what.keys {
        batch.add_entry(key, key.version());
        batch.ask(key.cache());
        if what.guard.is_some() {
            batch.guards.push(key.guard());
        }
        sender.send_if_full(&mut batch).await?;
    }
    for mark in what.marks {
        batch.add_mark(mark, what.any_tag);
        sender.send_if_full(&mut batch).await?;
    }
    sender.send(batch).await?;

    let mut others = Batch::default();
    for (key, version) in sender.registered.others(what.keys) {
        others.add_entry(key, version);
        sender.send_if_full(&mut others).await?;
    }
    sender.send(others).await?;
    Ok(sender.end)
}

/// The live versions of caches, by the names of their marks.
#[derive(Default)]
struct Registered(HashMap<String, BTreeSet<u32>>);

impl Registered {
    /// The keys in the versions that are not their own.
    fn others<'a>(&self, keys: &'a [EntryKey]) -> Vec<(&'a EntryKey, u32)> {
        let versions = |key: &EntryKey| self.0.get(key.cache().name()).into_iter().flatten().copied();
        let all = keys.iter().flat_map(|key| versions(key).map(move |version| (key, version)));
        all.filter(|(key, version)| *version != key.version()).collect()
    }

    fn add(&mut self, cache: String, mark: &[u8]) {
        self.0.entry(cache).or_default().extend(record::versions(mark));
    }
}

/// What one call of the script removes, and the caches whose versions it tells.
#[derive(Default)]
struct Batch {
    entries: Vec<String>,
    /// Leases, and the mark of any tag: nobody needs to be told of these.
    silent: Vec<String>,
    marks: Vec<String>,
    guards: Vec<String>,
    caches: BTreeSet<String>,
    has_tag: bool,
}

impl Batch {
    /// Lua can't pass on thousands of arguments, and nobody else is served while a script runs.
    const MOST_KEYS: usize = 490;

    fn add_entry(&mut self, key: &EntryKey, version: u32) {
        self.entries.push(key.entry(version));
        self.silent.push(key.lease(version));
    }

    fn ask(&mut self, cache: &Mark) {
        if !self.caches.contains(cache.name()) {
            self.caches.insert(cache.name().to_owned());
        }
    }

    /// A tag takes the mark of any tag with it in the same step: fills judge the one by the other.
    fn add_mark(&mut self, mark: &Mark, any_tag: &Mark) {
        if mark.scope() == Scope::Tag && !mem::replace(&mut self.has_tag, true) {
            self.silent.push(any_tag.name().to_owned());
        }
        self.marks.push(mark.name().to_owned());
    }

    fn groups(&self) -> [&[String]; 4] {
        [&self.entries, &self.silent, &self.marks, &self.guards]
    }

    fn is_full(&self) -> bool {
        self.groups().iter().map(|group| group.len()).sum::<usize>() + self.caches.len() >= Self::MOST_KEYS
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.marks.is_empty()
    }
}

/// Sends batches, and keeps what they answer.
struct Sender<'a> {
    pool: &'a Pool,
    what: &'a Invalidate<'a>,
    /// Whether it is all marked as stale, and not removed.
    soft: bool,
    registered: Registered,
    /// Where the last message stands.
    end: Option<Position>,
}

impl Sender<'_> {
    async fn send_if_full(&mut self, batch: &mut Batch) -> Result<()> {
        match batch.is_full() {
            true => self.send(mem::take(batch)).await,
            false => Ok(()),
        }
    }

    async fn send(&mut self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let (operation, script) = match self.soft {
            true => ("expire", &script::EXPIRE),
            false => ("invalidate", &script::INVALIDATE),
        };
        let reply = self.pool.script(operation, script, &self.call(script, &batch)).await?;
        let (end, marks) = parse(reply).ok_or_else(|| unexpected(operation))?;
        self.end = Some(end);
        for (cache, mark) in batch.caches.into_iter().zip(marks) {
            if let Value::BulkString(mark) = mark {
                self.registered.add(cache, &mark);
            }
        }
        Ok(())
    }

    fn call(&self, script: &Script, batch: &Batch) -> Cmd {
        let groups = batch.groups();
        let names = groups.into_iter().flatten().chain(&batch.caches).map(String::as_str);
        let keys: Vec<_> = [self.what.log.name()].into_iter().chain(names).collect();
        let mut call = script.call(&keys, size_of::<Epoch>() * batch.marks.len());
        call.arg(record::process(self.what.from));
        // The last group is of guards, which nothing soft has.
        for group in &groups[..if self.soft { 3 } else { 4 }] {
            call.arg(group.len());
        }
        if self.soft {
            let fresh = Epoch::random_many(batch.marks.len());
            call.arg(fresh.iter().flat_map(|epoch| *epoch.as_bytes()).collect::<Vec<u8>>());
            return call;
        }
        match self.what.guard {
            None => call.arg("").arg("").arg(0),
            Some(Guard::Open { token, ttl }) => call.arg("open").arg(token.as_bytes()).arg(record::millis(ttl)),
            Some(Guard::Close { token }) => call.arg("close").arg(token.as_bytes()).arg(0),
            Some(Guard::Hold { ttl }) => call.arg("hold").arg(LeaseToken::random().as_bytes()).arg(record::millis(ttl)),
        };
        call
    }
}

fn parse(reply: Value) -> Option<(Position, Vec<Value>)> {
    let Value::Array(parts) = reply else {
        return None;
    };
    match <[Value; 2]>::try_from(parts).ok()? {
        [Value::BulkString(end), Value::Array(marks)] => Some((record::position(&end)?, marks)),
        _ => None,
    }
}
