//! What is lost denies: the oracle knows what was stored and revoked, and not what was lost.

use std::collections::{HashMap, HashSet};

use cache_core::{
    backend::{FillReply, Part},
    testing::seed,
};

use super::{
    LENGTH, in_all_seeds,
    stage::{Reply, Stage},
    steps::{Author, Guarding, KEYS, Key, MARKS, Mark, Record, Step, cache_of},
};

#[test]
fn whatever_redis_loses_no_revoked_entry_is_ever_valid_again_and_nothing_is_stored_past_a_guard() {
    in_all_seeds(
        |number| {
            seed(number);
            Author::of_a_stack().write(LENGTH)
        },
        |two, steps| {
            let (mut redis, mut oracle) = (two.redis(&cache_core::testing::Names::random()), Oracle::default());
            // Without time that passes, nothing ends but by being ended.
            for (at, step) in steps.iter().enumerate().filter(|(_, step)| !matches!(step, Step::Pass(_))) {
                let reply = two.real.block_on(redis.play(at, step)).map_err(|why| format!("{at}: {why}"))?;
                oracle.hear(at, step, &reply).map_err(|why| format!("{at}: {reply:?}: {why}"))?;
                two.real.block_on(oracle.look(&mut redis)).map_err(|why| format!("{at}: {why}"))?;
            }
            Ok(())
        },
    );
}

#[derive(Default)]
struct Oracle {
    /// By key and token: when its lease was granted last, and for which marks.
    leases: HashMap<(Key, usize), (usize, Vec<Mark>)>,
    stored: HashMap<Key, Written>,
    /// When a key, in all its versions, and a mark were revoked last.
    revoked_keys: HashMap<&'static str, usize>,
    revoked_marks: [Option<usize>; MARKS],
    /// The same, for what expired softly.
    expired_keys: HashMap<&'static str, usize>,
    expired_marks: [Option<usize>; MARKS],
    guards: HashMap<&'static str, HashSet<Option<usize>>>,
    held: HashSet<Mark>,
}

struct Written {
    at: usize,
    /// What it may be as old as.
    since: usize,
    marks: Vec<Mark>,
}

/// The key that versions have in common.
const fn text(key: Key) -> &'static str {
    ["a", "a", "b", "b", "other a"][key]
}

impl Oracle {
    fn hear(&mut self, at: usize, step: &Step, reply: &Reply) -> Result<(), &'static str> {
        match (step, reply) {
            (Step::Lease { key, token, marks, .. }, reply) => {
                let denied = self.denies(*key, marks);
                match reply {
                    Reply::Granted(_) => _ = self.leases.insert((*key, *token), (at, marks.clone())),
                    Reply::Guarded if !denied => return Err("nothing is guarded"),
                    _ => {}
                }
                if denied && *reply != Reply::Guarded {
                    return Err("a guard is open, or a mark held");
                }
            }
            (Step::Fill { key, token, late, .. }, Reply::Fill(FillReply::Stored)) => {
                let Some((since, marks)) = self.leases.remove(&(*key, *token)) else { return Err("under no lease") };
                if !self.guards_of(*key).is_empty() || late.iter().any(|mark| self.held.contains(mark)) {
                    return Err("stored past a guard");
                }
                self.stored.insert(*key, Written { at, since, marks: [&marks[..], late].concat() });
            }
            (Step::Put { key, marks, .. }, Reply::Put(FillReply::Stored, _)) => {
                if self.denies(*key, marks) {
                    return Err("put past a guard");
                }
                self.stored.insert(*key, Written { at, since: at, marks: marks.clone() });
            }
            (Step::Invalidate { keys, marks, guard }, _) => self.revoke(at, keys, marks, *guard),
            (Step::Expire { keys, tags }, _) => {
                keys.iter().for_each(|key| _ = self.expired_keys.insert(text(*key), at));
                tags.iter().for_each(|tag| self.expired_marks[*tag] = Some(at));
            }
            // Guards and hold-offs are what denies by being there.
            (Step::Lose(records), _) => records.iter().for_each(|record| match record {
                Record::Guards(key) => _ = self.guards.remove(text(*key)),
                Record::Mark(mark) => _ = self.held.remove(mark),
                _ => {}
            }),
            (Step::Attach { .. }, Reply::Attached { renewed: true, .. }) => self.revoked_marks[0] = Some(at),
            _ => {}
        }
        Ok(())
    }

    fn revoke(&mut self, at: usize, keys: &[Key], marks: &[Mark], guard: Guarding) {
        for key in keys {
            self.revoked_keys.insert(text(*key), at);
            let open = self.guards.entry(text(*key)).or_default();
            match guard {
                Guarding::None => {}
                Guarding::Open(token, _) => _ = open.insert(Some(token)),
                Guarding::Close(token) => _ = open.remove(&Some(token)),
                Guarding::Hold(_) => _ = open.insert(None),
            }
        }
        for mark in marks {
            self.revoked_marks[*mark] = Some(at);
            if matches!(guard, Guarding::Hold(_)) {
                self.held.insert(*mark);
            }
        }
    }

    fn denies(&self, key: Key, marks: &[Mark]) -> bool {
        let held = marks.iter().chain([&cache_of(key)]).any(|mark| self.held.contains(mark));
        held || !self.guards_of(key).is_empty()
    }

    fn guards_of(&self, key: Key) -> Vec<Option<usize>> {
        self.guards.get(text(key)).into_iter().flatten().copied().collect()
    }

    /// What a reader of each entry finds.
    async fn look(&self, redis: &mut Stage) -> Result<(), String> {
        for key in 0..KEYS {
            let Some(written) = self.stored.get(&key) else { continue };
            let seen = redis.read(key, &written.marks, Part::Whole).await.map_err(|error| error.to_string())?;
            let Some((step, is_fresh)) = seen.valid() else { continue };
            if step != written.at {
                return Err(format!("key {key} was stored last in step {}, and is found as {seen:?}", written.at));
            }
            let revoked = self.revoked_keys.get(text(key)).copied();
            let revoked = revoked.max(written.marks.iter().filter_map(|mark| self.revoked_marks[*mark]).max());
            if revoked.is_some_and(|revoked| revoked >= written.since) {
                return Err(format!("key {key}, as old as step {}, was revoked in {revoked:?}", written.since));
            }
            let expired = self.expired_keys.get(text(key)).copied();
            let expired = expired.max(written.marks.iter().filter_map(|mark| self.expired_marks[*mark]).max());
            if is_fresh && expired.is_some_and(|expired| expired >= written.since) {
                return Err(format!("key {key}, as old as step {}, expired in {expired:?}", written.since));
            }
        }
        Ok(())
    }
}
