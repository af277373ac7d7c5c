//! Reads of entries, brought to the server together when many are asked for at once.
//!
//! A read that finds a place at rest is sent at once, in the task of its caller. There are two, each with a connection, where there
//! are enough; the picture shows one. While one is under way in each, others gather, and go together when it is back: one `MGET` of their entries and of the marks that judge them, each of them once. So the more
//! there is to do, the less each read costs, and nobody waits for a clock.
//!
//! ```text
//! caller 1   MGET a ns cache ─────────►│◄─ answered
//! caller 2           b …  waits        │ MGET b c d ns cache ─────────►│◄─ answered, all three
//! caller 3             c …  waits      │                               │
//! caller 4                d …  waits   │                               │ MGET …
//! ```
//!
//! What a command finds it finds together, so that each read is as good as one by itself. A caller that leaves is asked for
//! nonetheless, if it was to be; its turn, if it had one, is passed on. What the server refuses for one of them it refuses for the
//! command: then each is asked for by itself.
//!
//! An entry that was found large is read by itself on a connection where no others gather, so that small ones don't wait for
//! its bytes.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bb8_redis::redis::{self, Cmd, Value};
use cache_core::{
    Bytes, Error, ErrorKind, Result,
    backend::{Few, Found},
    clock,
    key::Mark,
};
use foldhash::quality::RandomState;
use tokio::{runtime::Handle, sync::oneshot, task::yield_now};

use crate::{connection::Link, error::unexpected, pool::Pool, record};

/// The most reads that go together: those behind them go on another connection, or next.
const MOST: usize = 256;

/// The most places to send from. While the answer to one command is read and used, the server then has another one; but the
/// more there are, the less goes together.
const PLACES: usize = 2;

/// Where reads gather.
#[derive(Debug)]
pub(crate) struct Reads {
    pool: Arc<Pool>,
    gathering: Mutex<Gathering>,
    /// The place of large entries.
    large: usize,
    sizes: Sizes,
}

#[derive(Debug)]
struct Gathering {
    /// The connection of each place to send from, and that of large entries behind them.
    links: Vec<Option<Link>>,
    /// The places that are at rest.
    idle: Vec<usize>,
    /// Those who wait for one, in the order in which they came.
    waiting: VecDeque<Batch>,
    closed: bool,
}

type Reply = oneshot::Sender<Result<Found>>;

impl Reads {
    /// Of a pool of so many connections. As far as there are enough, each place has one of its own, and large entries have.
    pub(crate) fn new(pool: Arc<Pool>, connections: u32) -> Self {
        let places = (connections as usize).saturating_sub(1).clamp(1, PLACES);
        let (links, idle) = (vec![None; places + 1], (0..places).collect());
        let gathering = Gathering { links, idle, waiting: VecDeque::new(), closed: false };
        Self { pool, gathering: Mutex::new(gathering), large: places, sizes: Sizes::new() }
    }

