//! A loaded value on its way into L2.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::{Cargo, MIN_LIFE};
use super::Pilot;
use crate::{
    backend::{Fill, FillReply, Late},
    cache::{CacheKey, CacheValue},
    clock,
    coherence::{course::Loaded, validity::SCOPES},
    key::Mark,
    load::{Load, Wishes},
    stats,
    tag::Tags,
    token::{EntryId, Epoch},
};

/// A loaded value in its frame, as a fill sends it.
pub(super) struct Parcel {
    frame: Bytes,
    life: Duration,
    /// Its tags whose epochs were captured with the lease.
    early: Tags,
    /// Its tags whose epochs the fill has to look up.
    late: Tags,
}

impl<K: CacheKey, V: CacheValue> Pilot<'_, K, V> {
    pub(super) fn pack(&mut self, value: V, started: Instant, leased: bool, load: Load) -> Loaded {
        let wishes = load.take();
        let earlier = self.flight().stand_in();
        let mut tags = self.order.tags.with(&self.cache.stack.ledger.tags(&wishes.tags));
        if let (true, Some(earlier)) = (wishes.is_unchanged, &earlier) {
            tags = tags.with(earlier.standing.tags());
        }
        let policy = &self.policy;
        let adapted = || self.cache.adapted(policy, earlier.as_deref()?, &value, wishes.is_unchanged);
        let asked = wishes.ttl.or(self.order.ttl).or_else(adapted);
        let (ttl, grace) = (self.cache.lifetime(policy, &value, asked), policy.grace());
        let Wishes { validator, no_store, .. } = wishes;
        let mut cargo =
            Cargo { value, started, ttl, grace, leased, tags, validator, payload: None, size: None, id: None };
        let loaded = if no_store { Loaded::Drop } else { self.cache.pack(policy, &mut cargo) };
        self.cargo = Some(cargo);
        loaded
    }

    pub(super) async fn fill(&mut self) -> Option<FillReply> {
        let reply = match self.consign() {
            Some(parcel) => self.ship(&parcel).await,
            None => {
                self.release().await;
                Some(FillReply::Refused)
            }
        };
        self.count(match reply {
            Some(FillReply::Stored) => stats::Event::Fill,
            Some(FillReply::Refused) | None => stats::Event::FillRefused,
        });
        reply
    }

    /// What was loaded, ready to be sent; nothing if the load took longer than it may live.
    pub(super) fn consign(&mut self) -> Option<Parcel> {
        let foreseen = self.policy.foreseen(self.order.ttl);
        let cargo = self.cargo.as_mut().expect("a course fills what it loaded");
        let payload = cargo.payload.take().expect("what is kept in L2 was encoded");
        let took = clock::now() - cargo.started;
        let fresh = cargo.ttl.checked_sub(took).filter(|fresh| *fresh >= MIN_LIFE)?;
        let life = fresh + cargo.grace;
        // An entry that outlives what was foreseen would outlive captured marks too: then the fill prolongs them all.
        let captured = if cargo.ttl > foreseen { &Tags::default() } else { &self.known };
        let (early, late) = cargo.tags.split(captured);
        let names = early.names().chain(late.names()).collect();
        let frame = self.cache.frame(
            &self.policy,
            (&self.order.text, &self.order.entry_key),
            cargo,
            payload,
            names,
            took,
            life,
        )?;
        Some(Parcel { frame, life, early, late })
    }

    pub(super) async fn ship(&mut self, parcel: &Parcel) -> Option<FillReply> {
        let Parcel { frame, life, early, late } = parcel;
        let places = early.names().filter_map(|name| self.known.position(name)).map(|place| SCOPES + place);
        let epochs: Vec<Epoch> = (0..SCOPES).chain(places).map(|place| self.captured[place]).collect();
        let late: Vec<Mark> = late.marks().cloned().collect();
        let unchanged = *self.captured.last().expect("the mark of any tag is always captured");
        let id = EntryId::random();
        let fill = Fill {
            key: &self.order.entry_key,
            token: self.token.expect("a course fills only under a lease"),
            id,
            epochs: &epochs,
            late: (!late.is_empty()).then_some(Late {
                marks: &late,
                unchanged: (&self.cache.stack.any_tag, unchanged),
                retain: self.policy.retain(Some(*life)),
            }),
            frame,
            ttl: *life,
        };
        let reply = self.l2().fill(fill, &self.cache.counters).await;
        if let (Some(FillReply::Stored), Some(cargo)) = (reply, &mut self.cargo) {
            cargo.id = Some(id);
        }
        reply
    }
}
