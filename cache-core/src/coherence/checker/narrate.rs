//! A schedule in words.

use std::fmt;

use super::{
    follow::Errand,
    property::{Source, Value},
    store::{Request, number},
    world::{Party, Step, World},
};
use crate::backend::Claim;

impl World {
    /// What a step is, in the world before it.
    pub(super) fn tell(&self, step: Step) -> String {
        match step {
            Step::Begin(id) => format!("{} begins", self.call(id)),
            Step::Board(id) => format!("{} looks for a flight", self.call(id)),
            Step::TakeOff(id) => format!("{} takes off", self.flight(id)),
            Step::Execute(party) => format!("{} executes", self.request(party)),
            Step::ExecuteUnheard(party) => format!("{} executes, and its answer is lost", self.request(party)),
            Step::Hear(party) => format!("{} is answered", self.request(party)),
            Step::GiveUp(party) => format!("{} is given up", self.request(party)),
            Step::FailLoad(id) => format!("the load by {} fails", self.flight(id)),
            Step::Land(id) => format!("{} lands", self.flight(id)),
            Step::Wake(id) => format!("{} learns how the flight that it joined has ended", self.call(id)),
            Step::DropLocal(id) => format!("{} drops what is here, and returns an error", self.call(id)),
            Step::Deliver(place) => format!("process {place} sends what is queued"),
            Step::Leave(id) => format!("the caller of {} leaves", self.call(id)),
            Step::Cancel(id) => format!("{} is cancelled", self.flight(id)),
            Step::ExecuteStray(place) => format!("{}, given up before, executes", self.strays[place]),
            Step::Commit => "the origin commits a version".into(),
            Step::LoseEntry => "L2 loses the entry".into(),
            Step::LoseLease => "L2 loses the lease".into(),
            Step::LoseTag => "L2 loses the mark of the tag".into(),
            Step::LoseAnyTag => "L2 loses the mark of any tag".into(),
            Step::Sweep(place) => format!("process {place} sweeps its ledger"),
            Step::Tick => "the clock ticks".into(),
            Step::ReadOn(place) => format!("process {place} applies the next message of the log"),
            Step::Beat(place) => format!("process {place} sends a heartbeat"),
            Step::HearErrand(place) => format!("{} of process {place} is answered", self.errand_name(place)),
            Step::TrimLog(0) => "the log is lost".into(),
            Step::TrimLog(left) => format!("the log loses all messages but {left}"),
            Step::FailOver => "a server takes over that lacks the last invalidation".into(),
        }
    }

    fn call(&self, id: usize) -> String {
        let call = &self.calls[id];
        format!("{:?} {id} of process {}", call.operation, call.process)
    }

    fn flight(&self, id: usize) -> String {
        format!("the flight of {}", self.call(id))
    }

    fn errand_name(&self, place: usize) -> &'static str {
        match self.processes[place].errand {
            Some(Errand::Beat(..)) => "the heartbeat",
            _ => "the attachment",
        }
    }

    fn request(&self, party: Party) -> String {
        let sender = match party {
            Party::Flight(id) => self.flight(id),
            Party::Call(id) => self.call(id),
            Party::Delivery(place) => format!("the outbox of process {place}"),
        };
        format!("{} by {sender}", self.exchange(party).request())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { tagged: true } => f.write_str("the read of entry and tag"),
            Self::Read { tagged: false } => f.write_str("the read of the entry"),
            Self::Lease { claim: Claim::Join { .. }, .. } => f.write_str("the request for a lease"),
            Self::Lease { claim: Claim::Take, .. } => f.write_str("the seizure of the lease"),
            Self::Load => f.write_str("the load"),
            Self::Fill { value, .. } => write!(f, "the fill with {value}"),
            Self::Release { .. } => f.write_str("the release of the lease"),
            Self::Put { value, .. } => write!(f, "the put of {value}"),
            Self::Invalidate { .. } => f.write_str("the invalidation in L2"),
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.setting.has_log {
            write!(f, "tick {}, ", self.now)?;
        }
        write!(f, "origin v{}, L2", self.origin)?;
        match self.store.entry {
            Some(entry) => write!(f, " {} under epoch {}", entry.value, number(entry.epoch))?,
            None => write!(f, " empty")?,
        }
        let mark = |mark: Option<_>| mark.map_or_else(|| "none".into(), |epoch| number(epoch).to_string());
        let lease = self.store.lease.map_or_else(|| "none".into(), |token| token.as_bytes()[0].to_string());
        write!(f, ", tag {}, any tag {}, lease {lease}", mark(self.store.tag), mark(self.store.any_tag))?;
        for (place, process) in self.processes.iter().enumerate() {
            match process.l1 {
                Some(resident) if self.setting.has_log => {
                    write!(f, "; L1 of {place} {} as of {}", resident.value, resident.as_of)?;
                }
                Some(resident) => write!(f, "; L1 of {place} {}", resident.value)?,
                None => write!(f, "; L1 of {place} empty")?,
            }
            if process.outbox.len() > 0 {
                write!(f, ", {} queued", process.outbox.len())?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.source {
            Source::Loaded => "",
            Source::Inserted => " (inserted)",
        };
        write!(f, "v{}{how}", self.version)
    }
}
