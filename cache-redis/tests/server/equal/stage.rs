//! A store on which steps are played, and what it answers, with everything left out that may differ.

use std::{collections::HashMap, time::Duration};

use cache_core::{
    Bytes, Error,
    backend::{
        Attach, Backend, Claim, Expire, Fill, FillReply, Follow, Found, Guard, Invalidate, Late, Lease, LeaseReply,
        Message, Part, Position, Put, Read,
    },
    key::{EntryKey, Mark as Name},
    testing::Names,
    token::{EntryId, Epoch, LeaseToken, ProcessId},
};

use super::{
    mishaps::Mishaps,
    steps::{ANY_TAG, Claimed, Guarding, Hours, Key, MARKS, Mark, PROCESSES, Record, Step},
};

/// A reply in numbers: ids and epochs by when they were first seen, times in hours, positions by the step that made them.
#[derive(PartialEq, Debug)]
pub(crate) enum Reply {
    Found(Seen),
    Granted(Vec<usize>),
    Held(Hours),
    LeaseFound(Seen),
    Guarded,
    Is(bool),
    Fill(FillReply),
    /// Whether there was anything to do, and what was announced.
    Invalidated(bool, Announced),
    Expired(bool, Announced),
    Put(FillReply, Announced),
    Attached {
        renewed: bool,
        max_staleness: Duration,
        announced: Announced,
    },
    Pulse {
        has_log: bool,
        recorded: Option<bool>,
        max_staleness: Duration,
    },
    Messages(Announced),
    Nothing,
}

#[derive(PartialEq, Debug)]
pub(crate) struct Seen {
    entry: Option<Entry>,
    epochs: Vec<Option<usize>>,
    /// Earlier ones, whose entries are stale.
    expired: Vec<usize>,
}

#[derive(PartialEq, Debug)]
struct Entry {
    /// The step that stored it.
    step: usize,
    remaining: Option<Hours>,
    epochs: Vec<usize>,
    expired: bool,
    /// None if only its head was read.
    frame: Option<Bytes>,
}

impl Seen {
    /// The step that stored what is there, if a reader would accept it, be it as a stale one; and whether it is fresh.
    pub(crate) fn valid(&self) -> Option<(usize, bool)> {
        let entry = self.entry.as_ref()?;
        if entry.epochs.len() != self.epochs.len() || self.epochs.contains(&None) {
            return None;
        }
        let is_present = |(then, now): (&usize, &Option<usize>)| Some(*then) == *now;
        let mut both = entry.epochs.iter().zip(&self.epochs);
        let is_servable = both.clone().all(|(then, now)| is_present((then, now)) || self.expired.contains(then));
        is_servable.then(|| (entry.step, !entry.expired && both.all(is_present)))
    }
}

/// Who removed what. How many messages tell it is a backend's own affair, and so is their order within one step.
pub(crate) type Announced = Vec<(ProcessId, String)>;

pub(crate) struct Stage {
    stores: [Box<dyn Backend>; PROCESSES],
    mishaps: Box<dyn Mishaps>,
    names: Names,
    keys: Vec<EntryKey>,
    marks: Vec<Name>,
    epochs: HashMap<Epoch, usize>,
    /// What the last lease of a token on a key captured.
    captured: HashMap<(Key, usize), (Vec<Mark>, Vec<Epoch>)>,
    last: HashMap<Key, EntryId>,
    /// The ends that the log has had.
    ends: Vec<Position>,
    /// Where the next message says that the last one stands.
    tail: Position,
    /// How many messages the last change took.
    messages: usize,
}

const BEGINNING: Position = Position { millis: 0, sequence: 0 };
/// So long that no mark ends by itself: when one does is a backend's own affair.
const RETAIN: Duration = hours(1_000_000);

const fn hours(hours: Hours) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// What remains of a life of whole hours, some moments later.
fn in_hours(time: Duration) -> Hours {
    time.as_millis().div_ceil(hours(1).as_millis()).try_into().expect("a life is a number of hours")
}

fn id_of(step: usize) -> EntryId {
    EntryId::from_bytes([u8::try_from(step + 1).expect("a short sequence"); 16])
}

fn token(number: usize) -> LeaseToken {
    LeaseToken::from_bytes([u8::try_from(number + 1).expect("few tokens"); 16])
}

