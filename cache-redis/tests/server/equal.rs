//! The scripts do what `Memory` does: random steps on both, and every answer is the same.
//!
//! What may differ is left out: epochs and ids are counted in the order in which they are seen, times are told in hours,
//! which pass only when a step says so, and positions by the step that appended. And what is lost, from Redis alone now, turns
//! into misses and refusals, never into an old value.
//!
//! ```text
//! SEEDS=10000 cargo test -p cache-redis --all-features --test server equal    # 400 by default
//! SEED=7 cargo test -p cache-redis --all-features --test server equal         # that one
//! ```

mod absence;
mod mishaps;
mod stage;
mod steps;

use std::{ops::Range, rc::Rc, thread, time::Duration};

use cache_core::{
    backend::{Backend, Memory},
    testing::{Names, seed},
};
use cache_redis::testing::RedisServer;
use tokio::{
    runtime::{Builder, Runtime},
    time::advance,
};

use self::{
    stage::Stage,
    steps::{Author, PROCESSES, Step},
};
use crate::support::patient;

const LENGTH: usize = 40;

#[test]
fn redis_answers_as_memory_does_whatever_is_asked_and_lost() {
    in_all_seeds(
        |number| {
            seed(number);
            Author::default().write(LENGTH)
        },
        Two::compare,
    );
}

/// Runs every seed, and reports the first that fails with as few steps as it fails with.
fn in_all_seeds(author: fn(u64) -> Vec<Step>, check: fn(&Two, &[Step]) -> Result<(), String>) {
    let seeds = match variable("SEED") {
        Some(one) => one..one + 1,
        None => 0..variable("SEEDS").unwrap_or(400),
    };
    let half = seeds.start + (seeds.end - seeds.start) / 2;
    let run = |seeds: Range<u64>| {
        let two = Two::start();
        for seed in seeds {
            let steps = author(seed);
            if let Err(why) = check(&two, &steps) {
                let (steps, why) = shortest(steps, why, |steps| check(&two, steps).err());
                let told: Vec<_> = steps.iter().enumerate().map(|(at, step)| format!("  {at}: {step:?}")).collect();
                panic!("SEED={seed}\n{}\n{why}", told.join("\n"));
            }
        }
    };
    // Ends when both have, whatever happens: a server outlives a thread that is left behind.
    thread::scope(|scope| {
        scope.spawn(|| run(seeds.start..half));
        run(half..seeds.end);
    });
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Leaves out every step without which it still fails.
fn shortest(mut steps: Vec<Step>, mut why: String, fails: impl Fn(&[Step]) -> Option<String>) -> (Vec<Step>, String) {
    loop {
        let before = steps.len();
        for at in (0..before).rev() {
            let step = steps.remove(at);
            match fails(&steps) {
                Some(other) => why = other,
                None => steps.insert(at, step),
            }
        }
        if steps.len() == before {
            return (steps, why);
        }
    }
}

/// A Redis, and two runtimes: time stands still in the one where `Memory` lives.
struct Two {
    server: Rc<RedisServer>,
    clients: [cache_redis::Redis; PROCESSES],
    real: Runtime,
    paused: Runtime,
}

impl Two {
    fn start() -> Self {
        let server = RedisServer::start();
        let real = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let paused = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        let connect = || real.block_on(patient(server.url()).connections(1).connect()).expect("connect");
        Self { clients: [connect(), connect()], server: Rc::new(server), real, paused }
    }

    fn compare(&self, steps: &[Step]) -> Result<(), String> {
        let names = Names::random();
        let (mut memory, mut redis) = (self.memory(&names), self.redis(&names));
        for (at, step) in steps.iter().enumerate() {
            // No two appends fall into one millisecond, where a log that was lost in between could use an id again.
            self.paused.block_on(advance(Duration::from_millis(1)));
            let expected = self.paused.block_on(memory.play(at, step)).map_err(|why| format!("{at}: Memory: {why}"))?;
            let got = self.real.block_on(redis.play(at, step)).map_err(|why| format!("{at}: Redis: {why}"))?;
            if got != expected {
                return Err(format!("{at}: Redis  {got:?}\n{at}: Memory {expected:?}"));
            }
        }
        Ok(())
    }

    fn memory(&self, names: &Names) -> Stage {
        let store = self.paused.block_on(async { Memory::new() });
        let stores = [(); PROCESSES].map(|()| Box::new(store.clone()) as Box<dyn Backend>);
        Stage::new(stores, Box::new(store), names)
    }

    fn redis(&self, names: &Names) -> Stage {
        self.server.cli(&["FLUSHALL"]);
        let stores = self.clients.each_ref().map(|client| Box::new(client.clone()) as Box<dyn Backend>);
        Stage::new(stores, Box::new(Rc::clone(&self.server)), names)
    }
}
