//! The way of one process to the store: slow, lossy, cut off at times, and, if a test wants it so, lying.
//!
//! All that chance has to say about a call is drawn when it begins, so that it does not depend on who is woken first.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Error, ErrorKind, Result,
    backend::{
        Attach, Attached, Backend, Claim, Expire, Fill, FillReply, Follow, Found, Guard, Invalidate, Late, Lease,
        LeaseReply, Memory, Message, Position, Pulse, Put, Read, Snapshot,
    },
    clock,
    key::{EntryKey, Log, Mark, Scope},
    testing::Dice,
    token::{EntryId, Epoch, LeaseToken, ProcessId},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};

use crate::history::History;

/// Where the store of all processes stands.
pub(crate) struct Site {
    pub(crate) store: Memory,
    pub(crate) history: History,
    /// Told when the log grows. `Memory` would tell its waiters in an order that does not repeat.
    grown: Notify,
    /// The entries that were asked for.
    pub(crate) seen: Mutex<Vec<EntryKey>>,
    /// Guards that were opened.
    opened: Mutex<Vec<LeaseToken>>,
    /// No more mishaps.
    healed: AtomicBool,
}

impl Site {
    pub(crate) fn new(history: History) -> Arc<Self> {
        Arc::new(Self {
            store: Memory::new(),
            history,
            grown: Notify::new(),
            seen: Mutex::default(),
            opened: Mutex::default(),
            healed: AtomicBool::new(false),
        })
    }

    pub(crate) fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
    }

    fn is_healed(&self) -> bool {
        self.healed.load(Ordering::Relaxed)
    }

    fn note(&self, key: &EntryKey) {
        let mut seen = self.seen.lock().unwrap();
        if !seen.contains(key) {
            seen.push(key.clone());
        }
    }

    async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        if let Some(Guard::Open { token, .. }) = what.guard {
            self.opened.lock().unwrap().push(token);
        }
        let done = self.store.invalidate(what).await;
        self.grown.notify_waiters();
        done
    }

    async fn close_all(&self, what: Invalidate<'_>) {
        let opened = self.opened.lock().unwrap().clone();
        for token in opened {
            let _ = self.invalidate(Invalidate { guard: Some(Guard::Close { token }), ..what }).await;
        }
    }

    async fn expire(&self, what: Expire<'_>) -> Result<Option<Position>> {
        let done = self.store.expire(what).await;
        self.grown.notify_waiters();
        done
    }

    async fn put(&self, put: Put<'_>) -> Result<FillReply> {
        let done = self.store.put(put).await;
        self.grown.notify_waiters();
        done
    }

    async fn attach(&self, ask: Attach<'_>) -> Result<Attached> {
        let attached = self.store.attach(ask).await;
        if attached.as_ref().is_ok_and(|attached| attached.renewed) {
            self.history.noticed();
        }
        self.grown.notify_waiters();
        attached
    }

    async fn follow(&self, ask: Follow<'_>) -> Result<Vec<Message>> {
        let deadline = clock::now() + ask.wait;
        loop {
            // Before the look, so that a message in between is not missed.
            let mut grown = std::pin::pin!(self.grown.notified());
            grown.as_mut().enable();
            let messages = self.store.follow(Follow { wait: Duration::ZERO, ..ask }).await?;
            if !messages.is_empty() || timeout_at(deadline, grown).await.is_err() {
                return Ok(messages);
            }
        }
    }
}

/// What a network may do that no network must: the checker has to notice each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lie {
    None,
    /// Messages never come, and heartbeats say that there are none.
    SwallowedMessages,
    /// An invalidation is answered, and not done.
    VanishedInvalidations,
    /// An invalidation of entries or tags only marks them as stale.
    SoftInvalidations,
    /// A soft expiration is answered, and not done.
    VanishedExpirations,
    /// A guard that is closed takes those of other writes with it.
    OneGuard,
    /// A fill that comes too late is stored all the same.
    ForcedFills,
    /// Loads of many keys bring what the origin had some time ago.
    OldBatches,
    /// Reads are answered from what the store had some time ago.
    OldReads,
}

