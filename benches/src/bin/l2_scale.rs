//! How the cost of a hit in Redis grows as the work grows, beside `GET` and the same codec on one raw connection: with the
//! number of tasks, of keys, of bytes and of tags; and what a crowd waits. Both take turns; a point is the median of its rounds.
//!
//! `l2_scale [tasks] [sizes] [tags] [keys] [crowd] [quick | full] [--svg directory]` prints the tables that are named, or all of
//! them, and draws them into the directory. `quick` takes seconds; `full` goes up to ten million keys, which takes some 6 GB and
//! ten minutes.

#![expect(clippy::print_stdout, reason = "its output is tables")]

use std::{
    env, fs, mem,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use benches::{Curve, Random, Rounds, Server, Took, Zipf, cpu_time, in_tasks, plot, resident, runtime};
use cache_core::{Cache, L1, Source, Stack, clock};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use tokio::time::sleep;

const TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// A typical value, in bytes of JSON.
const SIZE: usize = 336;
/// As many tasks as a busy service has.
const TASKS: u64 = 64;

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    /// The least time of one round of one contender.
    round: Duration,
    keys: &'static [u64],
}

const QUICK: Effort = Effort { rounds: 3, round: Duration::from_millis(20), keys: &[1_000, 10_000] };
const USUAL: Effort =
    Effort { rounds: 9, round: Duration::from_millis(60), keys: &[1_000, 10_000, 100_000, 1_000_000] };
const FULL: Effort = Effort { keys: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000], ..USUAL };

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Table {
    Tasks,
    Sizes,
    Tags,
    Keys,
    Crowd,
}

const TABLES: [(&str, Table); 5] = [
    ("tasks", Table::Tasks),
    ("sizes", Table::Sizes),
    ("tags", Table::Tags),
    ("keys", Table::Keys),
    ("crowd", Table::Crowd),
];

fn main() -> ExitCode {
    let Some(wish) = Wish::read(env::args().skip(1)) else {
        eprintln!("usage: l2_scale [tasks] [sizes] [tags] [keys] [crowd] [quick | full] [--svg directory]");
        return ExitCode::FAILURE;
    };
    runtime().block_on(async {
        let server = Server::start().await;
        for table in &wish.tables {
            show(*table, &server, &wish).await;
        }
    });
    ExitCode::SUCCESS
}

/// What is asked for.
struct Wish {
    tables: Vec<Table>,
    effort: Effort,
    svg: Option<PathBuf>,
}

impl Wish {
    fn read(arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut arguments = arguments;
        let mut wish = Self { tables: Vec::new(), effort: USUAL, svg: None };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "quick" => wish.effort = QUICK,
                "full" => wish.effort = FULL,
                "--svg" => wish.svg = Some(arguments.next()?.into()),
                name => wish.tables.push(TABLES.iter().find(|(known, _)| *known == name)?.1),
            }
        }
        if wish.tables.is_empty() {
            wish.tables = TABLES.map(|(_, table)| table).into();
        }
        Some(wish)
    }
}

async fn show(table: Table, server: &Server, wish: &Wish) {
    let effort = wish.effort;
    let (name, title, across, points) = match table {
        Table::Tasks => ("tasks", "by tasks at once", "tasks", by_tasks(server, effort).await),
        Table::Keys => ("keys", "by keys (64 tasks, 16 bytes)", "keys", by_keys(server, effort).await),
        Table::Sizes => ("sizes", "by the size of a value (64 tasks)", "bytes", by_size(server, effort).await),
        Table::Tags => ("tags", "by tags of an entry (64 tasks)", "tags + 1", by_tags(server, effort).await),
        Table::Crowd => return crowd(server).await,
    };
    if let Some(directory) = &wish.svg {
        draw(directory, name, &chart(&format!("Hits a second, {title}"), across, &points));
    }
}

fn draw(directory: &Path, name: &str, svg: &str) {
    fs::create_dir_all(directory).expect("a directory to draw into");
    fs::write(directory.join(format!("l2-{name}.svg")), svg).expect("a file to draw into");
}

async fn by_tasks(server: &Server, effort: Effort) -> Vec<(u64, Point)> {
    const COUNTS: [u64; 8] = [1, 4, 16, 64, 256, 1_024, 4_096, 15_000];
    let rig = Rig::new(server, "tasks", 16_384, SIZE, 0).await;
    let mut points = Vec::new();
    table("tasks");
    for tasks in COUNTS {
        points.push((tasks, rig.measure(tasks, effort).await.print(tasks)));
    }
    points
}

async fn by_size(server: &Server, effort: Effort) -> Vec<(u64, Point)> {
    let mut points = Vec::new();
    table("bytes");
    for size in [16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20] {
        let keys = ((64 << 20) / size as u64).clamp(TASKS, 1_024);
        let rig = Rig::new(server, &format!("size{size}"), keys, size, 0).await;
        points.push((size as u64, rig.measure(TASKS, effort).await.print(size as u64)));
    }
    points
}