fn process(number: usize) -> ProcessId {
    ProcessId::from_bytes([u8::try_from(number + 1).expect("few processes"); 16])
}

impl Stage {
    pub(crate) fn new(stores: [Box<dyn Backend>; PROCESSES], mishaps: Box<dyn Mishaps>, names: &Names) -> Self {
        let other = names.with_cache("other");
        let keys = vec![
            names.key("a"),
            names.key_of_version("a", 2),
            names.key("b"),
            names.key_of_version("b", 2),
            other.key("a"),
        ];
        let marks =
            vec![names.namespace(), names.cache(), other.cache(), names.tag("x"), names.tag("y"), names.any_tag()];
        Self {
            stores,
            mishaps,
            names: names.clone(),
            keys,
            marks,
            epochs: HashMap::new(),
            captured: HashMap::new(),
            last: HashMap::new(),
            ends: vec![BEGINNING],
            tail: BEGINNING,
            messages: 0,
        }
    }

    /// Plays the step that has this place in its sequence.
    pub(crate) async fn play(&mut self, at: usize, step: &Step) -> Result<Reply, String> {
        let reply = match step {
            Step::Read { key, marks, part } => self.read(*key, marks, *part).await.map(Reply::Found),
            Step::Lease { key, token, claim, marks, ttl } => self.lease(*key, *token, *claim, marks, *ttl).await,
            Step::Extend { key, token: of, ttl } => {
                self.stores[0].extend(&self.keys[*key], token(*of), hours(*ttl)).await.map(Reply::Is)
            }
            Step::Fill { key, token, late, ttl } => self.fill(at, *key, *token, late, *ttl).await,
            Step::Release { key, token: of } => {
                self.stores[0].release(&self.keys[*key], token(*of)).await.map(|()| Reply::Nothing)
            }
            Step::Put { key, marks, ttl } => return self.put(at, *key, marks, *ttl).await,
            Step::Invalidate { keys, marks, guard } => return self.invalidate(at, keys, marks, *guard).await,
            Step::Expire { keys, tags } => return self.expire(at, keys, tags).await,
            Step::Attach { process } => return self.attach(*process).await,
            Step::Beat => return self.beat().await,
            Step::Follow { back } => {
                let after = self.ends[self.ends.len().saturating_sub(back + 1)];
                self.follow(after).await.map(announced).map(Reply::Messages)
            }
            mishap => {
                self.suffer(mishap).await;
                Ok(Reply::Nothing)
            }
        };
        reply.map_err(|error| error.to_string())
    }

    pub(crate) async fn read(&mut self, key: Key, marks: &[Mark], part: Part) -> Result<Seen, Error> {
        let names = self.names_of(marks);
        let ask = Read { key: &self.keys[key], marks: &names, part };
        let found = self.stores[0].read(ask).await?;
        Ok(self.seen(found, part))
    }

    async fn lease(
        &mut self,
        key: Key,
        number: usize,
        claim: Claimed,
        marks: &[Mark],
        ttl: Hours,
    ) -> Result<Reply, Error> {
        let claim = match claim {
            Claimed::JoinBlind => Claim::Join { seen: None },
            Claimed::JoinAfterLast => Claim::Join { seen: self.last.get(&key).copied() },
            Claimed::JoinAfterOther => Claim::Join { seen: Some(EntryId::from_bytes([0; 16])) },
            Claimed::Take => Claim::Take,
        };
        let names = self.names_of(marks);
        let (key_name, token, ttl) = (&self.keys[key], token(number), hours(ttl));
        let ask = Lease { key: key_name, token, ttl, claim, marks: &names, retain: RETAIN };
        Ok(match self.stores[0].lease(ask).await? {
            LeaseReply::Granted { epochs } => {
                let numbers = epochs.iter().map(|epoch| self.number(*epoch)).collect();
                self.captured.insert((key, number), (marks.to_vec(), epochs));
                Reply::Granted(numbers)
            }
            LeaseReply::Held { remaining } => Reply::Held(in_hours(remaining)),
            LeaseReply::Found(found) => Reply::LeaseFound(self.seen(found, Part::Whole)),
            LeaseReply::Guarded => Reply::Guarded,
        })
    }

