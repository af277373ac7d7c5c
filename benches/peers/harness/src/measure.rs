//! Rounds in which all take their turn, so that what else the machine does meets all alike.

use std::{sync::Barrier, thread};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;

use crate::{
    contestant::{Clock, Contestant},
    ours::OURS,
    results::Hit,
};

/// Hits of all contestants, in their order.
pub(crate) fn measure(
    handle: &Handle,
    contestants: &[Contestant],
    keys: &[u64],
    threads: usize,
    rounds: usize,
) -> Vec<Hit> {
    // Loads what is asked for, twice: some admit an entry only when it is asked for again.
    for contestant in contestants {
        (0..2).for_each(|_| (contestant.run)(handle, &keys[..contestant.clock.share(keys.len())]));
    }
    let mut taken = vec![Vec::new(); contestants.len()];
    for round in 0..rounds {
        for turn in 0..contestants.len() {
            let place = (round + turn) % contestants.len();
            taken[place].push(nanos_per_hit(handle, &contestants[place], keys, threads));
        }
    }
    let ours = contestants.iter().position(|contestant| contestant.name == OURS).expect("it takes part");
    let hit = |own: &Vec<f64>| Hit {
        nanos: median(own.clone()),
        ratio: median(own.iter().zip(&taken[ours]).map(|(own, ours)| own / ours).collect()),
    };
    taken.iter().map(hit).collect()
}

fn nanos_per_hit(handle: &Handle, contestant: &Contestant, keys: &[u64], threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    let keys = &keys[..contestant.clock.share(keys.len())];
    let run = |number: usize| {
        // Threads are at different places of the same requests.
        let (before, after) = keys.split_at(number * keys.len() / threads);
        barrier.wait();
        let start = contestant.clock.nanos();
        (contestant.run)(handle, after);
        (contestant.run)(handle, before);
        (contestant.clock.nanos() - start) / keys.len() as f64
    };
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(move || run(number))).collect();
        let count = threads.len() as f64;
        threads.into_iter().map(|thread| thread.join().expect("no contestant panics")).sum::<f64>() / count
    })
}

impl Clock {
    fn nanos(self) -> f64 {
        let time = clock_gettime(match self {
            Self::Processor => ClockId::ThreadCPUTime,
            Self::Elapsed => ClockId::Monotonic,
        });
        time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}
