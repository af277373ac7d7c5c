//! One run: three processes on one store, an origin, and what a seed lets happen to them.

use std::{
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use cache_core::{
    Answer, BreakerSettings, Cache, LoadError, Overrides, RefreshAhead, Stack,
    backend::{Backend, Invalidate, Memory, Snapshot},
    key::{Mark, Namespace},
    testing::{
        Dice,
        history::{Deed, Mode, Record, Scope, Tagged, Terms, Value, cache_of, tagged},
    },
    token::ProcessId,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    history::{History, KEYS},
    network::{Lie, Network, Site},
};

/// Of all processes.
pub(crate) const TERMS: Terms = Terms {
    max_staleness: Duration::from_millis(300),
    ttl: [Duration::from_secs(600), Duration::from_secs(2)],
    grace: [Duration::ZERO, Duration::from_secs(1)],
    // A fill that is under way for so long finds its lease gone.
    lease_ttl: Duration::from_millis(500),
    guard_ttl: Duration::from_secs(2),
};

const PROCESSES: usize = 3;

/// Things that happen in a run.
const EVENTS: usize = 100;

/// No more than a guard outlives, even if none of its prolongations gets through.
const LONGEST_COMMIT: u64 = 800;

/// A call that was told of a timeout, and takes effect, does so within this time.
const LATEST: Duration = Duration::from_secs(4);

const NAMESPACE: &str = "shop";
const TAG: &str = "t";

/// Runs a seed on a clock of its own.
pub(crate) fn run(seed: u64, lie: Lie) -> Record {
    cache_core::testing::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { World::new(seed, lie).await.run().await })
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

#[derive(Clone, Copy)]
enum How {
    Hard,
    Soft,
    Soon,
}

impl How {
    fn draw(dice: &mut Dice, scope: Scope) -> Self {
        match dice.below(10) {
            0 => Self::Soon,
            1..4 if matches!(scope, Scope::Key(_) | Scope::Tag) => Self::Soft,
            _ => Self::Hard,
        }
    }
}

/// Two guarded writes of one key overlap. The first one ends, somebody reads, the second one commits, and its process can't
/// tell anybody any more. Then the key is read again.
pub(crate) fn run_two_writes(lie: Lie) -> Record {
    const MS: Duration = Duration::from_millis(1);
    cache_core::testing::seed(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let site = Site::new(History::new());
        site.heal();
        let networks = [0, 1, 2].map(|number| Network::new(&site, Dice::new(0, number), lie));
        let end = networks[1].end();
        let mut processes = Vec::new();
        for (number, network) in networks.into_iter().enumerate() {
            processes.push(Process::new(number, network, &site.history, lie).await);
        }
        let [first, second, reader] = [0, 1, 2].map(|number: usize| processes[number].clone());
        let writes = tokio::spawn(async move {
            tokio::join!(first.write(0, [MS, 50 * MS]), second.write(0, [300 * MS, 100 * MS]));
        });
        sleep(200 * MS).await;
        reader.read(0, Mode::GetWith, Takes::default()).await;
        sleep(150 * MS).await;
        end.store(true, Relaxed);
        writes.await.unwrap();
        reader.read(0, Mode::Validated, Takes::default()).await;
        site.history.record()
    })
}

#[derive(Clone)]
struct Process {
    number: usize,
    stack: Stack,
    caches: [Cache<usize, Value>; 2],
    history: History,
    /// What the origin had at its last load of many keys, if that is what the next one brings.
    old: Option<Arc<Mutex<Vec<u64>>>>,
}

struct World {
    dice: Dice,
    site: Arc<Site>,
    processes: Vec<Process>,
    snapshot: Option<Snapshot>,
    tasks: JoinSet<()>,
}

impl World {
    async fn new(seed: u64, lie: Lie) -> Self {
        let site = Site::new(History::new());
        let mut processes = Vec::new();
        for number in 0..PROCESSES {
            let network = Network::new(&site, Dice::new(seed, number as u64 + 1), lie);
            processes.push(Process::new(number, network, &site.history, lie).await);
        }
        Self { dice: Dice::new(seed, 0), site, processes, snapshot: None, tasks: JoinSet::new() }
    }

    async fn run(mut self) -> Record {
        for _ in 0..EVENTS {
            self.happen().await;
            let gap = if self.dice.chance(30) { self.dice.millis(100, 700) } else { self.dice.millis(0, 30) };
            sleep(gap).await;
        }
        self.come_to_rest().await;
        for process in self.processes.clone() {
            for key in 0..KEYS {
                process.read(key, Mode::GetWith, Takes::default()).await;
            }
        }
        self.site.history.record()
    }

    /// Everything heals, and what is under way comes to its end.
    async fn come_to_rest(&mut self) {
        self.site.heal();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        sleep(TERMS.max_staleness + TERMS.guard_ttl + LATEST).await;
        self.site.history.quiet();
    }

