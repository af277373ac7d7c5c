//! Writes down what happens in a run, on its virtual clock.

use std::sync::{Arc, Mutex};

use cache_core::{
    clock,
    testing::history::{Deed, Moment, Operation, Record, Rollback},
};
use tokio::time::Instant;

pub(crate) const KEYS: usize = 4;

#[derive(Clone)]
pub(crate) struct History {
    start: Instant,
    written: Arc<Mutex<Written>>,
}

struct Written {
    record: Record,
    steps: u64,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { start: clock::now(), written: Arc::new(Mutex::new(Written { record: Record::of(KEYS), steps: 0 })) }
    }

    fn write<T>(&self, what: impl FnOnce(&mut Record, Moment) -> T) -> T {
        let written = &mut self.written.lock().unwrap();
        written.steps += 1;
        let now = Moment { at: clock::now() - self.start, step: written.steps };
        what(&mut written.record, now)
    }

    pub(crate) fn now(&self) -> Moment {
        self.write(|_, now| now)
    }

    /// The origin is part of the history: a key's version is how often it was committed to.
    pub(crate) fn commit(&self, key: usize) -> u64 {
        self.write(|record, now| record.commits[key].push(now));
        self.versions()[key]
    }

    pub(crate) fn versions(&self) -> Vec<u64> {
        self.written.lock().unwrap().record.commits.iter().map(|commits| 1 + commits.len() as u64).collect()
    }

    pub(crate) fn ended(&self, began: Moment, process: usize, deed: Deed) {
        self.write(|record, ended| record.operations.push(Operation { began, ended, process, deed }));
    }

    pub(crate) fn rolled_back(&self) {
        self.write(|record, at| record.rollbacks.push(Rollback { at, noticed: None }));
    }

    /// The namespace was renewed.
    pub(crate) fn noticed(&self) {
        self.write(|record, now| {
            for rollback in &mut record.rollbacks {
                rollback.noticed.get_or_insert(now);
            }
        });
    }

    pub(crate) fn quiet(&self) {
        self.write(|record, now| record.quiet = Some(now));
    }

    pub(crate) fn record(&self) -> Record {
        self.written.lock().unwrap().record.clone()
    }
}
