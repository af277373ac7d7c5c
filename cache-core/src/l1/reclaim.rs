//! When the memory of what was dropped from a front is given back: once no hit that is under way can have it borrowed.
//!
//! Whoever drops something looks after that. Where no hit is in its way the memory is given back at once, and else with what
//! the thread drops next.

use std::{
    cell::Cell,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sdd::Guard;

/// While a thread has one, nothing is freed that it borrowed from a front.
pub(crate) struct Pin(pub(super) Guard);

impl Pin {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        if STAGE.get() == Stage::New {
            introduce();
        }
        Self(Guard::new())
    }
}

/// How many entries a thread gave up the last share in before it frees them.
const LOT: u32 = 16;

thread_local! {
    /// So many did this one, since it last freed any.
    static DISCARDED: Cell<u32> = const { Cell::new(0) };
}

/// This thread gave up the last share in an entry. It frees such entries in small lots, and a large one at once.
pub(crate) fn discarded(weight: u32) {
    const LARGE: u32 = 64 << 10;
    let more = if weight >= LARGE { LOT } else { 1 };
    let before = DISCARDED.get();
    DISCARDED.set(before.saturating_add(more));
    // Once for each lot, since it may be in vain.
    if before / LOT != DISCARDED.get() / LOT {
        collect();
    }
}

/// Frees what this thread discarded, if that is a lot. Does nothing in a thread that has a [`Pin`].
#[inline]
pub(crate) fn collect_lot() {
    if DISCARDED.get() >= LOT {
        collect();
    }
}

/// Frees what this thread dropped from fronts, unless others have it borrowed. Does nothing in a thread that has a [`Pin`].
#[inline(never)]
pub(crate) fn collect() {
    // It is freed in the third epoch after its own.
    for _ in 0..4 {
        let guard = Guard::new();
        if !guard.has_garbage() {
            DISCARDED.set(0);
            break;
        }
        guard.accelerate();
    }
}

/// How far a thread is, as far as fronts are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    /// It will say when it ends.
    Known,
    /// It ends: what `sdd` knew of it is gone, or about to be, and nothing can be borrowed or freed in it any more.
    Ending,
}

thread_local! {
    /// Apart from what sets it at the end, so that it can be read until then and after.
    static STAGE: Cell<Stage> = const { Cell::new(Stage::New) };
}

#[cold]
fn introduce() {
    struct End;

    impl Drop for End {
        fn drop(&mut self) {
            STAGE.set(Stage::Ending);
        }
    }

    thread_local! {
        static END: End = const { End };
    }
    // In this order: what came last ends first.
    drop(Guard::new());
    END.with(|_| STAGE.set(Stage::Known));
}

/// Whether this thread can't give up entries any more: moka has threads that end free what others gave up.
pub(crate) fn is_ending() -> bool {
    if STAGE.get() == Stage::New {
        introduce();
    }
    STAGE.get() == Stage::Ending
}

/// What threads that were ending have left to others to drop.
static LEFT: Mutex<Vec<Box<dyn Send>>> = Mutex::new(Vec::new());

/// Leaves something to the next who [clears up](clear_up), since this thread is ending. Where no stack is tended any more it stays.
pub(super) fn leave(what: impl Send + 'static) {
    left().push(Box::new(what));
}

/// Drops what was left.
pub(super) fn clear_up() {
    let left = mem::take(&mut *left());
    drop(left);
}

fn left() -> MutexGuard<'static, Vec<Box<dyn Send>>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}