    async fn fill(&mut self, at: usize, key: Key, number: usize, late: &[Mark], ttl: Hours) -> Result<Reply, Error> {
        let (marks, epochs) = self.captured.get(&(key, number)).cloned().unwrap_or_default();
        let any_tag = marks.iter().position(|mark| *mark == ANY_TAG);
        let captured = any_tag.map_or(Epoch::from_bytes([9; 16]), |place| epochs[place]);
        let names = self.names_of(late);
        let unchanged = (&self.marks[ANY_TAG], captured);
        let late = (!late.is_empty()).then_some(Late { marks: &names, unchanged, retain: RETAIN });
        let (id, frame, ttl) = (id_of(at), &frame_of(at), hours(ttl));
        let fill = Fill { key: &self.keys[key], token: token(number), id, epochs: &epochs, late, frame, ttl };
        let reply = self.stores[0].fill(fill).await?;
        if reply == FillReply::Stored {
            self.last.insert(key, id);
        }
        Ok(Reply::Fill(reply))
    }

    async fn put(&mut self, at: usize, key: Key, marks: &[Mark], ttl: Hours) -> Result<Reply, String> {
        let (names, id, frame, log) = (self.names_of(marks), id_of(at), &frame_of(at), &self.names.log());
        let (key_name, ttl, from) = (&self.keys[key], hours(ttl), process(at));
        let put = Put { key: key_name, id, marks: &names, frame, ttl, retain: RETAIN, log, from };
        let reply = self.stores[0].put(put).await.map_err(|error| error.to_string())?;
        if reply == FillReply::Stored {
            self.last.insert(key, id);
        }
        Ok(Reply::Put(reply, self.heard().await?))
    }

    async fn invalidate(&mut self, at: usize, keys: &[Key], marks: &[Mark], guard: Guarding) -> Result<Reply, String> {
        let keys: Vec<_> = keys.iter().map(|key| self.keys[*key].clone()).collect();
        let (marks, any_tag, log, from) = (self.names_of(marks), &self.names.any_tag(), &self.names.log(), process(at));
        let guard = match guard {
            Guarding::None => None,
            Guarding::Open(of, ttl) => Some(Guard::Open { token: token(of), ttl: hours(ttl) }),
            Guarding::Close(of) => Some(Guard::Close { token: token(of) }),
            Guarding::Hold(ttl) => Some(Guard::Hold { ttl: hours(ttl) }),
        };
        let what = Invalidate { keys: &keys, marks: &marks, any_tag, guard, log, from };
        let end = self.stores[0].invalidate(what).await.map_err(|error| error.to_string())?;
        let announced = self.heard().await?;
        self.is_the_end(end.unwrap_or(self.end()))?;
        Ok(Reply::Invalidated(end.is_some(), announced))
    }

    async fn expire(&mut self, at: usize, keys: &[Key], tags: &[Mark]) -> Result<Reply, String> {
        let keys: Vec<_> = keys.iter().map(|key| self.keys[*key].clone()).collect();
        let (tags, any_tag, log, from) = (self.names_of(tags), &self.names.any_tag(), &self.names.log(), process(at));
        let what = Expire { keys: &keys, tags: &tags, any_tag, log, from };
        let end = self.stores[0].expire(what).await.map_err(|error| error.to_string())?;
        let announced = self.heard().await?;
        self.is_the_end(end.unwrap_or(self.end()))?;
        Ok(Reply::Expired(end.is_some(), announced))
    }

    async fn attach(&mut self, number: usize) -> Result<Reply, String> {
        // Each process asks for the same each time: a client keeps the longest that it was ever asked for.
        let (max_staleness, keep) = ([Duration::from_secs(1), Duration::from_secs(5)][number], number == 1);
        let ask = Attach { log: &self.names.log(), from: process(number), max_staleness, keep };
        let attached = self.stores[number].attach(ask).await.map_err(|error| error.to_string())?;
        let announced = self.heard().await?;
        self.is_the_end(attached.end)?;
        Ok(Reply::Attached { renewed: attached.renewed, max_staleness: attached.max_staleness, announced })
    }

    async fn beat(&mut self) -> Result<Reply, String> {
        let pulse = self.stores[0].beat(&self.names.log()).await.map_err(|error| error.to_string())?;
        self.is_the_end(pulse.end.unwrap_or(self.end()))?;
        Ok(Reply::Pulse {
            has_log: pulse.end.is_some(),
            recorded: pulse.recorded.map(|recorded| recorded == pulse.server),
            max_staleness: pulse.max_staleness,
        })
    }

