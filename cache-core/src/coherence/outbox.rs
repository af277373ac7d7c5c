//! Invalidations that could not reach L2.
//!
//! Until one got through, this process trusts no copy in L2 that it covers. What does not fit is widened to the whole
//! namespace: more is distrusted than need be, never less.

use std::collections::HashMap;

use crate::key::{EntryKey, Mark};

/// What an invalidation covers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Target {
    Entry(EntryKey),
    Mark(Mark),
}

/// The queue, with the number of the latest intent for each target.
pub(crate) struct Outbox {
    queued: HashMap<Target, u64>,
    intents: u64,
    everything: Mark,
    capacity: usize,
}

/// The most targets of one batch.
const BATCH: usize = 500;

/// What was queued at one moment; confirmed when L2 has it all.
pub(crate) struct Batch(Vec<(Target, u64)>);

impl Outbox {
    /// `everything` is the mark that covers the namespace.
    pub(crate) fn new(everything: Mark, capacity: usize) -> Self {
        Self { queued: HashMap::new(), intents: 0, everything, capacity }
    }

    pub(crate) fn queue(&mut self, targets: impl IntoIterator<Item = Target>) {
        for target in targets {
            self.intents += 1;
            self.queued.insert(target, self.intents);
        }
        if self.queued.len() > self.capacity {
            self.queued.clear();
            self.queued.insert(Target::Mark(self.everything.clone()), self.intents);
        }
    }

    /// Whether L2 must not be believed about an entry that rests on `marks`.
    pub(crate) fn distrusts<'a>(&self, key: &EntryKey, marks: impl IntoIterator<Item = &'a Mark>) -> bool {
        self.queued.contains_key(&Target::Entry(key.clone())) || self.distrusts_marks(marks)
    }

    pub(crate) fn distrusts_marks<'a>(&self, marks: impl IntoIterator<Item = &'a Mark>) -> bool {
        marks.into_iter().any(|mark| self.queued.contains_key(&Target::Mark(mark.clone())))
    }

    /// Some of what is queued, few enough to be told inside a deadline; nothing if nothing is.
    pub(crate) fn batch(&self) -> Option<Batch> {
        let batch = self.queued.iter().take(BATCH).map(|(target, intent)| (target.clone(), *intent));
        Some(Batch(batch.collect())).filter(|batch: &Batch| !batch.0.is_empty())
    }

    /// L2 has the batch. What was queued again meanwhile stays.
    pub(crate) fn confirm(&mut self, batch: Batch) {
        for (target, intent) in batch.0 {
            if self.queued.get(&target) == Some(&intent) {
                self.queued.remove(&target);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queued.len()
    }
}

impl Batch {
    /// The entries and the marks in it.
    pub(crate) fn split(&self) -> (Vec<EntryKey>, Vec<Mark>) {
        let mut split = (Vec::new(), Vec::new());
        for (target, _) in &self.0 {
            match target {
                Target::Entry(key) => split.0.push(key.clone()),
                Target::Mark(mark) => split.1.push(mark.clone()),
            }
        }
        split
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{CacheName, Namespace};

    fn outbox(capacity: usize) -> (Namespace, Outbox) {
        let shop = Namespace::new("shop").unwrap();
        let outbox = Outbox::new(shop.mark(), capacity);
        (shop, outbox)
    }

    fn entry(shop: &Namespace, key: &str) -> EntryKey {
        EntryKey::new(&CacheName::new(shop, "user").unwrap(), 1, key)
    }

    #[test]
    fn what_is_queued_is_distrusted_until_it_is_confirmed() {
        let (shop, mut outbox) = outbox(10);
        outbox.queue([Target::Entry(entry(&shop, "a")), Target::Mark(shop.tag("t"))]);
        assert!(outbox.distrusts(&entry(&shop, "a"), []));
        assert!(outbox.distrusts(&entry(&shop, "b"), [&shop.tag("t")]));
        assert!(!outbox.distrusts(&entry(&shop, "b"), [&shop.tag("u")]));
        let batch = outbox.batch().unwrap();
        assert_eq!(batch.split(), (vec![entry(&shop, "a")], vec![shop.tag("t")]));
        outbox.confirm(batch);
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn an_intent_that_came_while_the_batch_was_under_way_stays() {
        let (shop, mut outbox) = outbox(10);
        outbox.queue([Target::Entry(entry(&shop, "a"))]);
        let batch = outbox.batch().unwrap();
        outbox.queue([Target::Entry(entry(&shop, "a"))]);
        outbox.confirm(batch);
        assert!(outbox.distrusts(&entry(&shop, "a"), []));
    }

    #[test]
    fn a_long_queue_goes_out_in_batches() {
        let (shop, mut outbox) = outbox(2 * BATCH);
        outbox.queue((0..BATCH + 1).map(|n| Target::Mark(shop.tag(&n.to_string()))));
        let mut sizes = Vec::new();
        while let Some(batch) = outbox.batch() {
            sizes.push(batch.split().1.len());
            outbox.confirm(batch);
        }
        assert_eq!(sizes, [BATCH, 1]);
    }

    #[test]
    fn a_full_queue_covers_the_namespace() {
        let (shop, mut outbox) = outbox(2);
        outbox.queue(["a", "b", "c"].map(|key| Target::Entry(entry(&shop, key))));
        assert_eq!(outbox.len(), 1);
        assert!(outbox.distrusts_marks([&shop.mark()]));
    }
}
