//! May what L2 has be served by this flight?

use tokio::time::Instant;

use super::super::Landing;
use crate::{
    backend::Found,
    cache::{CacheKey, CacheValue, Shared},
    clock,
    coherence::{course::Seen, outbox::Trust},
    entry::{EntryRef, Life, Origin},
    judge::{Judge, Promotion, Verdict},
    key::{EntryKey, encode::KeyText},
    policy::Policy,
    tag::Tags,
    token::EntryId,
};

/// What a flight asks for.
#[derive(Clone, Copy)]
pub(crate) struct Ticket<'a> {
    pub(crate) text: &'a KeyText,
    pub(crate) entry_key: &'a EntryKey,
    /// The tags that the call names.
    pub(crate) tags: &'a Tags,
    /// Whether an entry inside its stale-while-revalidate window is an answer.
    pub(crate) serves_stale: bool,
}

/// What weighs an entry that L2 has.
pub(super) struct Scales<'a, K: CacheKey, V: CacheValue> {
    pub(super) landing: &'a Landing<K, V>,
    pub(super) policy: &'a Policy,
    pub(super) ticket: Ticket<'a>,
    /// The tags whose epochs were asked for.
    pub(super) known: &'a Tags,
    /// What is to be replaced ahead of its end: it answers nobody here.
    pub(super) replaced: Option<EntryId>,
}

impl<K: CacheKey, V: CacheValue> Scales<'_, K, V> {
    pub(super) fn weigh(&self, found: Found, asked: Asked) -> Weighed<K, V> {
        let cache = &self.landing.cache;
        let judge = Judge {
            ledger: &cache.stack.ledger,
            codec: &*cache.codec,
            entry: self.ticket.entry_key,
            seal: cache.stack.settings.seal.as_ref(),
            most: self.policy.max_value_size,
            key: &self.ticket.text.full,
            declared: self.ticket.tags,
            asked: self.known,
        };
        Weighed::Seen(match judge.judge(found) {
            Verdict::Absent => Seen::Absent,
            Verdict::Usable(promotion) => match cache.stack.trust(asked.deliveries, promotion.tags.marks()) {
                Trust::Full => return self.promote(promotion, asked.at),
                Trust::Denied => Seen::Unreachable,
                Trust::Outdated => return Weighed::AskAgain { or_else: Seen::Unreachable, more: Tags::default() },
            },
            Verdict::Dead(id) => {
                self.landing.flight.set_stand_in(None);
                Seen::Useless(id)
            }
            Verdict::Unknown(id, more) => return Weighed::AskAgain { or_else: Seen::Useless(id), more },
            Verdict::Damaged(id, why) => {
                cache.note_damage(why);
                Seen::Useless(id)
            }
            Verdict::Unreadable(id, error) => {
                cache.note_unreadable(&error);
                Seen::Useless(id)
            }
        })
    }

    /// An entry past its time to live answers inside its window, or else only if the load fails.
    pub(super) fn promote(&self, promotion: Promotion<V>, asked: Instant) -> Weighed<K, V> {
        let (flight, policy) = (&self.landing.flight, self.policy);
        let (id, now) = (promotion.id, clock::now());
        let entry = self.promoted(promotion, asked);
        if entry.life().is_fresh(now) {
            return match self.replaced == Some(id) {
                true => Weighed::Seen(Seen::Useless(id)),
                false => Weighed::Fresh(entry, now),
            };
        }
        if self.ticket.serves_stale && entry.life().is_within(policy.stale_while_revalidate, now) {
            return Weighed::Stale(entry);
        }
        match flight.stand_in() {
            // If it expired softly, this process may not know of it yet, and must not take it for current.
            Some(known) if known.origin.id() == Some(id) && !entry.life().windows.expired => {
                known.origin.as_of.raise(entry.origin.as_of.get());
            }
            _ => flight.set_stand_in(Some(entry)),
        }
        Weighed::Seen(Seen::Useless(id))
    }

    pub(super) fn promoted(&self, promotion: Promotion<V>, asked: Instant) -> EntryRef<K, V> {
        let Promotion { value, id, span, cost, expired, tags, validator, size } = promotion;
        let (cache, flight) = (&self.landing.cache, &self.landing.flight);
        let mut life = Life::new(asked, span, cache.l1_lifetime(self.policy)).due_by(self.policy, cost);
        life.windows.expired = expired;
        // It has every tag that the call names, and rests on what the flight does if it has no other.
        let standing = match tags.len() == self.ticket.tags.len() {
            true => flight.standing.clone(),
            false => {
                let lot = cache.lot(self.landing.hash, self.ticket.entry_key);
                cache.standing(lot, flight.standing.born, &tags)
            }
        };
        let origin = Origin::new(cache.as_of(asked), Some(id), validator);
        cache.entry(self.landing.key.clone(), value, life, standing, origin, Some(size))
    }
}

/// When L2 was asked.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    at: Instant,
    /// How many invalidations that had failed before it had been told of.
    deliveries: u64,
}

impl Asked {
    pub(super) fn now<K: CacheKey, V: CacheValue>(cache: &Shared<K, V>) -> Self {
        Self { at: clock::now(), deliveries: cache.stack.deliveries() }
    }
}

pub(super) enum Weighed<K, V> {
    /// An entry to be served, which was fresh then.
    Fresh(EntryRef<K, V>, Instant),
    /// One inside its window.
    Stale(EntryRef<K, V>),
    Seen(Seen),
    /// This, unless asking again, for more tags too, brings something better.
    AskAgain {
        or_else: Seen,
        more: Tags,
    },
}
