//! What may be done to a store, as data: so that a sequence can be run twice, cut down, and shown.

use cache_core::{backend::Part, token::EntryId};

/// A key by its place in [`Stage::keys`](super::stage::Stage).
pub(crate) type Key = usize;
/// A mark by its place in [`Stage::marks`](super::stage::Stage).
pub(crate) type Mark = usize;
/// Lives and lapses of time are so long that how fast the test runs never matters.
pub(crate) type Hours = u64;

pub(crate) const KEYS: usize = 5;
/// Namespace, two caches, two tags, and at last the mark of any tag.
pub(crate) const MARKS: usize = 6;
pub(crate) const ANY_TAG: Mark = MARKS - 1;
pub(crate) const TOKENS: usize = 4;
pub(crate) const PROCESSES: usize = 2;

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Step {
    Read {
        key: Key,
        marks: Vec<Mark>,
        part: Part,
    },
    Lease {
        key: Key,
        token: usize,
        claim: Claimed,
        marks: Vec<Mark>,
        ttl: Hours,
    },
    Extend {
        key: Key,
        token: usize,
        ttl: Hours,
    },
    Fill {
        key: Key,
        token: usize,
        late: Vec<Mark>,
        ttl: Hours,
    },
    Release {
        key: Key,
        token: usize,
    },
    Put {
        key: Key,
        marks: Vec<Mark>,
        ttl: Hours,
    },
    Invalidate {
        keys: Vec<Key>,
        marks: Vec<Mark>,
        guard: Guarding,
    },
    Expire {
        keys: Vec<Key>,
        tags: Vec<Mark>,
    },
    Attach {
        process: usize,
    },
    Beat,
    /// What came after the end of the log as it was so many changes ago.
    Follow {
        back: usize,
    },
    /// Records go, as by an eviction.
    Lose(Vec<Record>),
    /// The log forgets all that was appended before the last change.
    Trim,
    /// The server is another one than the one that is recorded.
    Replace,
    /// Redis forgets its scripts.
    Forget,
    Pass(Hours),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Claimed {
    JoinBlind,
    /// What was stored last was seen, and is of no use.
    JoinAfterLast,
    JoinAfterOther,
    Take,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Guarding {
    None,
    Open(usize, Hours),
    Close(usize),
    Hold(Hours),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Record {
    Entry(Key),
    Lease(Key),
    Guards(Key),
    Mark(Mark),
    Log,
    Server,
}

/// Draws sequences. The thread is seeded first: [`cache_core::testing::seed`].
#[derive(Default)]
pub(crate) struct Author {
    leases: Vec<(Key, usize)>,
    /// What was revoked last: revoking it again in another way is where guards and holds meet.
    revoked: Option<(Vec<Key>, Vec<Mark>)>,
    as_a_stack: bool,
}

impl Author {
    /// One whose entries have the marks of their namespace and their cache.
    pub(crate) fn of_a_stack() -> Self {
        Self { as_a_stack: true, ..Self::default() }
    }

    pub(crate) fn write(mut self, length: usize) -> Vec<Step> {
        (0..length).map(|_| self.step()).collect()
    }

    fn step(&mut self) -> Step {
        let key = self.key();
        match below(100) {
            0..14 => Step::Read { key, marks: self.marks(key), part: pick(&[Part::Whole, Part::Whole, Part::Head]) },
            14..32 => self.lease(key),
            32..48 => {
                let (key, token) = self.leased(key);
                Step::Fill { key, token, late: if below(2) == 0 { tags() } else { Vec::new() }, ttl: life() }
            }
            48..52 => {
                let (key, token) = self.leased(key);
                Step::Extend { key, token, ttl: life() }
            }
            52..54 => {
                let (key, token) = self.leased(key);
                Step::Release { key, token }
            }
            54..61 => Step::Put { key, marks: self.marks(key), ttl: life() },
            61..71 => self.invalidate(key),
            71..77 => Step::Expire { keys: if below(2) == 0 { vec![key] } else { Vec::new() }, tags: tags() },
            77..79 => Step::Attach { process: below(PROCESSES) },
            79..81 => Step::Beat,
            81..84 => Step::Follow { back: below(6) },
            84..91 => Step::Lose((0..=below(3)).map(|_| self.record()).collect()),
            91..92 => Step::Trim,
            92..93 => Step::Replace,
            93..94 => Step::Forget,
            _ => Step::Pass(pick(&[2, 20])),
        }
    }

    fn lease(&mut self, key: Key) -> Step {
        let (token, claims) = (below(TOKENS), [Claimed::JoinBlind, Claimed::JoinAfterLast, Claimed::JoinAfterOther]);
        let claim = if below(3) == 0 { Claimed::Take } else { pick(&claims) };
        self.leases.push((key, token));
        let mut marks = self.marks(key);
        if below(2) == 0 {
            marks.push(ANY_TAG);
        }
        Step::Lease { key, token, claim, marks, ttl: life() }
    }

    fn invalidate(&mut self, key: Key) -> Step {
        let again = self.revoked.take().filter(|_| below(3) == 0);
        let (keys, marks) = again.unwrap_or_else(|| self.some_to_revoke(key));
        self.revoked = Some((keys.clone(), marks.clone()));
        let guard = match below(10) {
            0..4 => Guarding::None,
            4..6 => Guarding::Open(below(2), life()),
            6..8 => Guarding::Close(below(2)),
            _ => Guarding::Hold(life()),
        };
        Step::Invalidate { keys, marks, guard }
    }

    fn some_to_revoke(&self, key: Key) -> (Vec<Key>, Vec<Mark>) {
        let keys = match below(4) {
            0 => Vec::new(),
            1 => vec![key, self.key()],
            _ => vec![key],
        };
        // The mark of any tag is never named: it goes with every tag.
        let marks = if below(2) == 0 { (0..=below(2)).map(|_| below(ANY_TAG)).collect() } else { Vec::new() };
        (keys, marks)
    }

    /// Most often the first in one of its versions, so that much happens to it.
    fn key(&self) -> Key {
        if below(4) > 0 { below(2) } else { below(KEYS) }
    }

    /// Most often one that was asked for not long ago.
    fn leased(&self, key: Key) -> (Key, usize) {
        match self.leases.len() {
            0 => (key, below(TOKENS)),
            _ if below(5) == 0 => (key, below(TOKENS)),
            count => self.leases[count - 1 - below(count.min(3))],
        }
    }

    /// In any order, and some of them more than once.
    fn marks(&self, key: Key) -> Vec<Mark> {
        let some = |of| (0..below(4)).map(|_| below(of)).collect::<Vec<_>>();
        match self.as_a_stack {
            true => [0, cache_of(key)].into_iter().chain(some(2).into_iter().map(|tag| 3 + tag)).collect(),
            false => some(MARKS),
        }
    }

    fn record(&self) -> Record {
        match below(12) {
            0..3 => Record::Entry(self.key()),
            3..6 => Record::Lease(self.key()),
            6..9 => Record::Mark(below(MARKS)),
            9 => Record::Guards(self.key()),
            10 => Record::Log,
            _ => Record::Server,
        }
    }
}

/// The mark of the cache that a key is in.
pub(crate) const fn cache_of(key: Key) -> Mark {
    if key + 1 == KEYS { 2 } else { 1 }
}

fn tags() -> Vec<Mark> {
    (0..=below(2)).map(|_| 3 + below(2)).collect()
}

fn life() -> Hours {
    pick(&[1, 10, 100])
}

fn pick<T: Copy>(of: &[T]) -> T {
    of[below(of.len())]
}

fn below(end: usize) -> usize {
    let bits = *EntryId::random().as_bytes().first_chunk().expect("16 bytes");
    usize::try_from(u64::from_be_bytes(bits) % end as u64).expect("below a usize")
}