    async fn happen(&mut self) {
        match self.dice.below(1000) {
            0..120 => self.change(),
            120..160 => self.write(),
            160..180 => self.evict().await,
            180..185 => self.site.store.lose_log(&namespace().log()),
            185..190 => self.site.store.trim_log(&namespace().log()),
            190..200 => self.snapshot = Some(self.site.store.snapshot()),
            200..210 => self.roll_back(),
            210..290 => self.read_many(),
            _ => self.read(),
        }
    }

    fn process(&mut self) -> Process {
        self.processes[self.dice.below(PROCESSES as u64) as usize].clone()
    }

    fn key(&mut self) -> usize {
        self.dice.below(KEYS as u64) as usize
    }

    fn read(&mut self) {
        let (process, key) = (self.process(), self.key());
        let mode = match self.dice.below(10) {
            0..2 => Mode::Get,
            2..4 => Mode::Validated,
            4 => Mode::ValidatedGet,
            5 if self.dice.chance(300) => Mode::Refresh,
            _ => Mode::GetWith,
        };
        let takes = match self.dice.below(10) {
            0 => 1000,
            1..4 => 100,
            _ => 5,
        };
        let load = Takes {
            before: self.dice.millis(0, takes),
            after: self.dice.millis(0, takes),
            fails: self.dice.chance(50),
        };
        let patience = if self.dice.chance(50) { self.dice.millis(1, 200) } else { Duration::from_secs(3600) };
        self.tasks.spawn(async move {
            // A caller may give up.
            let _ = timeout(patience, process.read(key, mode, load)).await;
        });
    }

    /// Several keys of one cache in one call.
    fn read_many(&mut self) {
        let (process, cache) = (self.process(), self.dice.below(2) as usize);
        let keys: Vec<_> = (0..KEYS).filter(|key| cache_of(*key) == cache).filter(|_| self.dice.chance(700)).collect();
        let load =
            Takes { before: self.dice.millis(0, 50), after: self.dice.millis(0, 50), fails: self.dice.chance(50) };
        let patience = if self.dice.chance(50) { self.dice.millis(1, 200) } else { Duration::from_secs(3600) };
        self.tasks.spawn(async move {
            let _ = timeout(patience, process.read_many(cache, keys, load)).await;
        });
    }

    /// A commit, and some time after it the invalidation, by anybody.
    fn change(&mut self) {
        let (process, key) = (self.process(), self.key());
        self.site.history.commit(key);
        let scope = match self.dice.below(6) {
            0 if tagged(key) != Tagged::No => Scope::Tag,
            1 => Scope::Cache(cache_of(key)),
            2 => Scope::Everything,
            _ => Scope::Key(key),
        };
        let (delay, how) = (self.dice.millis(0, 10), How::draw(&mut self.dice, scope));
        self.tasks.spawn(async move {
            sleep(delay).await;
            process.invalidate(scope, how).await;
        });
    }

    fn write(&mut self) {
        let (process, key) = (self.process(), self.key());
        let commit = [self.dice.millis(0, LONGEST_COMMIT / 2), self.dice.millis(0, LONGEST_COMMIT / 2)];
        self.tasks.spawn(async move { process.write(key, commit).await });
    }

    /// The store drops a record for want of room.
    async fn evict(&mut self) {
        let seen = self.site.seen.lock().unwrap().clone();
        let Some(key) = seen.get(self.dice.below(KEYS as u64) as usize) else { return };
        let namespace = namespace();
        let marks = [namespace.mark(), namespace.any_tag(), namespace.tag(TAG), key.cache().clone()];
        match marks.get(self.dice.below(6) as usize) {
            Some(mark) => remove(&self.site.store, &[], std::slice::from_ref(mark)).await,
            None => remove(&self.site.store, std::slice::from_ref(key), &[]).await,
        }
    }

    fn roll_back(&mut self) {
        if let Some(snapshot) = &self.snapshot {
            self.site.history.rolled_back();
            self.site.store.restart_from(snapshot);
        }
    }
}

/// Without a message in the log that anybody here reads.
async fn remove(store: &Memory, keys: &[cache_core::key::EntryKey], marks: &[Mark]) {
    let elsewhere = Namespace::new("elsewhere").unwrap();
    let (any_tag, log, from) = (&elsewhere.any_tag(), &elsewhere.log(), ProcessId::random());
    store.invalidate(Invalidate { keys, marks, any_tag, guard: None, log, from }).await.unwrap();
}

fn namespace() -> Namespace {
    Namespace::new(NAMESPACE).unwrap()
}

