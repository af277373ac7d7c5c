//! Rounds in which all take their turn, so that what else the machine does meets all alike.

use std::{sync::Barrier, thread};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;

use crate::contestants::{Contestant, OURS};

/// What was measured with one traffic and so many threads.
pub(crate) struct Measured {
    pub(crate) traffic: &'static str,
    pub(crate) threads: usize,
    pub(crate) hits: Vec<Hit>,
}

/// A hit in one cache.
#[derive(Clone, Copy)]
pub(crate) struct Hit {
    /// Of processor time, the median of all rounds.
    pub(crate) nanos: f64,
    /// As many times as long as ours in the same round took, the median of all rounds.
    pub(crate) ratio: f64,
}

impl Measured {
    pub(crate) fn title(&self) -> String {
        format!("{}, {}", self.traffic, if self.threads == 1 { "one thread" } else { "two threads" })
    }

    pub(crate) fn file_name(&self) -> String {
        let traffic: String = self.traffic.to_lowercase().chars().filter(|c| *c != ',').collect();
        format!("hits-{}-{}.svg", traffic.replace(' ', "-"), self.threads)
    }

    pub(crate) fn bars(&self, contestants: &[Contestant]) -> Vec<(String, f64)> {
        let name = |contestant: &Contestant| contestant.name.replace('`', "");
        contestants.iter().map(name).zip(self.hits.iter().map(|hit| hit.ratio)).collect()
    }
}

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
        (0..2).for_each(|_| contestant.run(handle, keys));
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

/// Processor time of a thread: other load on the machine is not in it, though it may drive things out of the caches.
fn nanos_per_hit(handle: &Handle, contestant: &Contestant, keys: &[u64], threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    let run = |number: usize| {
        // Threads are at different places of the same requests.
        let (before, after) = keys.split_at(number * keys.len() / threads);
        barrier.wait();
        let start = processor_time();
        contestant.run(handle, after);
        contestant.run(handle, before);
        (processor_time() - start) / keys.len() as f64
    };
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(move || run(number))).collect();
        let count = threads.len() as f64;
        threads.into_iter().map(|thread| thread.join().expect("no contestant panics")).sum::<f64>() / count
    })
}

fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}
