//! Namespaces that are attached: on every new connection, before anything else is asked there.
//!
//! A server that was restarted or promoted may have lost invalidations that it had acknowledged. No read is answered by
//! it before the mark of its namespace was renewed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bb8_redis::redis::{Cmd, Value};
use cache_core::{
    backend::{Attach, Attached},
    key::Log,
    token::{ProcessId, ServerId},
};

use crate::{record, script};

/// What every new connection attaches. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attachments(Arc<Mutex<Vec<Attachment>>>);

impl Attachments {
    /// Puts a namespace down. Of what is attached more than once the last is kept, but its longest staleness.
    pub(crate) fn add(&self, ask: &Attach<'_>) -> Attachment {
        let Attach { log, from, max_staleness, keep } = *ask;
        let mut added = Attachment { log: log.clone(), from, max_staleness, keep };
        let mut attachments = self.lock();
        match attachments.iter_mut().find(|other| other.log == added.log) {
            Some(other) => {
                added.max_staleness = added.max_staleness.max(other.max_staleness);
                // One of them that does not trust what is there is enough.
                added.keep &= other.keep;
                *other = added.clone();
            }
            None => attachments.push(added.clone()),
        }
        added
    }

    pub(crate) fn all(&self) -> Vec<Attachment> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Attachment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A namespace, and what its server is told.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    log: Log,
    from: ProcessId,
    max_staleness: Duration,
    keep: bool,
}

impl Attachment {
    /// A call of the script, by way of the server's name.
    pub(crate) fn call(&self, server: ServerId) -> Cmd {
        let keys = [self.log.name(), self.log.server(), self.log.mark().name()];
        let mut call = script::ATTACH.call(&keys, 0);
        call.arg(record::process(self.from)).arg(server.as_bytes());
        call.arg(&record::staleness(self.max_staleness)).arg(u8::from(self.keep));
        call
    }
}

/// Reads the script's reply.
pub(crate) fn attached(reply: Value, server: ServerId) -> Option<Attached> {
    let Value::Array(parts) = reply else {
        return None;
    };
    let [Value::BulkString(end), Value::Int(renewed), Value::BulkString(longest)] = parts.as_slice() else {
        return None;
    };
    Some(Attached {
        end: record::position(end)?,
        server,
        renewed: *renewed == 1,
        max_staleness: Duration::from_millis(u64::from_be_bytes(longest.as_slice().try_into().ok()?)),
    })
}

#[cfg(test)]
mod tests {
    use cache_core::key::Namespace;

    use super::*;

    #[test]
    fn a_namespace_is_put_down_once_with_its_longest_staleness() {
        let attachments = Attachments::default();
        let logs = ["shop", "depot"].map(|name| Namespace::new(name).unwrap().log());
        for (log, seconds) in [(&logs[0], 9), (&logs[1], 1), (&logs[0], 5)] {
            let (from, max_staleness) = (ProcessId::random(), Duration::from_secs(seconds));
            attachments.add(&Attach { log, from, max_staleness, keep: seconds != 9 });
        }
        let all = attachments.all();
        assert_eq!(all.len(), 2);
        assert_eq!((&all[0].log, all[0].max_staleness), (&logs[0], Duration::from_secs(9)));
        assert!(!all[0].keep && all[1].keep);
    }
}
