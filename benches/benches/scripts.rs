//! What the backend adds to the bare scripts that it runs, sent on a raw connection: lease, fill and invalidate.
//!
//! Both take turns within each sample. criterion shows the backend's time; the ratios to the bare scripts, of time and of
//! the processor time of this process, are printed after it.

use std::{
    cell::{LazyCell, RefCell},
    slice,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use benches::{Rounds, Server, Took, User, runtime};
use cache_core::{
    Bytes,
    backend::{Backend, Claim, Fill, FillReply, Invalidate, Lease, LeaseReply},
    key::{EntryKey, Mark},
    testing::Names,
    token::{EntryId, Epoch, LeaseToken, ProcessId},
};
use cache_redis::Redis;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const TASKS: [u64; 2] = [1, 64];
/// Longer than a sample.
const TTL: Duration = Duration::from_secs(60);
const ANSWERS: &str = "a server that answers";

fn scripts(criterion: &mut Criterion) {
    let runtime = runtime();
    let rig = LazyCell::new(|| runtime.block_on(Rig::start()));
    for tasks in TASKS {
        let mut group = criterion.benchmark_group(format!("scripts/{tasks} at once"));
        group.throughput(Throughput::Elements(tasks));
        for step in STEPS {
            let name = format!("{step:?}").to_lowercase();
            let rounds = RefCell::new(Rounds::default());
            group.bench_function(&name, |bencher| {
                let rig = &*rig;
                bencher.to_async(&runtime).iter_custom(async |turns| {
                    let (bare, backend) = rig.round(step, tasks, turns).await;
                    rounds.borrow_mut().add(bare, backend);
                    Duration::from_secs_f64(backend.time * (tasks * turns) as f64 / 1e6)
                });
            });
            let rounds = rounds.into_inner();
            if rounds.is_empty() {
                // Another one was asked for.
                continue;
            }
            let time = rounds.median(|bare, backend| backend.time / bare.time);
            let cpu = rounds.median(|bare, backend| backend.cpu / bare.cpu);
            eprintln!("{name}, {tasks} at once: {time:.2} of the bare script's time, {cpu:.2} of its processor time");
        }
        group.finish();
    }
}

/// What is measured, in the order in which it is done to a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Step {
    Lease,
    Fill,
    Invalidate,
}

const STEPS: [Step; 3] = [Step::Lease, Step::Fill, Step::Invalidate];

/// How it is done.
#[derive(Clone, Copy, Debug)]
enum Way {
    Bare,
    Backend,
}

struct Rig {
    server: Server,
    backend: Redis,
    /// What the server knows the scripts by, in the order of the steps.
    hashes: [String; 3],
    names: Names,
    /// Of the namespace, the cache, and any tag.
    marks: Vec<Mark>,
    epochs: [Epoch; 2],
    frame: Bytes,
    process: ProcessId,
}

impl Rig {
    async fn start() -> Arc<Self> {
        let server = Server::start().await;
        let names = Names::random();
        let mut marks = names.marks();
        marks.push(names.any_tag());
        let mut rig = Self {
            backend: server.backend().await,
            server,
            hashes: Default::default(),
            names,
            marks,
            epochs: [Epoch::random(), Epoch::random()],
            frame: serde_json::to_vec(&User::sample(7)).expect("a user is JSON").into(),
            process: ProcessId::random(),
        };
        // The first call of a script goes with its text.
        rig.all(Way::Backend, &Subject::new(&rig.names)).await;
        let subject = Subject::new(&rig.names);
        let by_backend = rig.server.scripts_seen(rig.all(Way::Backend, &subject)).await;
        let hashes = by_backend.iter().map(|call| String::from_utf8(call[1].clone()).expect("hexadecimal digits"));
        rig.hashes = hashes.collect::<Vec<_>>().try_into().expect("a script for each step");
        let bare = rig.server.scripts_seen(rig.all(Way::Bare, &subject)).await;
        for (backend, bare) in by_backend.iter().zip(&bare) {
            assert!(are_alike(backend, bare), "not the same call: {backend:?}, {bare:?}");
        }
        Arc::new(rig)
    }

    async fn all(&self, way: Way, subject: &Subject) {
        for step in STEPS {
            self.call(way, step, subject).await;
        }
    }

    /// A turn of each, on keys of their own that have come as far as the step needs.
    async fn round(self: &Arc<Self>, step: Step, tasks: u64, turns: u64) -> (Took, Took) {
        let subjects = || -> Arc<[Subject]> { (0..tasks * turns).map(|_| Subject::new(&self.names)).collect() };
        let (of_bare, of_backend) = (subjects(), subjects());
        for before in STEPS.into_iter().filter(|before| *before < step) {
            for subjects in [&of_bare, &of_backend] {
                self.turn(Way::Bare, before, tasks, turns, subjects).await;
            }
        }
        let bare = self.turn(Way::Bare, step, tasks, turns, &of_bare).await;
        let backend = self.turn(Way::Backend, step, tasks, turns, &of_backend).await;
        let () = redis::cmd("FLUSHDB").query_async(&mut self.server.connection()).await.expect(ANSWERS);
        (bare, backend)
    }