async fn by_tags(server: &Server, effort: Effort) -> Vec<(u64, Point)> {
    let mut points = Vec::new();
    table("tags");
    for tags in [0, 1, 2, 4, 8, 16] {
        let rig = Rig::new(server, &format!("tags{tags}"), 1_024, SIZE, tags).await;
        points.push((tags + 1, rig.measure(TASKS, effort).await.print(tags)));
    }
    points
}

async fn by_keys(server: &Server, effort: Effort) -> Vec<(u64, Point)> {
    let mut points = Vec::new();
    table("keys");
    for keys in effort.keys.iter().copied() {
        let rig = Rig::new(server, &format!("keys{keys}"), keys, 16, 0).await;
        points.push((keys, rig.measure(TASKS, effort).await.print(keys)));
    }
    points
}

/// What one point came to, in microseconds for each hit.
#[derive(Clone, Copy, Default)]
struct Point {
    raw: f64,
    cache: f64,
    ratio: f64,
    cpu_raw: f64,
    cpu_cache: f64,
}

fn table(of: &str) {
    println!("\n{of:>10}  raw/s      cache/s    throughput  CPU raw us  CPU cache us");
}

impl Point {
    fn print(self, at: u64) -> Self {
        let Self { raw, cache, ratio, cpu_raw, cpu_cache } = self;
        println!("{at:>10}  {:<9.0}  {:<9.0}  {ratio:<10.2}  {cpu_raw:<10.2}  {cpu_cache:.2}", 1e6 / raw, 1e6 / cache);
        self
    }
}

fn chart(title: &str, across: &str, points: &[(u64, Point)]) -> String {
    let curve = |name: &str, of: fn(&Point) -> f64| Curve {
        name: name.into(),
        points: points.iter().map(|(at, point)| (*at as f64, 1e6 / of(point))).collect(),
    };
    let curves = [curve("cache", |point| point.cache), curve("raw GET", |point| point.raw)];
    plot(title, across, "hits/s", &curves)
}

/// A server with the same values twice: as entries of a cache without L1, and as bare JSON.
struct Rig {
    connection: MultiplexedConnection,
    cache: Cache<u64, Arc<String>>,
    name: Arc<str>,
    keys: u64,
    size: usize,
    tags: u64,
}

impl Rig {
    async fn new(server: &Server, name: &str, keys: u64, size: usize, tags: u64) -> Arc<Self> {
        let builder = Stack::builder("bench").l1(L1::entries(0)).l2(server.backend().await);
        let stack = builder.l2_deadline(Server::patience()).build().await.expect("valid settings");
        let cache = stack.cache(name).ttl(TTL).build().expect("valid settings");
        // Two quotes are JSON's.
        let rig =
            Arc::new(Self { connection: server.connection(), cache, name: name.into(), keys, size: size - 2, tags });
        let filled = Arc::clone(&rig);
        let fill = move |call| {
            let rig = Arc::clone(&filled);
            async move {
                if call < rig.keys {
                    rig.fill(call).await;
                }
            }
        };
        in_tasks(TASKS, keys.div_ceil(TASKS), fill).await;
        rig
    }

    async fn fill(&self, key: u64) {
        let value = Arc::new("v".repeat(self.size));
        let json = serde_json::to_vec(&value).expect("text is JSON");
        let millis = TTL.as_secs() * 1_000;
        let _: () = self.connection.clone().pset_ex(self.raw_key(key), json, millis).await.expect("an answer");
        self.cache.at(&key).tags(self.tags_of(key)).insert(value).await.expect("an answer");
    }

    /// Of a hundred, so that entries have some in common.
    fn tags_of(&self, key: u64) -> impl Iterator<Item = String> {
        (0..self.tags).map(move |tag| format!("tag:{}", (key + 7 * tag) % 100))
    }

    /// As long as the names that a cache gives its entries.
    fn raw_key(&self, key: u64) -> String {
        format!("raw:{{bench:{}}}:1:{key}", self.name)
    }

    /// Calls go all over the keys, and come back to one only after all others: two at once would share a flight.
    fn key(&self, call: u64) -> u64 {
        // A prime.
        const STRIDE: u64 = 7_368_787;
        call * STRIDE % self.keys
    }

    async fn read_raw(self: Arc<Self>, call: u64) {
        let bytes: Vec<u8> = self.connection.clone().get(self.raw_key(self.key(call))).await.expect("a value");
        let value: Arc<String> = serde_json::from_slice(&bytes).expect("what was stored");
        assert_eq!(value.len(), self.size);
    }

