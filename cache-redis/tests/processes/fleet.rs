//! The processes, what they reported, and what they share.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    mem,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle, sleep},
    time::Duration,
};

use cache_core::testing::history::{Deed, Loss, Moment, Operation, Record, Rollback};
use cache_redis::testing::{RedisServer, ServerBuilder};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

use crate::{
    PROCESS, TERMS,
    dialogue::{Clock, Lie, Order, Report, Request},
    origin::{Guarded, Origin},
    proxy::Proxy,
};

pub(crate) struct Fleet {
    pub(crate) clock: Clock,
    pub(crate) server: RedisServer,
    pub(crate) members: Vec<Member>,
    /// What happened to the store.
    pub(crate) rollbacks: Vec<Rollback>,
    pub(crate) losses: Vec<Loss>,
    /// Drives the proxies.
    pub(crate) runtime: Runtime,
    origin: Origin,
    seed: u64,
    lie: Lie,
    /// The test that a process is started for.
    test: &'static str,
    started: usize,
    /// When those that were killed were.
    killed: Vec<(usize, Moment)>,
    /// What those that ended reported.
    heard: Vec<Operation>,
}

/// A place in the fleet, with its way to Redis, and the process that has it.
pub(crate) struct Member {
    pub(crate) number: usize,
    pub(crate) proxy: Proxy,
    process: Child,
    heard: Arc<Mutex<Heard>>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Heard {
    operations: Vec<Operation>,
    has_rested: bool,
}

impl Fleet {
    pub(crate) fn start(test: &'static str, size: usize, seed: u64, lie: Lie) -> Self {
        let (clock, runtime) = (Clock::start(), Runtime::new().unwrap());
        let mut fleet = Self {
            clock,
            server: settings().start(),
            members: Vec::new(),
            rollbacks: Vec::new(),
            losses: Vec::new(),
            runtime,
            origin: Origin::start(clock),
            seed,
            lie,
            test,
            started: 0,
            killed: Vec::new(),
            heard: Vec::new(),
        };
        for _ in 0..size {
            let proxy = Proxy::start(fleet.runtime.handle(), fleet.server.port());
            let number = fleet.next_number();
            let member = Member::new(number, fleet.spawn(number, &proxy), proxy);
            fleet.members.push(member);
        }
        fleet
    }

    fn next_number(&mut self) -> usize {
        self.started += 1;
        self.started - 1
    }

    /// This very program, started once more for the same test.
    fn spawn(&self, number: usize, proxy: &Proxy) -> Child {
        let url = format!("redis://127.0.0.1:{}", proxy.port);
        let Self { seed, clock, lie, .. } = *self;
        let order = Order { number, seed, clock, url, origin: self.origin.port, lie };
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", self.test, "--nocapture"]).env(PROCESS, serde_json::to_string(&order).unwrap());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// `SIGKILL`, and whatever it reported until then.
    pub(crate) fn kill(&mut self, place: usize) {
        let member = &mut self.members[place];
        member.process.kill().unwrap();
        member.process.wait().unwrap();
        self.killed.push((member.number, self.clock.now()));
        self.heard.extend(member.all_heard());
    }

    pub(crate) fn restart(&mut self, place: usize) {
        let number = self.next_number();
        let process = self.spawn(number, &self.members[place].proxy);
        self.members[place].put(number, process);
    }

    /// Whether nobody ended who was not told to.
    pub(crate) fn assert_alive(&mut self) {
        for member in &mut self.members {
            let ended = member.process.try_wait().unwrap();
            let is_killed = self.killed.iter().any(|(number, _)| *number == member.number);
            assert!(ended.is_none() || is_killed, "process {} ended by itself: {ended:?}", member.number);
        }
    }

    /// Has everybody come to rest, read all that there is once more when nothing old can be left, and end.
    pub(crate) fn close(&mut self) -> Record {
        self.members.iter_mut().for_each(|member| member.ask(Request::Rest));
        self.until("all are well", |fleet| fleet.members.iter().all(Member::has_rested));
        // Not all that was committed was revoked: some were killed before.
        sleep(*TERMS.ttl.iter().max().unwrap() + TERMS.lease_ttl + TERMS.max_staleness);
        let quiet = self.clock.now();
        for mut member in mem::take(&mut self.members) {
            member.ask(Request::Close);
            assert!(member.process.wait().unwrap().success(), "process {}", member.number);
            self.heard.extend(member.all_heard());
        }
        Record { quiet: Some(quiet), ..self.record() }
    }

    /// Waits for a condition, however long that takes on a busy machine.
    pub(crate) fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        for _ in 0..12_000 {
            if condition(self) {
                return;
            }
            self.assert_alive();
            sleep(Duration::from_millis(10));
        }
        panic!("it never came to this: {what}");
    }