/// A time in which nothing, or nothing of the log, gets through.
struct Cut {
    begins: Instant,
    ends: Instant,
    only_the_log: bool,
}

/// What chance has in store for a call.
struct Fate {
    before: Duration,
    after: Duration,
    end: Ending,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Ending {
    Answered,
    /// It never reaches the store.
    Failed,
    /// It takes effect, and nobody is told.
    AnswerLost,
    /// It takes effect long after its caller was told that it timed out.
    Late(Duration),
}

/// One process's network.
pub(crate) struct Network {
    site: Arc<Site>,
    dice: Mutex<Dice>,
    cuts: Vec<Cut>,
    lie: Lie,
    /// For good.
    dead: Arc<AtomicBool>,
    /// Where its process stands in the log.
    stands: Mutex<Option<Position>>,
    /// The leases that were asked for, with the marks to capture.
    leased: Mutex<Vec<(LeaseToken, Vec<Mark>, Duration)>>,
    old: Mutex<Option<(Instant, Snapshot)>>,
}

impl Network {
    pub(crate) fn new(site: &Arc<Site>, mut dice: Dice, lie: Lie) -> Self {
        let cuts = (0..dice.below(3)).map(|_| Cut::draw(&mut dice)).collect();
        let (site, dice) = (Arc::clone(site), Mutex::new(dice));
        Self {
            site,
            dice,
            cuts,
            lie,
            dead: Arc::default(),
            stands: Mutex::default(),
            leased: Mutex::default(),
            old: Mutex::default(),
        }
    }

    /// Cuts it off for good when it is set.
    pub(crate) fn end(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.dead)
    }

    fn is_cut(&self, is_of_the_log: bool) -> bool {
        if self.dead.load(Ordering::Relaxed) {
            return true;
        }
        let now = clock::now();
        let covers = |cut: &Cut| (is_of_the_log || !cut.only_the_log) && (cut.begins..cut.ends).contains(&now);
        !self.site.is_healed() && self.cuts.iter().any(covers)
    }

    fn fate(&self, may_be_late: bool) -> Fate {
        let dice = &mut self.dice.lock().unwrap();
        // Drawn in any case, so that what follows does not depend on it.
        let drawn = Fate::draw(dice, may_be_late);
        if self.site.is_healed() {
            return Fate { before: Duration::ZERO, after: Duration::ZERO, end: Ending::Answered };
        }
        drawn
    }

    /// Lets a call meet its fate.
    async fn carry<T>(&self, is_of_the_log: bool, fate: Fate, call: impl Future<Output = Result<T>>) -> Result<T> {
        pause(fate.before).await;
        if self.is_cut(is_of_the_log) || fate.end == Ending::Failed {
            return Err(Error::new(ErrorKind::Unavailable, "network"));
        }
        let answer = call.await;
        pause(fate.after).await;
        if self.is_cut(is_of_the_log) || fate.end == Ending::AnswerLost {
            return Err(Error::new(ErrorKind::Timeout, "network"));
        }
        answer
    }

    async fn ask<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.carry(false, self.fate(false), call).await
    }

    async fn ask_log<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.carry(true, self.fate(false), call).await
    }

    /// The caller of something that takes effect late.
    async fn give_up<T>(&self, fate: Fate) -> Result<T> {
        pause(fate.before + fate.after).await;
        Err(Error::new(ErrorKind::Timeout, "network"))
    }

    /// What the store had up to a second ago.
    async fn read_old(&self, ask: Read<'_>) -> Result<Found> {
        let snapshot = {
            let mut old = self.old.lock().unwrap();
            let is_fresh = |(taken, _): &(Instant, Snapshot)| *taken + Duration::from_secs(1) > clock::now();
            if !old.as_ref().is_some_and(is_fresh) {
                *old = Some((clock::now(), self.site.store.snapshot()));
            }
            old.as_ref().unwrap().1.clone()
        };
        let store = Memory::new();
        store.restart_from(&snapshot);
        store.read(ask).await
    }

    /// Under a lease of its own, with the epochs as they are now.
    async fn force(&self, fill: Fill<'_>) -> Result<FillReply> {
        let leased = self.leased.lock().unwrap().iter().find(|leased| leased.0 == fill.token).cloned();
        let (token, marks, retain) = leased.expect("a fill has a lease");
        let (ttl, claim) = (Duration::from_secs(1), Claim::Take);
        let lease = Lease { key: fill.key, token, ttl, claim, marks: &marks, retain };
        match self.site.store.lease(lease).await? {
            // The last one is that of any tag.
            LeaseReply::Granted { epochs } if fill.late.is_none() && epochs.len() == fill.epochs.len() + 1 => {
                let epochs = &epochs[..fill.epochs.len()];
                self.site.store.fill(Fill { epochs, ..fill }).await
            }
            _ => Ok(FillReply::Refused),
        }
    }

    fn stand(&self, position: Position) {
        *self.stands.lock().unwrap() = Some(position);
    }
}