    /// What the log says after the last step that could append to it: each message names the one before.
    async fn heard(&mut self) -> Result<Announced, String> {
        let messages = self.follow(self.end()).await.map_err(|error| error.to_string())?;
        if let Some(last) = messages.last() {
            self.ends.push(last.position);
            self.messages = messages.len();
        }
        for message in &messages {
            if message.after != Some(self.tail) {
                return Err(format!("{message:?} does not come after {}", self.tail));
            }
            self.tail = message.position;
        }
        Ok(announced(messages))
    }

    async fn follow(&self, after: Position) -> Result<Vec<Message>, Error> {
        let ask = Follow { log: &self.names.log(), after, wait: Duration::ZERO, most: usize::MAX };
        self.stores[0].follow(ask).await
    }

    fn end(&self) -> Position {
        *self.ends.last().expect("a log has a beginning")
    }

    fn is_the_end(&self, position: Position) -> Result<(), String> {
        let end = self.end();
        (position == end).then_some(()).ok_or_else(|| format!("the log ends at {end}, not at {position}"))
    }

    async fn suffer(&mut self, mishap: &Step) {
        match mishap {
            Step::Lose(records) => {
                if records.contains(&Record::Log) {
                    self.tail = BEGINNING;
                }
                self.mishaps.lose(&records.iter().map(|record| self.name_of(*record)).collect::<Vec<_>>());
            }
            Step::Trim => self.mishaps.trim(&self.names, self.messages),
            Step::Replace => self.mishaps.replace(&self.names),
            Step::Forget => self.mishaps.forget(),
            Step::Pass(time) => self.mishaps.pass(hours(*time)).await,
            other => unreachable!("{other:?} is no mishap"),
        }
    }

    fn name_of(&self, record: Record) -> String {
        match record {
            Record::Entry(key) => self.keys[key].entry(self.keys[key].version()),
            Record::Lease(key) => self.keys[key].lease(self.keys[key].version()),
            Record::Guards(key) => self.keys[key].guard(),
            Record::Mark(mark) => self.marks[mark].name().to_owned(),
            Record::Log => self.names.log().name().to_owned(),
            Record::Server => self.names.log().server().to_owned(),
        }
    }

    fn names_of(&self, marks: &[Mark]) -> Vec<Name> {
        debug_assert_eq!(self.marks.len(), MARKS);
        marks.iter().map(|mark| self.marks[*mark].clone()).collect()
    }

    fn seen(&mut self, found: Found, part: Part) -> Seen {
        let entry = found.entry.map(|stored| {
            let compared = if part == Part::Head { found.epochs.len() } else { usize::MAX };
            let epochs = stored.epochs.iter().take(compared).map(|epoch| self.number(*epoch)).collect();
            let frame = (part == Part::Whole).then_some(stored.frame);
            let step = usize::from(stored.id.as_bytes()[0]) - 1;
            Entry { step, remaining: stored.remaining.map(in_hours), epochs, expired: stored.expired, frame }
        });
        let epochs = found.epochs.iter().map(|epoch| epoch.map(|epoch| self.number(epoch))).collect();
        let mut expired: Vec<_> = found.expired.into_iter().map(|epoch| self.number(epoch)).collect();
        expired.sort_unstable();
        Seen { entry, epochs, expired }
    }

    fn number(&mut self, epoch: Epoch) -> usize {
        let next = self.epochs.len();
        *self.epochs.entry(epoch).or_insert(next)
    }
}

fn frame_of(step: usize) -> Bytes {
    Bytes::from(format!("stored in step {step}"))
}

fn announced(messages: Vec<Message>) -> Announced {
    let mut all: Vec<_> = messages
        .into_iter()
        .flat_map(|message| {
            let from = message.from.expect("every message here says who sent it");
            // One that says nothing begins a log.
            let none = (message.revoked.is_empty() && message.expired.is_empty()).then(String::new);
            let expired = message.expired.into_iter().map(|name| format!("{name} expired"));
            none.into_iter().chain(message.revoked).chain(expired).map(move |name| (from, name)).collect::<Vec<_>>()
        })
        .collect();
    // ProcessIds have no order, but few names are announced by two in one go.
    all.sort_by(|(from, name), (other_from, other_name)| {
        (name, from.as_bytes()).cmp(&(other_name, other_from.as_bytes()))
    });
    all
}