impl Process {
    async fn new(number: usize, network: Network, history: &History, lie: Lie) -> Self {
        let breaker = BreakerSettings::new().pause(Duration::from_millis(100)).max_pause(Duration::from_millis(400));
        let stack = Stack::builder(NAMESPACE)
            .l2(network)
            .max_staleness(TERMS.max_staleness)
            .guard_ttl(TERMS.guard_ttl)
            .lease_ttl(TERMS.lease_ttl)
            .lease_wait(Duration::from_secs(1))
            .breaker(breaker);
        let stack = stack.build().await.unwrap();
        let old = (lie == Lie::OldBatches).then(|| Arc::new(Mutex::new(history.versions())));
        let cache = |name: &str, policy: Overrides| stack.cache(name).overrides(policy).build().unwrap();
        let caches = [
            // Due after 600 ms.
            cache("long", Overrides::new().ttl(TERMS.ttl[0]).jitter(0.0).refresh_ahead(RefreshAhead::After(0.001))),
            cache(
                "short",
                Overrides::new()
                    .ttl(TERMS.ttl[1])
                    .stale_while_revalidate(TERMS.grace[1] / 2)
                    .stale_if_error(TERMS.grace[1])
                    .soft_timeout(Duration::from_millis(40)),
            ),
        ];
        Self { number, caches, history: history.clone(), stack, old }
    }

    async fn read(&self, key: usize, mode: Mode, takes: Takes) {
        let began = self.history.now();
        let mut call = self.caches[cache_of(key)].at(&key);
        if tagged(key) == Tagged::ByCall {
            call = call.tag(TAG);
        }
        let history = self.history.clone();
        let load = |handle: cache_core::Load| async move {
            if tagged(key) == Tagged::ByLoader {
                handle.tag(TAG);
            }
            let loaded = history.now().at.as_millis() as u64;
            sleep(takes.before).await;
            let version = history.versions()[key];
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
        self.history.ended(began, self.number, Deed::Read { key, mode, answer });
    }

    async fn read_many(&self, cache: usize, keys: Vec<usize>, takes: Takes) {
        let began = self.history.now();
        let (history, old) = (self.history.clone(), self.old.clone());
        let load = move |keys: Vec<usize>| {
            let (history, old) = (history.clone(), old.clone());
            async move {
                let loaded = history.now().at.as_millis() as u64;
                sleep(takes.before).await;
                let now = history.versions();
                let versions = old.map_or(now.clone(), |old| std::mem::replace(&mut *old.lock().unwrap(), now));
                sleep(takes.after).await;
                if takes.fails {
                    return Err(());
                }
                Ok(keys.into_iter().map(move |key| (key, Ok(Value { key, version: versions[key], loaded }))))
            }
        };
        let tags = |key: &usize| (tagged(*key) != Tagged::No).then_some(TAG);
        let many = self.caches[cache].many(&keys).tags(tags).try_get_with(load).await;
        for key in keys {
            let answer = match (many.answers.get(&key), many.errors.get(&key)) {
                (Some(answer), _) => Some((answer.value, answer.source)),
                (None, Some(LoadError::Loader(_))) => None,
                (None, error) => panic!("{error:?}"),
            };
            self.history.ended(began, self.number, Deed::Read { key, mode: Mode::GetWith, answer });
        }
    }

    async fn invalidate(&self, scope: Scope, how: How) {
        let (began, versions) = (self.history.now(), self.history.versions());
        let what = self.stack.invalidation();
        let what = match scope {
            Scope::Key(key) => what.key(&self.caches[cache_of(key)], &key),
            Scope::Tag => what.tag(TAG),
            Scope::Cache(cache) => what.cache(&self.caches[cache]),
            Scope::Everything => {
                let told = self.stack.invalidate_all().await.is_ok();
                return self.history.ended(began, self.number, Deed::Invalidate { scope, versions, told });
            }
        };
        let deed = match how {
            How::Hard => Deed::Invalidate { scope, versions, told: what.send().await.is_ok() },
            How::Soft => Deed::Expire { scope, versions, told: what.soft().send().await.is_ok() },
            How::Soon => {
                // L2 is told at some time, which is no promise to others.
                what.send_soon().unwrap();
                Deed::Invalidate { scope, versions, told: false }
            }
        };
        self.history.ended(began, self.number, deed);
    }

    async fn write(&self, key: usize, takes: [Duration; 2]) {
        let began = self.history.now();
        let history = self.history.clone();
        let commit = async move {
            sleep(takes[0]).await;
            let version = history.commit(key);
            sleep(takes[1]).await;
            version
        };
        let written = self.caches[cache_of(key)].write(&key, commit).await;
        let (version, told) = (*written.as_ref().unwrap_or(&0), written.is_ok());
        self.history.ended(began, self.number, Deed::Write { key, version, told });
    }
}

/// The answer, or none if the loader failed. Nothing else may go wrong.
fn loaded(answer: Result<Answer<Value>, LoadError<()>>) -> Option<Answer<Value>> {
    match answer {
        Ok(answer) => Some(answer),
        Err(LoadError::Loader(_)) => None,
        Err(LoadError::Cache(error)) => panic!("{error}"),
    }
}
