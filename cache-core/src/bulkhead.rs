//! How many loads run at once, and how many wait for that.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    error::{Error, ErrorKind, Result},
    stats::{Counters, Event},
};

/// Room for loads: so many run, so many more may wait.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    room: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

/// A load's place in a bulkhead, until it is dropped.
#[derive(Debug)]
pub(crate) struct Room(#[expect(dead_code, reason = "held, never looked at")] OwnedSemaphorePermit);

/// A load's places: in its cache's bulkhead and in that of the stack, where there are any.
pub(crate) type Rooms = [Option<Room>; 2];

impl Bulkhead {
    pub(crate) fn new(most: usize, most_waiting: usize) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self { room: semaphore(most), queue: semaphore(most_waiting) }
    }

    /// Waits for room, in the order of arrival, at most for `patience`.
    ///
    /// # Errors
    /// [`ErrorKind::Overloaded`]: too many wait already, or the wait took too long.
    pub(crate) async fn enter(&self, patience: Duration, counters: &Counters) -> Result<Room> {
        if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
            return Ok(Room(permit));
        }
        let refused = |why| {
            counters.count(Event::LoadRejected);
            Error::new(ErrorKind::Overloaded, "load").context(why)
        };
        let Ok(_waiting) = self.queue.try_acquire() else {
            return Err(refused(
                "as many loads as may wait do so already: raise max_loads or max_waiting_loads, or load less",
            ));
        };
        counters.count(Event::LoadWait);
        match timeout(patience, Arc::clone(&self.room).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Room(permit)),
            _ => Err(refused("no other load made room within its hard_timeout: raise max_loads, or load less")),
        }
    }
}
