//! Invalidations that could not reach L2.
//!
//! Until one got through, this process trusts no copy in L2 that it covers; nor, once it did, an answer that L2 may have
//! given before. What does not fit is widened to the whole namespace: more is distrusted than need be, never less.

use std::collections::HashMap;

use crate::key::{EntryKey, Mark};

/// What an invalidation covers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Target {
    Entry(EntryKey),
    Mark(Mark),
}

/// The queue, with the number of the latest intent for each target.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Outbox {
    queued: HashMap<Target, u64>,
    intents: u64,
    deliveries: u64,
    everything: Mark,
    capacity: usize,
}

/// The most targets of one batch.
const BATCH: usize = 500;

/// Whether an answer of L2 is to be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trust {
    /// It knew of everything that covers the entry.
    Full,
    /// It does not know of something that does.
    Denied,
    /// It may have learnt of it after it had answered.
    Outdated,
}

/// What was queued at one moment; confirmed when L2 has it all.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Batch(Vec<(Target, u64)>);

impl Outbox {
    /// `everything` is the mark that covers the namespace.
    pub(crate) fn new(everything: Mark, capacity: usize) -> Self {
        Self { queued: HashMap::new(), intents: 0, deliveries: 0, everything, capacity }
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

    fn distrusts_marks<'a>(&self, marks: impl IntoIterator<Item = &'a Mark>) -> bool {
        let has = |mark: &Mark| self.queued.contains_key(&Target::Mark(mark.clone()));
        !self.queued.is_empty() && (has(&self.everything) || marks.into_iter().any(has))
    }

    /// How many batches got through. Taken before L2 is asked, it dates the answer.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Whether to believe an answer about an entry that rests on `marks`, which nobody knew when L2 was asked.
    pub(crate) fn trust<'a>(&self, deliveries: u64, marks: impl IntoIterator<Item = &'a Mark>) -> Trust {
        if self.distrusts_marks(marks) {
            return Trust::Denied;
        }
        if self.deliveries != deliveries { Trust::Outdated } else { Trust::Full }
    }

    /// Some of what is queued, few enough to be told inside a deadline; nothing if nothing is.
    pub(crate) fn batch(&self) -> Option<Batch> {
        let batch = self.queued.iter().take(BATCH).map(|(target, intent)| (target.clone(), *intent));
        Some(Batch(batch.collect())).filter(|batch: &Batch| !batch.0.is_empty())
    }

    /// L2 has the batch. What was queued again meanwhile stays.
    pub(crate) fn confirm(&mut self, batch: Batch) {
        self.deliveries += 1;
        for (target, intent) in batch.0 {
            if self.queued.get(&target) == Some(&intent) {
                self.queued.remove(&target);
            }
        }
    }

    /// The number of the latest intent for a target.
    #[cfg(test)]
    pub(crate) fn intent(&self, target: &Target) -> Option<u64> {
        self.queued.get(target).copied()
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

    #[cfg(test)]
    pub(crate) fn intent(&self, target: &Target) -> Option<u64> {
        self.0.iter().find(|(queued, _)| queued == target).map(|(_, intent)| *intent)
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
        assert!(outbox.distrusts(&entry(&shop, "d"), []));
        assert_eq!(outbox.trust(0, [&shop.tag("t")]), Trust::Denied);
    }

    #[test]
    fn an_answer_from_before_a_delivery_is_outdated_after_it() {
        let (shop, mut outbox) = outbox(10);
        outbox.queue([Target::Mark(shop.tag("t"))]);
        let asked = outbox.deliveries();
        assert_eq!(outbox.trust(asked, [&shop.tag("t")]), Trust::Denied);
        assert_eq!(outbox.trust(asked, [&shop.tag("u")]), Trust::Full);
        let batch = outbox.batch().unwrap();
        outbox.confirm(batch);
        assert_eq!(outbox.trust(asked, [&shop.tag("t")]), Trust::Outdated);
        assert_eq!(outbox.trust(outbox.deliveries(), [&shop.tag("t")]), Trust::Full);
    }
}