impl Cut {
    fn draw(dice: &mut Dice) -> Self {
        let begins = clock::now() + dice.millis(100, 4000);
        Self { begins, ends: begins + dice.millis(50, 1500), only_the_log: dice.chance(500) }
    }
}

impl Fate {
    fn draw(dice: &mut Dice, may_be_late: bool) -> Self {
        let (before, after) = (delay(dice), delay(dice));
        let late = dice.millis(10, 3000);
        let end = match dice.below(1000) {
            0..25 => Ending::Failed,
            25..50 => Ending::AnswerLost,
            50..75 if may_be_late => Ending::Late(late),
            _ => Ending::Answered,
        };
        Self { before, after, end }
    }
}

fn delay(dice: &mut Dice) -> Duration {
    match dice.below(1000) {
        0..10 => dice.millis(3, 1500),
        10..60 => dice.millis(3, 60),
        _ => dice.millis(0, 3),
    }
}

/// None at all if it is zero: a timer would take a millisecond.
async fn pause(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

#[async_trait]
impl Backend for Network {
    async fn read(&self, ask: Read<'_>) -> Result<Found> {
        self.site.note(ask.key);
        match self.lie {
            Lie::OldReads => self.ask(self.read_old(ask)).await,
            _ => self.ask(self.site.store.read(ask)).await,
        }
    }

    async fn lease(&self, ask: Lease<'_>) -> Result<LeaseReply> {
        if self.lie == Lie::ForcedFills {
            self.leased.lock().unwrap().push((ask.token, ask.marks.to_vec(), ask.retain));
        }
        self.ask(self.site.store.lease(ask)).await
    }

    async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration) -> Result<bool> {
        self.ask(self.site.store.extend(key, token, ttl)).await
    }

    async fn fill(&self, fill: Fill<'_>) -> Result<FillReply> {
        let fate = self.fate(true);
        let Ending::Late(late) = fate.end else {
            let forced = self.lie == Lie::ForcedFills;
            let filled = async {
                match self.site.store.fill(fill).await {
                    Ok(FillReply::Refused) if forced => self.force(fill).await,
                    filled => filled,
                }
            };
            return self.carry(false, fate, filled).await;
        };
        let (site, fill) = (Arc::clone(&self.site), OwnedFill::from(fill));
        tokio::spawn(async move {
            sleep(late).await;
            let _ = site.store.fill(fill.borrow()).await;
        });
        self.give_up(fate).await
    }

    async fn release(&self, key: &EntryKey, token: LeaseToken) -> Result<()> {
        self.ask(self.site.store.release(key, token)).await
    }

    async fn put(&self, put: Put<'_>) -> Result<FillReply> {
        self.ask(self.site.put(put)).await
    }

    async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        let fate = self.fate(true);
        if self.lie == Lie::VanishedInvalidations {
            return self.carry(false, fate, async { Ok(None) }).await;
        }
        let Invalidate { keys, marks, any_tag, log, from, .. } = what;
        if self.lie == Lie::OneGuard && matches!(what.guard, Some(Guard::Close { .. })) && !self.is_cut(false) {
            self.site.close_all(what).await;
        }
        if self.lie == Lie::SoftInvalidations && marks.iter().all(|mark| mark.scope() == Scope::Tag) {
            let what = Expire { keys, tags: marks, any_tag, log, from };
            return self.carry(false, fate, self.site.expire(what)).await;
        }
        let Ending::Late(late) = fate.end else {
            return self.carry(false, fate, self.site.invalidate(what)).await;
        };
        let (site, what) = (Arc::clone(&self.site), OwnedInvalidate::from(what));
        tokio::spawn(async move {
            sleep(late).await;
            let _ = site.invalidate(what.borrow()).await;
        });
        self.give_up(fate).await
    }

    async fn expire(&self, what: Expire<'_>) -> Result<Option<Position>> {
        match self.lie {
            Lie::VanishedExpirations => self.ask(async { Ok(None) }).await,
            _ => self.ask(self.site.expire(what)).await,
        }
    }

    async fn attach(&self, ask: Attach<'_>) -> Result<Attached> {
        let attached = self.ask_log(self.site.attach(ask)).await?;
        self.stand(attached.end);
        Ok(attached)
    }

    async fn beat(&self, log: &Log) -> Result<Pulse> {
        let pulse = self.ask_log(self.site.store.beat(log)).await?;
        match self.lie {
            Lie::SwallowedMessages => Ok(Pulse { end: *self.stands.lock().unwrap(), ..pulse }),
            _ => Ok(pulse),
        }
    }

    async fn follow(&self, ask: Follow<'_>) -> Result<Vec<Message>> {
        self.stand(ask.after);
        let messages = self.ask_log(self.site.follow(ask)).await?;
        match self.lie {
            // A pause, or the process would ask again at once, for ever.
            Lie::SwallowedMessages => sleep(ask.wait.max(Duration::from_millis(1))).await,
            _ => return Ok(messages),
        }
        Ok(Vec::new())
    }

    async fn probe(&self) -> Result<()> {
        self.ask(self.site.store.probe()).await
    }

    async fn close(&self) {}

    fn name(&self) -> &'static str {
        "network"
    }
}