    /// Reads an entry with its marks.
    pub(crate) async fn read(self: &Arc<Self>, entry: Arc<str>, marks: &[Mark]) -> Result<Found> {
        let place = match self.sizes.is_large(&entry) {
            true => Place::Large(entry),
            false => self.step_up(entry, marks)?,
        };
        match place {
            // Apart: it takes more room than those need who wait.
            Place::First(turn, entry) => Box::pin(self.read_on(turn.place, &entry, marks)).await,
            Place::Large(entry) => Box::pin(self.read_on(self.large, &entry, marks)).await,
            // Without an answer the runtime of whoever was to bring it has shut down.
            Place::Behind(answer) => answer.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "read"))),
        }
    }

    fn step_up(self: &Arc<Self>, entry: Arc<str>, marks: &[Mark]) -> Result<Place> {
        let mut gathering = self.lock();
        if gathering.closed {
            return Err(Error::new(ErrorKind::Closed, "read"));
        }
        if let Some(place) = gathering.idle.pop() {
            return Ok(Place::First(Turn { reads: Arc::clone(self), place }, entry));
        }
        let (reply, answer) = oneshot::channel();
        gathering.add(entry, marks, reply);
        Ok(Place::Behind(answer))
    }

    /// The connection of a place: one that no other has, as far as there are so many.
    async fn link(&self, place: usize) -> Result<Link> {
        let known = self.lock().links[place].clone();
        if let Some(link) = known.filter(|link| !link.health.has_ended()) {
            return Ok(link);
        }
        let mut others = PLACES;
        loop {
            let link = self.pool.checkout("read").await?;
            // Found free and taken under one lock: another place may be looking for one as well.
            let mut gathering = self.lock();
            if others > 0 && gathering.links.iter().flatten().any(|other| other.is(&link)) {
                others -= 1;
                continue;
            }
            gathering.links[place] = Some(link.clone()).filter(|_| !gathering.closed);
            return Ok(link);
        }
    }

    /// Later calls fail. Those that wait are still answered.
    pub(crate) fn close(&self) {
        let mut gathering = self.lock();
        gathering.closed = true;
        let Gathering { links, idle, .. } = &mut *gathering;
        idle.iter().chain([&self.large]).for_each(|place| links[*place] = None);
    }

    async fn read_on(&self, place: usize, entry: &str, marks: &[Mark]) -> Result<Found> {
        let link = self.link(place).await?;
        self.read_alone(&link, entry, marks).await
    }

    async fn read_alone(&self, link: &Link, entry: &str, marks: &[Mark]) -> Result<Found> {
        let command = mget([entry].into_iter().chain(marks.iter().map(Mark::name)));
        let (values, now) = self.ask(link, &command).await?;
        let Value::Array(values) = values else { return Err(unexpected("read")) };
        if values.len() != marks.len() + 1 {
            return Err(unexpected("read"));
        }
        let mut values = values.into_iter();
        let stored = values.next();
        let mut found = self.found(entry, stored, now);
        for (mark, value) in marks.iter().zip(values) {
            State::of(mark, &value).add_to(&mut found);
        }
        Ok(found)
    }

    /// Sends a command, and says what the server's clock showed when it was sent, or somewhat more.
    async fn ask(&self, link: &Link, command: &Cmd) -> Result<(Value, Duration)> {
        let asked = clock::now();
        if let Some(now) = link.clock.at(asked) {
            return Ok((self.pool.command_on(link, "read", command).await?, now));
        }
        let mut both = redis::pipe();
        both.cmd("TIME").add_command(command.clone());
        let replies = self.pool.pipeline_on(link, "read", &both).await?;
        let [time, values] = <[Value; 2]>::try_from(replies).map_err(|_| unexpected("read"))?;
        let now = link.clock.set(asked, &time).ok_or_else(|| unexpected("read"))?;
        Ok((values, now))
    }

    fn found(&self, name: &str, stored: Option<Value>, now: Duration) -> Found {
        let entry = match stored {
            Some(Value::BulkString(bytes)) => {
                self.sizes.note(name, bytes.len());
                Some(record::entry_at(now, Bytes::from(bytes)))
            }
            _ => None,
        };
        Found { entry, ..Found::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Gathering> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mget<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Cmd {
    const NAME: &str = "MGET";
    let (count, size) = names.clone().fold((1, NAME.len()), |(count, size), name| (count + 1, size + name.len()));
    let mut command = Cmd::with_capacity(count, size);
    command.arg(NAME);
    for name in names {
        command.arg(name);
    }
    command
}

/// Where a read finds itself.
enum Place {
    /// With a turn of its own.
    First(Turn, Arc<str>),
    /// Behind others, one of whom brings the answer.
    Behind(oneshot::Receiver<Result<Found>>),
    /// On the connection of large entries.
    Large(Arc<str>),
}

impl Gathering {
    /// Nobody sends from a place any more.
    fn rest(&mut self, place: usize) {
        self.idle.push(place);
        if self.closed {
            self.links[place] = None;
        }
    }

    fn add(&mut self, entry: Arc<str>, marks: &[Mark], reply: Reply) {
        match self.waiting.back_mut() {
            Some(batch) if batch.asks.len() < MOST => batch.add(entry, marks, reply),
            _ => {
                let mut batch = Batch::default();
                batch.add(entry, marks, reply);
                self.waiting.push_back(batch);
            }
        }
    }
}

/// Reads that go together.
#[derive(Debug, Default)]
struct Batch {
    asks: Vec<Ask>,
    /// All their marks, each of them once…
    marks: Vec<Mark>,
    /// …with its place, by where its name lies in memory. One whose name lies there twice is asked for twice.
    places: HashMap<usize, usize, RandomState>,
}

#[derive(Debug)]
struct Ask {
    entry: Arc<str>,
    /// Places of its marks.
    marks: Few<usize>,
    reply: Reply,
}

impl Batch {
    fn add(&mut self, entry: Arc<str>, marks: &[Mark], reply: Reply) {
        let marks = marks.iter().map(|mark| self.place(mark)).collect();
        self.asks.push(Ask { entry, marks, reply });
    }

    fn place(&mut self, mark: &Mark) -> usize {
        *self.places.entry(mark.name().as_ptr().addr()).or_insert_with(|| {
            // Its name stays where it is for as long as there is a share in it.
            self.marks.push(mark.clone());
            self.marks.len() - 1
        })
    }

    fn command(&self) -> Cmd {
        mget(self.asks.iter().map(|ask| &*ask.entry).chain(self.marks.iter().map(Mark::name)))
    }
}

/// What a mark says.
struct State<'a> {
    mark: &'a Mark,
    bytes: &'a [u8],
}

impl<'a> State<'a> {
    fn of(mark: &'a Mark, value: &'a Value) -> Self {
        let bytes = if let Value::BulkString(bytes) = value { bytes.as_slice() } else { &[] };
        Self { mark, bytes }
    }

    fn add_to(&self, found: &mut Found) {
        found.epochs.extend([record::epoch(self.mark.scope(), self.bytes)]);
        found.expired.extend(record::expired(self.mark.scope(), self.bytes));
    }
}

/// The right to send from one place. Whoever gives it up passes it on to those who wait.
struct Turn {
    reads: Arc<Reads>,
    place: usize,
}

impl Turn {
    /// Serves those who wait, until nobody does.
    async fn serve(self, first: Batch) {
        let mut next = Some(first);
        while let Some(batch) = next {
            self.answer(batch).await;
            // Who was answered may have more to ask.
            yield_now().await;
            next = self.reads.lock().waiting.pop_front();
        }
    }

    async fn answer(&self, batch: Batch) {
        let link = match self.reads.link(self.place).await {
            Ok(link) => link,
            Err(error) => return batch.fail(&error),
        };
        match self.reads.ask(&link, &batch.command()).await {
            Ok((Value::Array(values), now)) if values.len() == batch.asks.len() + batch.marks.len() => {
                self.distribute(batch, values, now);
            }
            Ok(_) => batch.fail(&unexpected("read")),
            Err(error) if error.is_temporary() || batch.asks.len() == 1 => batch.fail(&error),
            Err(_) => self.answer_each(&link, batch).await,
        }
    }

    fn distribute(&self, batch: Batch, values: Vec<Value>, now: Duration) {
        let Batch { asks, marks, .. } = batch;
        let mut values = values;
        let of_marks = values.split_off(asks.len());
        for (ask, value) in asks.into_iter().zip(values) {
            let mut found = self.reads.found(&ask.entry, Some(value), now);
            for &place in &*ask.marks {
                State::of(&marks[place], &of_marks[place]).add_to(&mut found);
            }
            // Who has left wants no answer.
            let _ = ask.reply.send(Ok(found));
        }
    }

    /// Something in the command is refused: not to all of them, it may be.
    async fn answer_each(&self, link: &Link, batch: Batch) {
        let Batch { asks, marks, .. } = batch;
        for Ask { entry, marks: places, reply } in asks {
            let marks: Vec<_> = places.iter().map(|place| marks[*place].clone()).collect();
            let _ = reply.send(self.reads.read_alone(link, &entry, &marks).await);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut gathering = self.reads.lock();
        match (gathering.waiting.pop_front(), Handle::try_current()) {
            (Some(batch), Ok(runtime)) => {
                drop(gathering);
                runtime.spawn(Self { reads: Arc::clone(&self.reads), place: self.place }.serve(batch));
            }
            // Without a runtime nobody can wait.
            (_, _) => gathering.rest(self.place),
        }
    }
}

impl Batch {
    fn fail(self, error: &Error) {
        for ask in self.asks {
            let _ = ask.reply.send(Err(error.clone()));
        }
    }
}

/// Which entries were large when they were last read, as far as so many places can tell. Two entries may share one.
#[derive(Debug)]
struct Sizes {
    large: Box<[AtomicBool]>,
    hasher: RandomState,
}

impl Sizes {
    const PLACES: usize = 4_096;
    /// From so many bytes on.
    const LARGE: usize = 16 << 10;

    fn new() -> Self {
        Self { large: (0..Self::PLACES).map(|_| AtomicBool::new(false)).collect(), hasher: RandomState::default() }
    }

    fn is_large(&self, entry: &str) -> bool {
        self.place(entry).load(Ordering::Relaxed)
    }

    fn note(&self, entry: &str, size: usize) {
        let (place, is_large) = (self.place(entry), size >= Self::LARGE);
        if place.load(Ordering::Relaxed) != is_large {
            place.store(is_large, Ordering::Relaxed);
        }
    }

    fn place(&self, entry: &str) -> &AtomicBool {
        &self.large[self.hasher.hash_one(entry) as usize % Self::PLACES]
    }
}
