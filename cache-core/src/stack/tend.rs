//! What a stack does in the background: follow the log, retry queued invalidations, let L1 evict and expire, hand out metrics.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};

use super::StackInner;
use crate::l2::L2;

/// How often it looks after things.
const TICK: Duration = Duration::from_millis(500);

/// Marks that nothing rests on are forgotten every so many ticks.
const SWEEP: u64 = 60;

impl StackInner {
    /// Starts the background task, unless it runs. It may have ended with the runtime that it was started on, for a stack
    /// that outlives runtimes, as in tests.
    pub(crate) fn ensure_tended(self: &Arc<Self>) {
        if self.tended.load(Ordering::Relaxed) || self.tended.swap(true, Ordering::AcqRel) {
            return;
        }
        tokio::spawn(tend(Arc::downgrade(self), Tending(Arc::downgrade(self))));
    }
}

/// Ends with the stack.
async fn tend(stack: Weak<StackInner>, _tending: Tending) {
    let Some(_following) = stack.upgrade().map(|stack| stack.follow()) else { return };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 1u64.. {
        ticks.tick().await;
        let Some(stack) = stack.upgrade() else { return };
        if stack.is_closed() {
            return;
        }
        stack.store.tend();
        stack.publish();
        if tick % SWEEP == 0 {
            stack.ledger.sweep();
        }
        // What fails stays queued, and the next tick tries again.
        let _ = stack.deliver(L2::invalidate).await;
    }
}

/// Says that the task has ended, however it did.
struct Tending(Weak<StackInner>);

impl Drop for Tending {
    fn drop(&mut self) {
        if let Some(stack) = self.0.upgrade() {
            stack.tended.store(false, Ordering::Release);
        }
    }
}
