//! Takes every step from every state, and meets each state once.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt::Write,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
};

use foldhash::quality::FixedState;

use super::{
    property::Property,
    setting::Setting,
    witness::Witnesses,
    world::{Step, World},
};

/// A setting in which a property can be broken.
pub(super) struct CounterExample {
    pub(super) broken: Property,
    start: World,
}

/// Explores a setting depth first. Says what was seen, all of it in order.
///
/// Of each state its hash is remembered. Should two of ten million states share one, which happens once in some hundred
/// thousand runs, what follows on one of them is missed.
pub(super) fn explore(setting: Setting) -> Result<Witnesses, Box<CounterExample>> {
    let start = World::new(setting);
    let mut visited = Visited::default();
    let mut witnesses = Witnesses::default();
    visited.insert(digest(&start));
    let mut stack = vec![open(start.clone())];
    while let Some((steps, world)) = stack.last_mut() {
        let Some(step) = steps.pop() else {
            stack.pop();
            continue;
        };
        let next = world.after(step);
        if next.broken.is_none() && !visited.insert(digest(&next)) {
            continue;
        }
        witnesses.add(next.witnesses);
        let (steps, next) = open(next);
        if let Some(broken) = next.broken {
            return Err(CounterExample { broken, start }.into());
        }
        stack.push((steps, next));
    }
    Ok(witnesses)
}

/// The steps that lead on from a state. Where there is none that anybody waits for, all must be done.
fn open(mut world: World) -> (Vec<Step>, World) {
    let steps = world.steps();
    if !steps.iter().any(|step| step.is_due()) {
        world.check_quiescent();
    }
    (steps, world)
}

impl CounterExample {
    /// The shortest schedule that breaks the property, in words. Looks again, breadth first.
    pub(super) fn trace(&self) -> String {
        let start = digest(&self.start);
        let mut came_by = CameBy::default();
        let mut queue = VecDeque::from([(start, self.start.clone())]);
        while let Some((here, world)) = queue.pop_front() {
            let (steps, world) = open(world);
            if world.broken == Some(self.broken) {
                return narrate(&self.start, &way(&came_by, start, here));
            }
            for step in steps {
                let next = world.after(step);
                if next.broken == Some(self.broken) {
                    let mut way = way(&came_by, start, here);
                    way.push(step);
                    return narrate(&self.start, &way);
                }
                let digest = digest(&next);
                if next.broken.is_none() && digest != start && !came_by.contains_key(&digest) {
                    came_by.insert(digest, (here, step));
                    queue.push_back((digest, next));
                }
            }
        }
        unreachable!("depth first, it was found")
    }
}

/// The state and the step by which each state was met first.
type CameBy = HashMap<u64, (u64, Step), BuildHasherDefault<Digested>>;

fn way(came_by: &CameBy, start: u64, mut to: u64) -> Vec<Step> {
    let mut way = Vec::new();
    while to != start {
        let (from, step) = came_by[&to];
        way.push(step);
        to = from;
    }
    way.reverse();
    way
}

fn narrate(start: &World, steps: &[Step]) -> String {
    let mut trace = format!("\n     {start}\n");
    let mut world = start.clone();
    for (number, step) in steps.iter().enumerate() {
        let next = world.after(*step);
        let _ = writeln!(trace, "{:>3}. {}\n     {next}", number + 1, world.tell(*step));
        world = next;
    }
    trace
}

type Visited = HashSet<u64, BuildHasherDefault<Digested>>;

fn digest(world: &World) -> u64 {
    FixedState::default().hash_one(world)
}

/// A hash of what is a hash already.
#[derive(Default)]
struct Digested(u64);

impl Hasher for Digested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only digests are hashed")
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}
