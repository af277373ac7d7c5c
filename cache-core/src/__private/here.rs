//! What synchronous functions call. Their caches are of L1 alone.

use super::{Ask, Entry, Outcome, Told, outcome::Holds};
use crate::{
    answer::Answer,
    cache::{CacheKey, CacheValue, Call},
    coherence::course::Mode,
    entry::Asker,
    error::{LoadError, Result},
    lookup::Lookup,
    stack::Stack,
};

/// The tags of a load.
type Tags<'a> = Box<dyn FnOnce() -> Vec<String> + 'a>;

/// The body, which runs on the thread that waits, and takes the arguments as they are.
type Body<'a, R> = Box<dyn FnOnce() -> R + 'a>;

impl<O, L> Entry<O, L>
where
    O: Outcome<Value: CacheValue, Error: Clone>,
    L: Lookup<Key: CacheKey> + Send,
{
    /// What the function asks, or a companion of it.
    pub fn ask_here<'a, D>(
        self,
        ask: Ask<D>,
        tags: impl FnOnce() -> Vec<String> + 'a,
        load: impl FnOnce() -> O::Return + 'a,
    ) -> Told<O::Return, D>
    where
        O: Holds<D>,
    {
        let (tags, load): (Tags<'a>, Body<'a, O::Return>) = (Box::new(tags), Box::new(load));
        match ask {
            Ask::Call | Ask::Past => Told::Returned(self.returned_here(Mode::Load, tags, load)),
            Ask::Refresh => Told::Returned(self.returned_here(Mode::Refresh, tags, load)),
            Ask::Explain => Told::Explained(self.explain_here(tags, load)),
            Ask::Get => Told::Found(self.get_here()),
            Ask::Insert(value) => Told::Inserted(self.insert_here(tags, value)),
            Ask::Warm => unreachable!("each call of a synchronous function waits for itself"),
            Ask::Target => Told::Target(self.target()),
        }
    }

    fn returned_here(self, mode: Mode, tags: Tags<'_>, load: Body<'_, O::Return>) -> O::Return {
        if self.bypassed {
            return load();
        }
        O::join(self.answer_here(mode, tags, load).map(|answer| answer.value))
    }

    fn explain_here(self, tags: Tags<'_>, load: Body<'_, O::Return>) -> Answer<O::Return> {
        if self.bypassed {
            return Answer::uncached(load());
        }
        match self.answer_here(Mode::Load, tags, load) {
            Ok(answer) => answer.map(|value| O::join(Ok(value))),
            Err(error) => Answer::uncached(O::join(Err(error))),
        }
    }

    fn get_here<D>(self) -> Option<D>
    where
        O: Holds<D>,
    {
        if self.bypassed {
            return None;
        }
        self.cache.ok()?.shared().value(&self.key, Asker::Looks).map(O::give)
    }

    fn insert_here<D>(self, tags: Tags<'_>, value: D) -> Result<()>
    where
        O: Holds<D>,
    {
        let Some((value, call)) = self.to_store(tags, value)? else { return Ok(()) };
        let cache = self.cache?;
        cache.shared().insert_here(&self.key, cache.shared().hash(&self.key), value, &call)
    }

    fn answer_here(
        self,
        mode: Mode,
        tags: Tags<'_>,
        load: Body<'_, O::Return>,
    ) -> Result<Answer<O::Value>, LoadError<O::Error>> {
        let (cache, keep) = (self.cache?, self.keep);
        let shared = cache.shared();
        let (hash, key) = (shared.hash(&self.key), self.key.to_key());
        let call = Call { mode, tags: tags(), ..Call::default() };
        let answer = shared
            .fetch_here(key.clone(), hash, call, |handle| keep.sort(load(), &handle, shared.policy().negative_ttl));
        if mode == Mode::Refresh && answer.as_ref().is_ok_and(|answer| !keep.says(&answer.value)) {
            // What is cached yet is older than what must not be.
            let _ = Stack::from_inner(shared.stack.clone()).invalidation().key(&cache, &key).send_soon();
        }
        cache.or_default(hash, &&key, answer, self.default)
    }
}
