//! What a stack does in the background: follow the log, retry queued invalidations, let L1 evict and expire, hand out metrics.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    select,
    time::{MissedTickBehavior, interval, sleep},
};

use super::StackInner;
use crate::l2::L2;

/// How often it looks after things.
const TICK: Duration = Duration::from_millis(500);

/// What need not be told at once waits so long for company.
const WINDOW: Duration = Duration::from_millis(50);

/// Marks that nothing rests on are forgotten every so many ticks.
const SWEEP: u64 = 60;

impl StackInner {
    /// Starts the background task, unless it runs. It may have ended with the runtime that it was started on, for a stack
    /// that outlives runtimes, as in tests.
    pub(crate) fn ensure_tended(self: &Arc<Self>) {
        if self.tended.load(Ordering::Relaxed) {
            return;
        }
        // A synchronous function may be called where there is none; who comes next with one tends.
        let Ok(runtime) = Handle::try_current() else { return };
        if self.tended.swap(true, Ordering::AcqRel) {
            return;
        }
        runtime.spawn(tend(Arc::downgrade(self), Tending(Arc::downgrade(self))));
    }
}

/// Ends with the stack, and holds it only while it does something.
async fn tend(stack: Weak<StackInner>, _tending: Tending) {
    let Some((_following, hurry)) = stack.upgrade().map(|stack| (stack.follow(), Arc::clone(&stack.hurry))) else {
        return;
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tick = 0u64;
    loop {
        let is_hurry = select! {
            // Either would do; this way a simulation repeats. A hurry that comes second is still there the next time.
            biased;
            _ = ticks.tick() => false,
            () = hurry.notified() => true,
        };
        if is_hurry {
            sleep(WINDOW).await;
        }
        let Some(stack) = stack.upgrade() else { return };
        if stack.is_closed() {
            return;
        }
        // What fails stays queued, and the next tick tries again.
        let _ = stack.deliver(L2::invalidate).await;
        if is_hurry {
            continue;
        }
        stack.store.tend();
        stack.publish();
        tick += 1;
        if tick.is_multiple_of(SWEEP) {
            stack.ledger.sweep();
        }
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
