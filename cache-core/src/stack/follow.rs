//! Keeping in step with the log: what a [`Follower`] decides is carried out here.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use super::StackInner;
use crate::{
    backend::{Attach, Follow, Message, Position},
    clock,
    coherence::follower::{Effect, Event},
    error::{ErrorKind, Result},
    events::{Kind, Subject},
    key::Named,
    token::random_unit,
    trace,
};

/// How long one read of the log waits for a message. A stack that nobody holds any more lives on for so long at most.
const WAIT: Duration = Duration::from_secs(1);

/// Messages of one read.
const MOST: usize = 256;

/// The most own messages whose return is timed at once.
const ECHOES: usize = 64;

/// The least pause after a read of the log that failed.
const PAUSE: Duration = Duration::from_millis(50);

impl StackInner {
    /// Attaches for the first time, so that what is invalidated from now on reaches this process.
    ///
    /// # Errors
    /// Permanent ones, but not that the store keeps no log.
    pub(super) async fn begin_to_follow(&self) -> Result<()> {
        match self.attach(true).await {
            Err(error) if !error.is_temporary() && error.kind() != ErrorKind::Unsupported => Err(error),
            _ => Ok(()),
        }
    }

    /// The tasks that follow the log, which end with the set.
    pub(super) fn follow(self: &Arc<Self>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if self.l2.is_some() {
            tasks.spawn(beat(Arc::downgrade(self), self.settings.max_staleness / 3));
            tasks.spawn(read_on(Arc::downgrade(self)));
        }
        tasks
    }

    async fn attach(&self, nothing_here: bool) -> Result<()> {
        let Some(l2) = &self.l2 else { return Ok(()) };
        let asked = clock::now();
        let attached = l2
            .attach(Attach {
                log: &self.log,
                from: self.process,
                max_staleness: self.settings.max_staleness,
                keep: self.settings.keep_warm,
            })
            .await?;
        self.note_fleet(attached.max_staleness);
        self.carry_out(Event::Attached { attached, asked, nothing_here });
        self.attached.notify_waiters();
        Ok(())
    }

    /// One heartbeat.
    async fn beat(&self) -> Result<()> {
        let Some(l2) = &self.l2 else { return Ok(()) };
        self.carry_out(Event::Tick { now: clock::now() });
        let Some(asked) = self.follower().ask(clock::now()) else { return self.attach(false).await };
        let pulse = l2.beat(&self.log).await?;
        self.note_fleet(pulse.max_staleness);
        for effect in self.carry_out(Event::Beat { asked, pulse }) {
            match effect {
                Effect::Attach => self.attach(false).await?,
                Effect::CatchUp => drop(self.read_log(Duration::ZERO).await?),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads what comes after our position, and applies it.
    async fn read_log(&self, wait: Duration) -> Result<Vec<Message>> {
        let (Some(l2), Some(after)) = (&self.l2, self.follower().position()) else { return Ok(Vec::new()) };
        let messages = l2.follow(Follow { log: &self.log, after, wait, most: MOST }).await?;
        self.carry_out(Event::Messages(&messages));
        self.hear_echoes();
        Ok(messages)
    }

    /// A message of our own is on its way back from the log: how long that takes is how late others hear of it.
    pub(crate) fn expect_echo(&self, position: Position) {
        let mut echoes = self.echoes();
        if echoes.len() < ECHOES {
            echoes.push_back((position, clock::now()));
        }
        drop(echoes);
        // It may have come before the answer.
        self.hear_echoes();
    }

    fn hear_echoes(&self) {
        let Some(position) = self.follower().position() else { return };
        let now = clock::now();
        self.echoes().retain(|(sent, at)| {
            let is_heard = *sent <= position;
            if is_heard {
                self.coherence.record_lag(now - *at);
            }
            !is_heard
        });
    }

    /// What an event means for what is here, done in one go; the effects that take I/O are handed back.
    fn carry_out(&self, event: Event<'_>) -> Vec<Effect> {
        let mut follower = self.follower();
        let mut effects = follower.next(event);
        effects.retain(|effect| {
            match effect {
                Effect::Revoke(names) => names.iter().for_each(|name| {
                    self.revoke_here(name);
                    self.tell_heard(name);
                }),
                Effect::Expire(names) => names.iter().for_each(|name| {
                    self.expire_here(name);
                    self.tell_heard(name);
                }),
                Effect::RevokeAll(reason) => {
                    self.coherence.count_flush(*reason);
                    trace::flushed(*reason);
                    self.hub.tell(Kind::Flushed, Subject::NONE);
                    self.ledger.renew([&self.namespace.mark()]);
                }
                Effect::Synced(at) => self.proof.sync(*at),
                Effect::Attach | Effect::CatchUp => return true,
            }
            false
        });
        effects
    }

    fn tell_heard(&self, name: &str) {
        self.hub.tell(Kind::Heard, Subject { key: &|| Some(name.into()), ..Subject::NONE });
    }

    /// A name that is none of ours means that we don't understand the message: then it may mean anything.
    fn revoke_here(&self, name: &str) {
        match self.namespace.parse(name) {
            Some(Named::Entry(stem)) => self.ledger.renew_lot(self.ledger.lot(stem)),
            Some(Named::Mark(mark)) => self.ledger.renew([&mark]),
            None => self.ledger.renew([&self.namespace.mark()]),
        }
    }

    fn expire_here(&self, name: &str) {
        match self.namespace.parse(name) {
            Some(Named::Entry(stem)) => self.ledger.expire_lot(self.ledger.lot(stem)),
            Some(Named::Mark(mark)) => self.ledger.expire([&mark]),
            None => self.ledger.renew([&self.namespace.mark()]),
        }
    }
}

async fn beat(stack: Weak<StackInner>, pace: Duration) {
    loop {
        // Not all processes at once.
        sleep(pace.mul_f64(0.9 + 0.1 * random_unit())).await;
        let Some(stack) = stack.upgrade() else { return };
        match stack.beat().await {
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Closed) => return,
            _ => {}
        }
    }
}

async fn read_on(stack: Weak<StackInner>) {
    loop {
        let Some(stack) = stack.upgrade() else { return };
        if stack.follower().position().is_none() {
            // A bounded wait: the stack may go.
            let _ = tokio::time::timeout(WAIT, stack.attached.notified()).await;
            continue;
        }
        if let Err(error) = stack.read_log(WAIT).await {
            if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Closed) {
                return;
            }
            drop(stack);
            sleep(PAUSE).await;
        }
    }
}