    async fn read(self: Arc<Self>, call: u64) {
        let key = self.key(call);
        let value = match self.tags {
            0 => self.cache.get(&key).await,
            _ => self.cache.at(&key).tags(self.tags_of(key)).get().await.map(|answer| answer.value),
        };
        assert_eq!(value.expect("an entry in L2").len(), self.size);
    }

    async fn measure(self: &Arc<Self>, tasks: u64, effort: Effort) -> Point {
        let raw = |from| {
            let rig = Arc::clone(self);
            move |call| Arc::clone(&rig).read_raw(from + call)
        };
        let ours = |from| {
            let rig = Arc::clone(self);
            move |call| Arc::clone(&rig).read(from + call)
        };
        let mut turns = 1;
        while in_tasks(tasks, turns, raw(0)).await < effort.round {
            turns *= 2;
        }
        let mut rounds = Rounds::default();
        for round in 0..effort.rounds as u64 {
            let from = round * tasks * turns;
            let yardstick = Took::by(tasks, turns, raw(from)).await;
            rounds.add(yardstick, Took::by(tasks, turns, ours(from)).await);
        }
        Point {
            raw: rounds.median(|raw, _| raw.time),
            cache: rounds.median(|_, cache| cache.time),
            ratio: rounds.median(|raw, cache| raw.time / cache.time),
            cpu_raw: rounds.median(|raw, _| raw.cpu),
            cpu_cache: rounds.median(|_, cache| cache.cpu),
        }
    }
}

/// 15,000 tasks in one process ask for skewed keys, which are loaded in some milliseconds: how long do they wait beyond
/// the load that answers them? First all of them at once on a cache that is empty, then each now and then.
async fn crowd(server: &Server) {
    let builder = Stack::builder("bench").l1(L1::entries(10_000)).l2(server.backend().await);
    let stack = builder.l2_deadline(Server::patience()).build().await.expect("valid settings");
    let crowd = Crowd {
        cache: stack.cache("crowd").ttl(TTL).build().expect("valid settings"),
        zipf: Arc::new(Zipf::new(100_000, 0.99)),
        waits: Arc::default(),
    };
    println!("\n15,000 tasks, Zipf 0.99 over 100,000 keys, loads of 5 ms; waits beyond the load, in ms:");
    println!("and in all, in ms, the processor time of the client, and what the server spent on scripts:");
    println!(
        "{:<30} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "calls/s", "half", "99 %", "all", "more MB", "client", "scripts"
    );
    crowd.ask(server, "all at once, nothing is cached", 1, Duration::ZERO).await;
    crowd.ask(server, "each twice a second", 10, Duration::from_millis(500)).await;
}

#[derive(Clone)]
struct Crowd {
    cache: Cache<u64, u64>,
    zipf: Arc<Zipf>,
    /// In microseconds.
    waits: Arc<Mutex<Vec<u64>>>,
}

impl Crowd {
    async fn ask(&self, server: &Server, what: &str, calls: u64, pause: Duration) {
        const CROWD: u64 = 15_000;
        let (memory, cpu) = (resident(), cpu_time());
        let crowd = self.clone();
        let asking = in_tasks(CROWD, calls, move |call| {
            let crowd = crowd.clone();
            async move {
                let mut random = Random::new(call);
                // Not all of them at the same times.
                sleep(pause.mul_f64(2.0 * random.unit())).await;
                crowd.call(crowd.zipf.sample(&mut random) as u64).await;
            }
        });
        let (took, spent) = server.spent(asking).await;
        let cpu = cpu_time().saturating_sub(cpu);
        let mut waits = mem::take(&mut *self.waits.lock().unwrap_or_else(PoisonError::into_inner));
        waits.sort_unstable();
        let within = |percent: usize| waits[(waits.len() - 1) * percent / 100] as f64 / 1e3;
        println!(
            "{what:<30} {:>9.0} {:>9.1} {:>9.1} {:>9.1} {:>9.0} {:>9} {:>9}",
            waits.len() as f64 / took.as_secs_f64(),
            within(50),
            within(99),
            within(100),
            resident().saturating_sub(memory) as f64 / 1e6,
            cpu.as_millis(),
            spent.time("evalsha").as_millis(),
        );
    }

    async fn call(&self, key: u64) {
        let began = clock::now();
        let answer = self.cache.at(&key).get_with(|_| load()).await.expect("the loader does not fail");
        let waited = (clock::now() - began).as_micros() as u64;
        let loaded = if matches!(answer.source, Source::Loaded | Source::Joined) { answer.value } else { 0 };
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.push(waited.saturating_sub(loaded));
    }
}

/// Takes 5 ms, and says how long it took, in microseconds.
async fn load() -> u64 {
    let began = clock::now();
    sleep(Duration::from_millis(5)).await;
    (clock::now() - began).as_micros() as u64
}
