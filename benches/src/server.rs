//! A Redis of the benchmark's own, and what it was asked.

use std::{collections::BTreeMap, time::Duration};

use cache_redis::{Redis, testing::RedisServer};
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, aio::MultiplexedConnection, io::tcp::TcpSettings};

/// A Redis server with a raw connection to it: what a cache's way to the same server is compared with.
#[derive(Debug)]
pub struct Server {
    process: RedisServer,
    connection: MultiplexedConnection,
}

/// On a busy machine a benchmark is slow, not wrong.
const PATIENCE: Duration = Duration::from_secs(30);

impl Server {
    /// Starts it.
    ///
    /// # Panics
    /// If there is no `redis-server`, or it does not answer.
    pub async fn start() -> Self {
        let process = RedisServer::start();
        // As `cache-redis` does: a request is not held back for the next one.
        let target = process.url().into_connection_info().expect("the server's own URL");
        let target = target.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(target).expect("the server's own URL");
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        let connection = connection.expect("a server that answers");
        Self { process, connection }
    }

    /// The one raw connection; a clone shares it.
    #[must_use]
    pub fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// A backend on this server, with the defaults except for deadlines, which are [`patience`](Self::patience).
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn backend(&self) -> Redis {
        let builder = Redis::builder(self.process.url()).connect_timeout(PATIENCE).response_timeout(PATIENCE);
        builder.connect().await.expect("a server that answers")
    }

    /// A deadline for what must not fail because the machine is busy.
    #[must_use]
    pub const fn patience() -> Duration {
        PATIENCE
    }

    /// Runs `work`, and says what it cost the server. Nobody else may use the server meanwhile.
    pub async fn spent<T>(&self, work: impl Future<Output = T>) -> (T, Spent) {
        let before = self.counters().await;
        let done = work.await;
        (done, self.counters().await.since(&before))
    }

    /// Runs `work`, and returns the calls of scripts that the server saw meanwhile, each of them a command with its arguments;
    /// what is longer than 128 bytes is cut.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn scripts_seen(&self, work: impl Future<Output = ()>) -> Vec<Vec<Vec<u8>>> {
        type Entry = (i64, i64, i64, Vec<Vec<u8>>, String, String);
        const LOGGED: &str = "slowlog-log-slower-than";
        let mut connection = self.connection();
        let mut log = redis::pipe();
        log.cmd("CONFIG").arg(&["SET", LOGGED, "0"]).ignore().cmd("SLOWLOG").arg("RESET").ignore();
        let () = log.query_async(&mut connection).await.expect("a server that answers");
        work.await;
        let mut read = redis::pipe();
        read.cmd("SLOWLOG").arg(&["GET", "-1"]).cmd("CONFIG").arg(&["SET", LOGGED, "-1"]).ignore();
        let (entries,): (Vec<Entry>,) = read.query_async(&mut connection).await.expect("a server that answers");
        let seen = entries.into_iter().rev().map(|(.., command, _, _)| command);
        seen.filter(|command| command[0] == b"EVALSHA").collect()
    }

    async fn counters(&self) -> Spent {
        let info: String = redis::cmd("INFO")
            .arg(&["stats", "commandstats"])
            .query_async(&mut self.connection())
            .await
            .expect("a server that answers");
        Spent::read(&info)
    }
}

/// What a server did.
#[derive(Clone, Debug)]
pub struct Spent {
    reads: u64,
    commands: BTreeMap<String, Runs>,
}

/// How often a command was run, and for how long in all.
#[derive(Clone, Copy, Debug, Default)]
struct Runs {
    calls: u64,
    micros: u64,
}

impl Spent {
    /// How often it read requests from a connection: the round trips, of callers that wait for each answer.
    #[must_use]
    pub const fn round_trips(&self) -> u64 {
        self.reads
    }

    /// How often it ran a command, whether from a client or from a script.
    #[must_use]
    pub fn calls(&self, command: &str) -> u64 {
        self.runs(command).calls
    }

    /// For how long it ran a command, in all.
    #[must_use]
    pub fn time(&self, command: &str) -> Duration {
        Duration::from_micros(self.runs(command).micros)
    }

    fn runs(&self, command: &str) -> Runs {
        self.commands.get(command).copied().unwrap_or_default()
    }

    fn read(info: &str) -> Self {
        let reads = info.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
        let commands = info.lines().filter_map(|line| {
            let (command, counts) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let (calls, micros) = counts.split_once(",usec=")?;
            let (micros, _) = micros.split_once(',')?;
            Some((command.to_owned(), Runs { calls: calls.parse().ok()?, micros: micros.parse().ok()? }))
        });
        Self {
            reads: reads.and_then(|reads| reads.trim().parse().ok()).expect("a server that counts its reads"),
            commands: commands.collect(),
        }
    }

    fn since(mut self, before: &Self) -> Self {
        for (command, runs) in &mut self.commands {
            let Runs { calls, micros } = before.runs(command);
            *runs = Runs { calls: runs.calls - calls, micros: runs.micros - micros };
        }
        // The one that asked is not meant; nor are a stack's heartbeats (the end of the log, a record, `INFO`, in one round
        // trip) and its reads of the log, which are no part of any call.
        let heartbeats = self.calls("info") - 1;
        self.reads -= before.reads + 1 + heartbeats + self.calls("xread");
        if let Some(runs) = self.commands.get_mut("mget") {
            runs.calls -= heartbeats;
        }
        self
    }
}