/// An [`Invalidate`] that outlives its caller.
struct OwnedInvalidate {
    keys: Vec<EntryKey>,
    marks: Vec<Mark>,
    any_tag: Mark,
    guard: Option<Guard>,
    log: Log,
    from: ProcessId,
}

impl OwnedInvalidate {
    fn from(what: Invalidate<'_>) -> Self {
        let Invalidate { keys, marks, any_tag, guard, log, from } = what;
        let (any_tag, log) = (any_tag.clone(), log.clone());
        Self { keys: keys.to_vec(), marks: marks.to_vec(), any_tag, guard, log, from }
    }

    fn borrow(&self) -> Invalidate<'_> {
        let Self { keys, marks, any_tag, guard, log, from } = self;
        Invalidate { keys, marks, any_tag, guard: *guard, log, from: *from }
    }
}

/// A [`Fill`] that outlives its caller.
struct OwnedFill {
    key: EntryKey,
    token: LeaseToken,
    id: EntryId,
    epochs: Vec<Epoch>,
    late: Option<OwnedLate>,
    frame: Bytes,
    ttl: Duration,
}

struct OwnedLate {
    marks: Vec<Mark>,
    unchanged: (Mark, Epoch),
    retain: Duration,
}

impl OwnedFill {
    fn from(fill: Fill<'_>) -> Self {
        let late = fill.late.map(|late| {
            let (mark, epoch) = late.unchanged;
            OwnedLate { marks: late.marks.to_vec(), unchanged: (mark.clone(), epoch), retain: late.retain }
        });
        let Fill { key, token, id, epochs, frame, ttl, .. } = fill;
        Self { key: key.clone(), token, id, epochs: epochs.to_vec(), late, frame: frame.clone(), ttl }
    }

    fn borrow(&self) -> Fill<'_> {
        let late = self.late.as_ref().map(|late| {
            let (mark, epoch) = &late.unchanged;
            Late { marks: &late.marks, unchanged: (mark, *epoch), retain: late.retain }
        });
        let Self { key, token, id, epochs, frame, ttl, .. } = self;
        Fill { key, token: *token, id: *id, epochs, late, frame, ttl: *ttl }
    }
}
