//! The origin of all data: the test itself, asked over TCP. It outlives every process.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use cache_core::testing::history::Moment;
use tokio::task::spawn_blocking;

use crate::{
    KEYS,
    dialogue::{Ask, Clock},
};

/// The commit of a guarded write, whose process may not have lived to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guarded {
    pub(crate) process: usize,
    pub(crate) began: Moment,
    pub(crate) key: usize,
    pub(crate) version: u64,
}

#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) commits: Vec<Vec<Moment>>,
    pub(crate) guarded: Vec<Guarded>,
}

impl Ledger {
    fn versions(&self) -> Vec<u64> {
        self.commits.iter().map(|commits| 1 + commits.len() as u64).collect()
    }

    fn answer(&mut self, ask: Ask, now: Moment) -> Vec<u64> {
        if let Ask::Commit { key, by, write } = ask {
            self.commits[key].push(now);
            let version = 1 + self.commits[key].len() as u64;
            self.guarded.extend(write.map(|began| Guarded { process: by, began, key, version }));
        }
        self.versions()
    }
}

pub(crate) struct Origin {
    pub(crate) port: u16,
    ledger: Arc<Mutex<Ledger>>,
}

impl Origin {
    /// Its threads end with the processes that ask them; the one that waits for new ones ends with the test.
    pub(crate) fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ledger = Arc::new(Mutex::new(Ledger { commits: vec![Vec::new(); KEYS], guarded: Vec::new() }));
        let shared = Arc::clone(&ledger);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, ledger) = (stream.unwrap(), Arc::clone(&shared));
                thread::spawn(move || serve(&stream, &ledger, clock));
            }
        });
        Self { port, ledger }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger.lock().unwrap().clone()
    }
}

/// A process that is killed in the middle of a line has asked nothing.
fn serve(mut stream: &TcpStream, ledger: &Mutex<Ledger>, clock: Clock) {
    stream.set_nodelay(true).unwrap();
    for line in BufReader::new(stream).lines() {
        let Ok(ask) = serde_json::from_str(&line.unwrap_or_default()) else { return };
        let versions = {
            let mut ledger = ledger.lock().unwrap();
            ledger.answer(ask, clock.now())
        };
        let answer = serde_json::to_string(&versions).unwrap() + "\n";
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A process's way to the origin, which never fails: one question at a time.
#[derive(Clone)]
pub(crate) struct Database(Arc<Mutex<BufReader<TcpStream>>>);

impl Database {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(Arc::new(Mutex::new(BufReader::new(stream))))
    }

    /// To the end, also when nobody waits for it any more.
    pub(crate) async fn ask(&self, ask: Ask) -> Vec<u64> {
        let connection = Arc::clone(&self.0);
        let talk = move || {
            let mut connection = connection.lock().unwrap();
            let question = serde_json::to_string(&ask).unwrap() + "\n";
            connection.get_mut().write_all(question.as_bytes()).unwrap();
            let mut answer = String::new();
            connection.read_line(&mut answer).unwrap();
            serde_json::from_str(&answer).unwrap()
        };
        spawn_blocking(talk).await.unwrap()
    }
}
