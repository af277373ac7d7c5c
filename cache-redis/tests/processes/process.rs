//! One process of the fleet: a stack, and callers who write down what they see.

use std::{
    io::{self, BufRead},
    process, thread,
    time::Duration,
};

use cache_core::{
    Answer, BreakerSettings, Cache, Invalidation, L1, Load, LoadError, Overrides, Stack,
    testing::{
        Dice,
        history::{Deed, Mode, Moment, Operation, Scope, Tagged, Value, cache_of, tagged},
    },
};
use cache_redis::Redis;
use tokio::{
    runtime::Runtime,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use crate::{
    KEYS, TERMS,
    dialogue::{Ask, Lie, Order, Report, Request},
    origin::Database,
};

const NAMESPACE: &str = "shop";
const TAG: &str = "t";

/// Of a guarded write: much less than a guard lives.
const LONGEST_COMMIT: u64 = 600;

/// Calls under way at once.
const CALLS: usize = 64;

/// Lives as ordered until it is told to end, or killed.
pub(crate) fn live(order: Order) {
    let requests = requests();
    Runtime::new().unwrap().block_on(async { Process::start(order).await.live(requests).await });
}

/// A process that nobody is left to close ends: the test is gone.
fn requests() -> UnboundedReceiver<Request> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let request = serde_json::from_str(&line.unwrap()).unwrap();
            let _ = sender.send(request);
            if matches!(request, Request::Close) {
                return;
            }
        }
        process::exit(1);
    });
    receiver
}

#[derive(Clone)]
struct Process {
    order: Order,
    stack: Stack,
    caches: [Cache<usize, Value>; 2],
    database: Database,
}

impl Process {
    async fn start(order: Order) -> Self {
        let max_staleness = match order.lie {
            Lie::LongStaleness => TERMS.max_staleness * 50,
            _ => TERMS.max_staleness,
        };
        let breaker = BreakerSettings::new().pause(Duration::from_millis(100)).max_pause(Duration::from_millis(400));
        let stack = Stack::builder(NAMESPACE)
            // Less than there is, so that L2 is read too.
            .l1(L1::entries(KEYS as u64 * 3 / 4))
            .l2(redis(&order.url).await)
            .max_staleness(max_staleness)
            .guard_ttl(TERMS.guard_ttl)
            .lease_ttl(TERMS.lease_ttl)
            .lease_wait(Duration::from_secs(1))
            .breaker(breaker);
        let stack = if order.lie == Lie::WarmRollbacks { stack.keep_warm_on_failover() } else { stack };
        let stack = stack.build().await.unwrap();
        let cache = |name: &str, policy: Overrides| {
            // On a machine that is this busy, no load is too slow.
            stack.cache(name).overrides(policy.hard_timeout(Duration::from_secs(3600))).build().unwrap()
        };
        let grace = TERMS.grace[1];
        let lenient = Overrides::new().ttl(TERMS.ttl[1]).stale_while_revalidate(grace / 2).stale_if_error(grace);
        let caches = [cache("long", Overrides::new().ttl(TERMS.ttl[0]).jitter(0.0)), cache("short", lenient)];
        let database = Database::connect(order.origin);
        Self { order, stack, caches, database }
    }

    async fn live(self, mut requests: UnboundedReceiver<Request>) {
        let mut dice = Dice::new(self.order.seed, 100 + self.order.number as u64);
        let mut calls = JoinSet::new();
        while requests.is_empty() {
            if calls.len() < CALLS {
                calls.spawn(self.clone().call(Dice::new(dice.below(u64::MAX), 0)));
            }
            while let Some(ended) = calls.try_join_next() {
                ended.unwrap();
            }
            sleep(dice.millis(0, 5)).await;
        }
        while let Some(ended) = calls.join_next().await {
            ended.unwrap();
        }
        self.is_well().await;
        report(&Report::Rested);
        while !matches!(requests.recv().await, Some(Request::Close)) {}
        for mode in [Mode::GetWith, Mode::Get, Mode::Validated] {
            for key in 0..KEYS {
                self.read(key, mode, Takes::default()).await;
            }
        }
    }

    async fn is_well(&self) {
        let mut ticks = interval(Duration::from_millis(20));
        let is_proven = |age: Option<Duration>| age.is_some_and(|age| age < TERMS.max_staleness);
        while !self.stack.health().is_good() || !is_proven(self.stack.health().proof_age) {
            ticks.tick().await;
        }
    }

    async fn call(self, mut dice: Dice) {
        let key = dice.below(KEYS as u64) as usize;
        // Few enough changes that one which gets lost is not made up for by the next.
        match dice.below(1000) {
            0..12 => self.change(key, &mut dice).await,
            12..26 => {
                let takes = [dice.millis(0, LONGEST_COMMIT / 2), dice.millis(0, LONGEST_COMMIT / 2)];
                self.write(key, takes).await;
            }
            _ => {
                let mode = match dice.below(10) {
                    0..2 => Mode::Get,
                    2..4 => Mode::Validated,
                    4 => Mode::ValidatedGet,
                    5 if dice.chance(300) => Mode::Refresh,
                    _ => Mode::GetWith,
                };
                let takes = [1000, 100, 100, 5, 5, 5, 5, 5][dice.below(8) as usize];
                let load =
                    Takes { before: dice.millis(0, takes), after: dice.millis(0, takes), fails: dice.chance(50) };
                let patience = if dice.chance(50) { dice.millis(1, 200) } else { Duration::MAX };
                // A caller may give up.
                let _ = timeout(patience, self.read(key, mode, load)).await;
            }
        }
    }

