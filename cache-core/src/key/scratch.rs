//! Room to write text in before it is shared, so that making a name is one allocation.

use std::cell::Cell;

thread_local! {
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// Longer ones are not kept.
const LONGEST: usize = 4 << 10;

/// Has `write` write to an empty string. It may come here again meanwhile, and then writes to another one.
pub(super) fn write<T>(write: impl FnOnce(&mut String) -> T) -> T {
    let mut text = SCRATCH.take();
    text.clear();
    let written = write(&mut text);
    if text.capacity() <= LONGEST {
        SCRATCH.set(text);
    }
    written
}