    /// What is known until now.
    pub(crate) fn record(&self) -> Record {
        let mut operations = self.heard.clone();
        self.members
            .iter()
            .for_each(|member| operations.extend(member.heard.lock().unwrap().operations.iter().cloned()));
        let ledger = self.origin.ledger();
        let unfinished: Vec<_> =
            self.killed.iter().flat_map(|killed| unfinished(&ledger.guarded, *killed, &operations)).collect();
        operations.extend(unfinished);
        let (rollbacks, losses) = (self.rollbacks.clone(), self.losses.clone());
        Record { operations, commits: ledger.commits, rollbacks, losses, quiet: None }
    }
}

/// G5: the writes of a process that was killed after their commit. They are over when their guards have ended by themselves.
fn unfinished(guarded: &[Guarded], killed: (usize, Moment), heard: &[Operation]) -> Vec<Operation> {
    let (process, at) = killed;
    let write = |one: &Guarded| {
        let deed = Deed::Write { key: one.key, version: one.version, told: true };
        Operation { began: one.began, ended: at.after(TERMS.guard_ttl), process, deed }
    };
    let is_told = |write: &Operation| heard.iter().any(|one| one.process == process && one.deed == write.deed);
    guarded.iter().filter(|one| one.process == process).map(write).filter(|write| !is_told(write)).collect()
}

impl Member {
    fn new(number: usize, mut process: Child, proxy: Proxy) -> Self {
        let heard = Arc::default();
        let listener = Some(listen(&mut process, &heard));
        Self { number, proxy, process, heard, listener }
    }

    fn put(&mut self, number: usize, mut process: Child) {
        self.listener = Some(listen(&mut process, &self.heard));
        (self.number, self.process) = (number, process);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn ask(&mut self, request: Request) {
        let line = serde_json::to_string(&request).unwrap() + "\n";
        self.process.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    fn has_rested(&self) -> bool {
        self.heard.lock().unwrap().has_rested
    }

    /// What a process that has ended reported.
    fn all_heard(&mut self) -> Vec<Operation> {
        if let Some(listener) = self.listener.take() {
            listener.join().unwrap();
        }
        mem::take(&mut self.heard.lock().unwrap().operations)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn listen(process: &mut Child, heard: &Arc<Mutex<Heard>>) -> JoinHandle<()> {
    let (output, heard) = (process.stdout.take().unwrap(), Arc::clone(heard));
    thread::spawn(move || hear(output, &heard))
}

/// Until the process ends. Among its reports are the lines of any test program.
fn hear(output: ChildStdout, heard: &Mutex<Heard>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let Some(begin) = line.find('{').or_else(|| line.find("\"Rested\"")) else { continue };
        match serde_json::from_str(&line[begin..]) {
            Ok(Report::Did(operation)) => heard.lock().unwrap().operations.push(operation),
            Ok(Report::Rested) => heard.lock().unwrap().has_rested = true,
            // It was killed in the middle of a line.
            Err(error) => assert!(error.is_eof(), "{line}: {error}"),
        }
    }
}

/// Of any server that may come to be the fleet's.
pub(crate) fn settings() -> ServerBuilder {
    RedisServer::builder().arguments(["--repl-diskless-sync-delay", "0", "--enable-protected-configs", "yes"])
}
