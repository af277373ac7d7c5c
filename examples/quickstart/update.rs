//! An update: prices change in the database, their tag is invalidated, and what is read next must be the new price.

use cache_core::Stack;
use tokio::task::{JoinSet, yield_now};

use crate::{
    database::Database,
    service::{PlanId, Quote, ServiceError, plan, quote},
};

const PLAN: PlanId = PlanId(7);
const SEATS: u32 = 10;
const READERS: usize = 8;
const RAISES: u32 = 20;

/// What came of it.
#[derive(Default)]
pub(crate) struct Update {
    /// How often the price changed.
    pub(crate) changes: usize,
    /// How many reads that began after the invalidation showed an older price.
    pub(crate) stale: usize,
}

/// Changes the price of one plan again and again while others read it, and puts the old price back at the end.
pub(crate) async fn run(stack: &Stack, db: &Database) -> Result<Update, ServiceError> {
    let price = db.plan(PLAN).await?.price_cents;
    let mut readers = readers(db);
    let mut update = Update::default();
    for cents in (price + 1..=price + RAISES).chain([price]) {
        db.set_price(PLAN, cents).await?;
        stack.invalidate_tag(format!("plan:{PLAN}")).await?;

        // Two kinds of data carry the tag: the plan itself, and every quote for it.
        let read = plan(db, PLAN).await?;
        let quoted: Quote = serde_json::from_str(&quote(db, PLAN, SEATS).await?).expect("a quote is JSON");
        update.changes += 1;
        update.stale += usize::from(read.price_cents != cents);
        update.stale += usize::from(quoted.price_cents != u64::from(cents * SEATS));
    }
    readers.shutdown().await;
    Ok(update)
}

/// They see to it that loads of the old price are in flight when it changes.
fn readers(db: &Database) -> JoinSet<Result<(), ServiceError>> {
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let db = db.clone();
        readers.spawn(async move {
            loop {
                plan(&db, PLAN).await?;
                quote(&db, PLAN, SEATS).await?;
                yield_now().await;
            }
        });
    }
    readers
}
