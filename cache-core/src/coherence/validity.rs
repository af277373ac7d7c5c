//! Was an entry in L2 invalidated?
//!
//! One definition, used for every entry that comes from L2: every tag that the call names is on it, and each of its epochs
//! is the present one, byte for byte. A mark that is missing is unknown, never "unchanged".

use crate::{tag::Tags, token::Epoch};

/// The marks that every entry has, before those of its tags: its namespace's and its cache's.
pub(crate) const SCOPES: usize = 2;

/// What an entry is held against.
#[derive(Clone, Copy)]
pub(crate) struct Present<'a> {
    /// The tags that the call names.
    pub(crate) declared: &'a Tags,
    /// The tags whose epochs were asked for.
    pub(crate) asked: &'a Tags,
    /// The epochs in L2: of the scopes, then of the tags that were asked for.
    pub(crate) epochs: &'a [Option<Epoch>],
    /// Earlier epochs of them, under which nothing was revoked.
    pub(crate) expired: &'a [Epoch],
}

/// The judgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Validity {
    /// Nothing that touches it was invalidated since its load began.
    Current,
    /// A tag of it has expired since, softly.
    Expired,
    /// It was invalidated, or its tags are not those of the call.
    Dead,
    /// It has tags whose epochs were not asked for.
    Unknown,
}

impl Present<'_> {
    /// `epochs` are those that the entry was stored with: of the scopes, then of its `tags`, in that order.
    pub(crate) fn weigh(&self, tags: &[&str], epochs: &[Epoch]) -> Validity {
        let is_asked = self.asked.names().eq(tags.iter().copied());
        if !is_asked && !tags.iter().all(|name| self.asked.contains(name)) {
            return Validity::Unknown;
        }
        let is_declared = self.declared.names().eq(tags.iter().copied());
        let has_declared = is_declared || self.declared.names().all(|name| tags.contains(&name));
        if !has_declared || epochs.len() != SCOPES + tags.len() {
            return Validity::Dead;
        }
        // As a rule these are the tags that were asked for, in the same order, and in all things as they were.
        if is_asked && self.epochs.iter().copied().eq(epochs.iter().copied().map(Some)) {
            return Validity::Current;
        }
        let places = tags.iter().map(|name| self.asked.position(name).map(|place| SCOPES + place));
        let present = (0..SCOPES).map(Some).chain(places).map(|place| *self.epochs.get(place?)?);
        // One epoch is of one mark only, so it need not be told which one it was.
        epochs.iter().zip(present).fold(Validity::Current, |validity, (then, now)| match now {
            Some(now) if now == *then => validity,
            Some(_) if validity != Validity::Dead && self.expired.contains(then) => Validity::Expired,
            _ => Validity::Dead,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{coherence::ledger::Ledger, key::Namespace};

    fn tags(names: &[&str]) -> Tags {
        Ledger::new(Namespace::new("shop").unwrap()).tags(names)
    }

    fn epochs<const N: usize>(numbers: [u8; N]) -> [Epoch; N] {
        numbers.map(|number| Epoch::from_bytes([number; 16]))
    }

    fn weigh(declared: &[&str], asked: &[&str], present: &[Option<Epoch>]) -> Validity {
        let present = Present { declared: &tags(declared), asked: &tags(asked), epochs: present, expired: &[] };
        present.weigh(&["b", "a"], &epochs([1, 2, 11, 10]))
    }

    #[test]
    fn an_entry_is_current_while_each_of_its_epochs_is_the_present_one() {
        let present = epochs([1, 2, 10, 11, 12]).map(Some);
        assert_eq!(weigh(&["a"], &["a", "b", "c"], &present), Validity::Current);
        for place in 0..4 {
            let mut renewed = present;
            renewed[place] = Some(Epoch::from_bytes([99; 16]));
            assert_eq!(weigh(&["a"], &["a", "b", "c"], &renewed), Validity::Dead);
            renewed[place] = None;
            assert_eq!(weigh(&["a"], &["a", "b", "c"], &renewed), Validity::Dead, "absence denies");
        }
    }

    #[test]
    fn an_entry_under_an_expired_epoch_is_expired_unless_another_is_dead() {
        let expired = epochs([1, 10]);
        let weigh = |present: [u8; 4]| {
            let (names, present) = (tags(&["a", "b"]), epochs(present).map(Some));
            Present { declared: &names, asked: &names, epochs: &present, expired: &expired }
                .weigh(&["b", "a"], &epochs([1, 2, 11, 10]))
        };
        assert_eq!(weigh([1, 2, 10, 11]), Validity::Current);
        assert_eq!(weigh([1, 2, 20, 11]), Validity::Expired);
        assert_eq!(weigh([5, 2, 20, 11]), Validity::Expired);
        for dead in [[1, 9, 20, 11], [1, 2, 20, 9], [1, 2, 10, 9]] {
            assert_eq!(weigh(dead), Validity::Dead, "{dead:?}");
        }
    }

    #[test]
    fn a_mark_that_is_missing_has_no_expired_entries() {
        let (names, expired) = (tags(&[]), epochs([1, 2]));
        let present = Present { declared: &names, asked: &names, epochs: &[None, None], expired: &expired };
        assert_eq!(present.weigh(&[], &epochs([1, 2])), Validity::Dead);
    }

    #[test]
    fn an_entry_without_a_tag_that_the_call_names_is_dead() {
        let present = epochs([1, 2, 10, 11, 12]).map(Some);
        assert_eq!(weigh(&["a", "c"], &["a", "b", "c"], &present), Validity::Dead);
    }

    #[test]
    fn an_entry_with_tags_that_nobody_asked_about_is_unknown() {
        assert_eq!(weigh(&["a"], &["a"], &epochs([1, 2, 10]).map(Some)), Validity::Unknown);
    }

    #[test]
    fn an_answer_that_is_too_short_proves_nothing() {
        assert_eq!(weigh(&["a"], &["a", "b"], &epochs([1, 2, 10]).map(Some)), Validity::Dead);
        assert_eq!(weigh(&["a"], &["a", "b"], &[]), Validity::Dead);
    }
}
