//! How flights begin: in a task of their own, in their caller's, or behind an answer.

use std::borrow::Cow;

use super::super::{Behind, Landing, Outcome};
use super::{
    MAX_READS, Order, Pilot,
    scales::{Asked, Scales, Ticket, Weighed},
};
use crate::{
    cache::{CacheKey, CacheValue},
    clock,
    coherence::course::{Course, Effect, End, Event, Reach, Seen},
    entry::EntryRef,
    load::{self, Failure, Lineage},
    stats,
    tag::Tags,
    token::random_unit,
};

/// Begins a flight in a task of its own.
pub(crate) fn launch<K: CacheKey, V: CacheValue>(landing: Landing<K, V>, order: Order<K, V>) {
    let progress = Pilot::new(&landing, order).rest();
    set_off(landing, progress);
}

/// Begins a flight, and carries out its first step, a read of L2, in the caller's task: a hit needs no other. Whatever
/// comes after goes on in a task of its own.
///
/// If the caller is dropped meanwhile, the flight ends with it, and one of those who joined leads the next. A read holds
/// nothing that would have to be given back.
pub(crate) async fn embark<K: CacheKey, V: CacheValue>(landing: Landing<K, V>, order: Order<K, V>) {
    let mut pilot = Pilot::new(&landing, order);
    match load::catch_panic(pilot.look()).await {
        Ok(Some((outcome, end))) => {
            let order = pilot.order;
            land(landing, outcome, end, order);
        }
        Ok(None) => {
            let progress = pilot.rest();
            set_off(landing, progress);
        }
        Err(panic) => {
            let order = pilot.order;
            land(landing, Outcome::Failed(Failure::Cache(panic)), End::Failed, order);
        }
    }
}

/// [`embark`], where L1 has nothing to compare: most flights find a fresh entry, which is returned. While it waits, it holds
/// next to nothing: there may be many of its like. The order is made out only where there is more to do.
pub(crate) fn glance<K: CacheKey, V: CacheValue>(
    landing: Landing<K, V>,
    ticket: Ticket<'_>,
    order: impl FnOnce() -> Order<K, V>,
) -> impl Future<Output = Option<EntryRef<K, V>>> {
    let policy = landing.cache.policy();
    // Not an `async fn`, which would keep its arguments a second time.
    async move {
        let proof = &landing.cache.stack.proof;
        let mut known = Cow::Borrowed(ticket.tags);
        let mut reads = 0;
        let (seen, entry) = loop {
            let asked = Asked::now(&landing.cache);
            let Some(found) = landing.cache.found(ticket.entry_key, &known).await else {
                break (Seen::Unreachable, None);
            };
            reads += 1;
            let scales = Scales { landing: &landing, policy: &policy, ticket, known: &known, replaced: None };
            match load::panic_caught(|| scales.weigh(found, asked)) {
                Ok(Weighed::Fresh(entry, now)) if !entry.is_due(now, proof) => {
                    landing.cache.note(stats::Event::L2Hit, landing.hash, &landing.key);
                    landing.land_hit(&entry, now);
                    return Some(entry);
                }
                Ok(Weighed::Fresh(entry, _) | Weighed::Stale(entry)) => break (Seen::Usable, Some(entry)),
                Ok(Weighed::Seen(seen)) => break (seen, None),
                Ok(Weighed::AskAgain { or_else, .. }) if reads == MAX_READS => break (or_else, None),
                Ok(Weighed::AskAgain { more, .. }) => known = Cow::Owned(known.with(&more)),
                Err(panic) => {
                    land(landing, Outcome::Failed(Failure::Cache(panic)), End::Failed, order());
                    return None;
                }
            }
        };
        let known = known.into_owned();
        let progress = Progress::after_read(&landing, order(), known, seen);
        let mut pilot = Pilot::go_on(&landing, progress);
        pilot.promotion = entry;
        match pilot.ended() {
            Some((outcome, end)) => {
                let order = pilot.order;
                land(landing, outcome, end, order);
            }
            None => {
                let progress = pilot.rest();
                set_off(landing, progress);
            }
        }
        None
    }
}

/// Ends a flight, and begins the one that replaces what it brought, where that is stale.
pub(super) fn land<K: CacheKey, V: CacheValue>(
    landing: Landing<K, V>,
    outcome: Outcome<K, V>,
    end: End,
    order: Order<K, V>,
) {
    if let Some((landing, behind)) = landing.land(outcome, end, &order) {
        launch_behind(landing, behind, order);
    }
}

/// Begins a flight that replaces an entry behind its back.
pub(crate) fn launch_behind<K: CacheKey, V: CacheValue>(
    landing: Landing<K, V>,
    behind: Behind<K, V>,
    order: Order<K, V>,
) {
    let Behind { seat, place, .. } = behind;
    landing.cache.note(stats::Event::Refresh, landing.hash, &landing.key);
    launch(
        landing,
        Order {
            resident: Some(place.entry.clone()),
            serves_stale: false,
            behind: Some(place),
            _companion: Some(seat),
            // Nobody waits for it.
            lineage: Lineage::default(),
            ..order
        },
    );
}

/// Carries out a flight, until it has landed or everyone has left it.
pub(crate) async fn fly<K: CacheKey, V: CacheValue>(landing: Landing<K, V>, order: Order<K, V>) {
    let progress = Pilot::new(&landing, order).rest();
    fly_on(landing, progress).await;
}

/// Carries out what is left of a flight in a task.
fn set_off<K: CacheKey, V: CacheValue>(landing: Landing<K, V>, progress: Progress<K, V>) {
    // In a box: it is large, and a task is moved some times before it is where it stays.
    tokio::spawn(Box::pin(fly_on(landing, progress)));
}

/// Carries out what is left of a flight.
pub(super) async fn fly_on<K: CacheKey, V: CacheValue>(landing: Landing<K, V>, progress: Progress<K, V>) {
    let mut pilot = Pilot::go_on(&landing, progress);
    match load::catch_panic(pilot.travel()).await {
        Ok(Some((outcome, end))) => {
            let order = pilot.order;
            if let Some((landing, behind)) = landing.land(outcome, end, &order) {
                launch_behind(landing, behind, order);
            }
        }
        Ok(None) => pilot.release().await,
        Err(panic) => {
            pilot.release().await;
            let order = pilot.order;
            landing.land(Outcome::Failed(Failure::Cache(panic)), End::Failed, &order);
        }
    }
}

/// How far a flight has come that holds nothing yet.
pub(super) struct Progress<K, V> {
    pub(super) order: Order<K, V>,
    pub(super) known: Tags,
    pub(super) course: Course,
    pub(super) next: Effect,
}

impl<K: CacheKey, V: CacheValue> Progress<K, V> {
    pub(super) fn new(landing: &Landing<K, V>, order: Order<K, V>) -> Self {
        let cache = &landing.cache;
        let reach = cache.reach(&order.entry_key, &order.tags);
        let mut course = Course::new(order.mode, reach, cache.stack.settings.patience);
        let next = course.next(Event::Began, clock::now(), random_unit);
        Self { known: order.tags.clone(), order, course, next }
    }

    /// With the first step done, which was to read.
    pub(super) fn after_read(landing: &Landing<K, V>, order: Order<K, V>, known: Tags, seen: Seen) -> Self {
        let mut course = Course::new(order.mode, Reach::Shared, landing.cache.stack.settings.patience);
        let first = course.next(Event::Began, clock::now(), random_unit);
        debug_assert_eq!(first, Effect::Read, "nothing else comes first where L2 may be read");
        let next = course.next(Event::Read(seen), clock::now(), random_unit);
        Self { order, known, course, next }
    }
}