    async fn read(&self, key: usize, mode: Mode, takes: Takes) {
        let began = self.now();
        let mut call = self.caches[cache_of(key)].at(&key);
        if tagged(key) == Tagged::ByCall {
            call = call.tag(TAG);
        }
        let process = self.clone();
        let load = |handle: Load| async move {
            if tagged(key) == Tagged::ByLoader {
                handle.tag(TAG);
            }
            let loaded = process.now().at.as_millis() as u64;
            sleep(takes.before).await;
            let version = process.database.ask(Ask::Versions).await[key];
            sleep(takes.after).await;
            if takes.fails { Err(()) } else { Ok(Value { key, version, loaded }) }
        };
        let answer = match mode {
            Mode::Get => call.get().await,
            Mode::ValidatedGet => call.validated().get().await,
            Mode::GetWith => loaded(call.try_get_with(load).await),
            Mode::Validated => loaded(call.validated().try_get_with(load).await),
            Mode::Refresh => loaded(call.try_refresh_with(load).await),
        };
        let answer = answer.map(|answer| (answer.value, answer.source));
        self.did(began, Deed::Read { key, mode, answer });
    }

    /// A commit, and some time after it the invalidation.
    async fn change(&self, key: usize, dice: &mut Dice) {
        self.database.ask(Ask::Commit { key, by: self.order.number, write: None }).await;
        sleep(dice.millis(0, 10)).await;
        let versions = self.database.ask(Ask::Versions).await;
        let scope = match dice.below(20) {
            0 if tagged(key) != Tagged::No => Scope::Tag,
            1 => Scope::Cache(cache_of(key)),
            2 => Scope::Everything,
            _ => Scope::Key(key),
        };
        let began = self.now();
        if matches!(scope, Scope::Key(_) | Scope::Tag) && self.order.lie == Lie::None && dice.chance(250) {
            let told = self.invalidation(scope).soft().send().await.is_ok();
            return self.did(began, Deed::Expire { scope, versions, told });
        }
        let told = self.order.lie == Lie::IdleInvalidations || self.invalidate(scope, dice.chance(100)).await;
        self.did(began, Deed::Invalidate { scope, versions, told });
    }

    /// Whether L2 is known to have heard of it.
    async fn invalidate(&self, scope: Scope, soon: bool) -> bool {
        if scope == Scope::Everything {
            return self.stack.invalidate_all().await.is_ok();
        }
        let what = self.invalidation(scope);
        if soon {
            // L2 is told at some time, which is no promise to others.
            what.send_soon().unwrap();
            return false;
        }
        what.send().await.is_ok()
    }

    fn invalidation(&self, scope: Scope) -> Invalidation {
        let what = self.stack.invalidation();
        match scope {
            Scope::Key(key) => what.key(&self.caches[cache_of(key)], &key),
            Scope::Tag => what.tag(TAG),
            Scope::Cache(cache) => what.cache(&self.caches[cache]),
            Scope::Everything => unreachable!("no one of these takes all"),
        }
    }

    async fn write(&self, key: usize, takes: [Duration; 2]) {
        let (began, by, database) = (self.now(), self.order.number, self.database.clone());
        let commit = async move {
            sleep(takes[0]).await;
            let versions = database.ask(Ask::Commit { key, by, write: Some(began) }).await;
            sleep(takes[1]).await;
            versions[key]
        };
        let written = self.caches[cache_of(key)].write(&key, commit).await;
        let (version, told) = (*written.as_ref().unwrap_or(&0), written.is_ok());
        self.did(began, Deed::Write { key, version, told });
    }

    fn now(&self) -> Moment {
        self.order.clock.now()
    }

    fn did(&self, began: Moment, deed: Deed) {
        report(&Report::Did(Operation { began, ended: self.now(), process: self.order.number, deed }));
    }
}

/// However long Redis takes to be there.
async fn redis(url: &str) -> Redis {
    loop {
        match Redis::connect(url).await {
            Ok(redis) => return redis,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

fn report(report: &Report) {
    println!("{}", serde_json::to_string(report).unwrap());
}

/// How a load goes, if there is one.
#[derive(Clone, Copy, Default)]
struct Takes {
    /// Until it looks at the origin.
    before: Duration,
    /// From there to its end.
    after: Duration,
    fails: bool,
}

/// The answer, or none if the loader failed. Nothing else may go wrong.
fn loaded(answer: Result<Answer<Value>, LoadError<()>>) -> Option<Answer<Value>> {
    match answer {
        Ok(answer) => Some(answer),
        Err(LoadError::Loader(_)) => None,
        Err(LoadError::Cache(error)) => panic!("{error}"),
    }
}