    async fn turn(self: &Arc<Self>, way: Way, step: Step, tasks: u64, turns: u64, subjects: &Arc<[Subject]>) -> Took {
        let (rig, subjects) = (Arc::clone(self), Arc::clone(subjects));
        let call = move |call| {
            let (rig, subjects) = (Arc::clone(&rig), Arc::clone(&subjects));
            async move { rig.call(way, step, &subjects[call as usize]).await }
        };
        Took::by(tasks, turns, call).await
    }

    async fn call(&self, way: Way, step: Step, subject: &Subject) {
        match way {
            Way::Bare => self.call_bare(step, subject).await,
            Way::Backend => self.call_backend(step, subject).await,
        }
    }

    async fn call_backend(&self, step: Step, Subject { key, token }: &Subject) {
        let Self { backend, names, marks, epochs, frame, process, .. } = self;
        match step {
            Step::Lease => {
                let claim = Claim::Join { seen: None };
                let ask = Lease { key, token: *token, ttl: TTL, claim, marks, retain: TTL };
                let reply = backend.lease(ask).await.expect(ANSWERS);
                assert!(matches!(reply, LeaseReply::Granted { epochs } if epochs.len() == marks.len()));
            }
            Step::Fill => {
                let fill = Fill { key, token: *token, id: EntryId::random(), epochs, late: None, frame, ttl: TTL };
                assert_eq!(backend.fill(fill).await.expect(ANSWERS), FillReply::Stored);
            }
            Step::Invalidate => {
                let (any_tag, log) = (&names.any_tag(), &names.log());
                let keys = slice::from_ref(key);
                let what = Invalidate { keys, marks: &[], any_tag, guard: None, log, from: *process };
                assert!(backend.invalidate(what).await.expect(ANSWERS).is_some());
            }
        }
    }

    async fn call_bare(&self, step: Step, Subject { key, token }: &Subject) {
        let (connection, ttl) = (&mut self.server.connection(), TTL.as_millis() as u64);
        let (entry, lease, guard, cache) = (key.entry(1), key.lease(1), key.guard(), key.cache().name());
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.hashes[step as usize]);
        match step {
            Step::Lease => {
                call.arg(4 + self.marks.len()).arg(&[&entry, &guard, &lease]).arg(cache);
                for mark in &self.marks {
                    call.arg(mark.name());
                }
                call.arg(token.as_bytes()).arg(ttl).arg("join").arg("").arg(&1u32.to_be_bytes());
                call.arg(Epoch::random().as_bytes()).arg("ncn");
                let fresh: Vec<u8> = self.marks.iter().flat_map(|_| *Epoch::random().as_bytes()).collect();
                call.arg(fresh).arg(ttl).arg(2 * ttl);
                let epochs: Vec<u8> = call.query_async(connection).await.expect(ANSWERS);
                assert_eq!(epochs.len(), 16 * self.marks.len(), "it is granted");
            }
            Step::Fill => {
                call.arg(3).arg(&[&entry, &lease, &guard]).arg(token.as_bytes()).arg(ttl);
                // The entry's id, its time to live, room for when it expires, its epochs.
                let mut head = EntryId::random().as_bytes().to_vec();
                head.extend_from_slice(&ttl.to_be_bytes());
                head.extend_from_slice(&[0; 8]);
                head.push(2);
                head.extend(self.epochs.iter().flat_map(Epoch::as_bytes));
                call.arg(head).arg(self.frame.as_ref());
                let stored: i64 = call.query_async(connection).await.expect(ANSWERS);
                assert_eq!(stored, 1);
            }
            Step::Invalidate => {
                call.arg(4).arg(self.names.log().name()).arg(&[&entry, &lease]).arg(cache);
                let process = u128::from_be_bytes(*self.process.as_bytes());
                call.arg(format!("{process:032x}")).arg(&[1, 1, 0, 0]).arg("").arg("").arg(0);
                let (id, marks): (String, Vec<Option<Vec<u8>>>) = call.query_async(connection).await.expect(ANSWERS);
                assert!(!id.is_empty() && marks.len() == 1);
            }
        }
    }
}

/// The same script and keys, and as many arguments, each of the same length.
fn are_alike(one: &[Vec<u8>], other: &[Vec<u8>]) -> bool {
    let keys = 3 + String::from_utf8_lossy(&one[2]).parse::<usize>().expect("the number of keys");
    let lengths = |call: &[Vec<u8>]| call.iter().map(Vec::len).collect::<Vec<_>>();
    one[..keys] == other[..keys] && lengths(one) == lengths(other)
}

/// A key, and the token of the lease on it.
struct Subject {
    key: EntryKey,
    token: LeaseToken,
}

impl Subject {
    fn new(names: &Names) -> Self {
        static USED: AtomicU64 = AtomicU64::new(0);
        let number = USED.fetch_add(1, Ordering::Relaxed);
        Self { key: names.key(&format!("{number:09}")), token: LeaseToken::random() }
    }
}

criterion_group! {
    name = group;
    config = Criterion::default()
        .sample_size(40)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    targets = scripts
}
criterion_main!(group);
