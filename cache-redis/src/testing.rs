//! A real server for tests (feature `test-util`).

use std::{
    env, fs,
    io::ErrorKind,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use bb8_redis::redis::{self, Client, Connection, RedisResult, Value};
use cache_core::token::EntryId;

/// A `redis-server` of its own for one test: on a free port of 127.0.0.1, without persistence unless it is asked for,
/// in a directory that goes away with it. Dropping it kills it, also while a test panics.
///
/// Its methods block, and panic where something fails: they are for tests.
///
/// ```no_run
/// # async fn example() -> cache_core::Result<()> {
/// use cache_redis::{Redis, testing::RedisServer};
///
/// let server = RedisServer::start();
/// let redis = Redis::connect(server.url()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RedisServer {
    process: Child,
    port: u16,
    tls_port: Option<u16>,
    directory: Directory,
    settings: ServerBuilder,
}

impl RedisServer {
    /// Starts a server with no settings but those that make it a test's own.
    ///
    /// # Panics
    /// If there is no `redis-server`, or it does not answer in time.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Starts with nothing set.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// The URL to connect to, with the password if it has one.
    #[must_use]
    pub fn url(&self) -> String {
        let password = self.settings.password.as_ref();
        let password = password.map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{password}127.0.0.1:{}", self.port)
    }

    /// The URL for TLS, by the name `localhost`.
    ///
    /// # Panics
    /// If the server was not given a certificate.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.tls_port.expect("it has a certificate"))
    }

    /// The port without TLS.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Sends a command and returns the reply as text: one line for each element, none for nil.
    ///
    /// # Panics
    /// If the server does not answer, or answers with an error.
    pub fn cli(&self, command: &[&str]) -> String {
        match self.query(command) {
            Ok(reply) => text(&reply),
            Err(error) => panic!("{command:?}: {error}"),
        }
    }

    /// Kills the server (`SIGKILL`), as a crash would.
    ///
    /// # Panics
    /// If it can't be killed.
    pub fn kill(&mut self) {
        self.process.kill().expect("the server can be killed");
        self.process.wait().expect("the server ends");
    }

    /// Starts it again on the same port, after killing it if it runs.
    ///
    /// # Panics
    /// If it does not answer in time.
    pub fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// As [`restart`](Self::restart), with more settings.
    ///
    /// # Panics
    /// If it does not answer in time.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.kill();
        self.settings.arguments.extend(arguments.iter().map(ToString::to_string));
        self.process = self.spawn();
        for _ in 0..PATIENCE {
            match self.answers() {
                Answer::Yes => return,
                // The port is not free yet.
                Answer::Ended => self.process = self.spawn(),
                Answer::NotYet => {}
            }
            sleep(PACE);
        }
        panic!("redis-server does not come back on port {}", self.port);
    }

    /// Suspends the server (`SIGSTOP`): connections stay, nothing answers.
    ///
    /// # Panics
    /// If it can't be signalled.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets a suspended server go on (`SIGCONT`).
    ///
    /// # Panics
    /// If it can't be signalled.
    pub fn cont(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -s {signal} {pid}");
    }

    fn spawn(&self) -> Child {
        self.settings.spawn(self.port, self.tls_port, &self.directory.0)
    }

    fn query(&self, command: &[&str]) -> RedisResult<Value> {
        let mut connection = self.connection()?;
        let (name, arguments) = command.split_first().expect("a command has a name");
        redis::cmd(name).arg(arguments).query(&mut connection)
    }

    fn connection(&self) -> RedisResult<Connection> {
        let connection = Client::open(self.url())?.get_connection_with_timeout(ANSWER)?;
        connection.set_read_timeout(Some(ANSWER))?;
        Ok(connection)
    }

    /// Whether this very process answers, rather than another one that was faster to take the port.
    fn answers(&mut self) -> Answer {
        if self.process.try_wait().expect("it can be waited for").is_some() {
            return Answer::Ended;
        }
        let own = format!("process_id:{}\r\n", self.process.id());
        match self.query(&["INFO", "server"]) {
            Ok(info) if text(&info).contains(&own) => Answer::Yes,
            _ => Answer::NotYet,
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Settings of a [`RedisServer`].
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens before `start`"]
pub struct ServerBuilder {
    arguments: Vec<String>,
    password: Option<String>,
    certificate: Option<(String, String)>,
}

impl ServerBuilder {
    /// Command-line arguments, such as `["--maxmemory", "10mb"]`.
    pub fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(ToOwned::to_owned));
        self
    }

    /// The password of the default user.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// A certificate and its key, in PEM: the server listens for TLS too, on a port of its own.
    pub fn certificate(mut self, certificate: &str, key: &str) -> Self {
        self.certificate = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    /// If there is no `redis-server`, or it does not answer in time.
    #[must_use]
    pub fn start(self) -> RedisServer {
        for _ in 0..ATTEMPTS {
            if let Some(server) = self.clone().start_once() {
                return server;
            }
        }
        panic!("redis-server ended at once, {ATTEMPTS} times: run it by hand with {:?}", self.arguments);
    }

    /// `None` if the server ended: most likely somebody else took its port.
    fn start_once(self) -> Option<RedisServer> {
        let directory = Directory::new();
        let (port, tls_port) = (free_port(), self.certificate.as_ref().map(|_| free_port()));
        if let Some((certificate, key)) = &self.certificate {
            fs::write(directory.0.join("cert.pem"), certificate).expect("a writable directory");
            fs::write(directory.0.join("key.pem"), key).expect("a writable directory");
        }
        let process = self.spawn(port, tls_port, &directory.0);
        let mut server = RedisServer { process, port, tls_port, directory, settings: self };
        for _ in 0..PATIENCE {
            match server.answers() {
                Answer::Yes => return Some(server),
                Answer::Ended => return None,
                Answer::NotYet => sleep(PACE),
            }
        }
        panic!("redis-server does not answer on port {port}");
    }

    fn spawn(&self, port: u16, tls_port: Option<u16>, directory: &Path) -> Child {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no"]).arg("--dir").arg(directory);
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        if let Some(port) = tls_port {
            command.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
            command.arg("--tls-cert-file").arg(directory.join("cert.pem"));
            command.arg("--tls-key-file").arg(directory.join("key.pem"));
        }
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null());
        match command.spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("this test needs redis-server 7.0 or later in the PATH: apt-get install redis-server")
            }
            Err(error) => panic!("redis-server can't be started: {error}"),
        }
    }
}

const ATTEMPTS: u32 = 10;
const PACE: Duration = Duration::from_millis(5);
const PATIENCE: u32 = 4_000;
const ANSWER: Duration = Duration::from_secs(60);

enum Answer {
    Yes,
    NotYet,
    Ended,
}

/// One of 10,000 to 29,999: below those that outgoing connections take, and with room for a cluster's second port.
fn free_port() -> u16 {
    loop {
        let random = u16::from_be_bytes(*EntryId::random().as_bytes().first_chunk().expect("16 bytes"));
        let port = 10_000 + random % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A directory that is removed with its owner.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let random = u128::from_be_bytes(*EntryId::random().as_bytes());
        let path = env::temp_dir().join(format!("cache-redis-{random:032x}"));
        fs::create_dir(&path).expect("a writable directory for temporary files");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing depends on its being gone.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(reply: &Value) -> String {
    match reply {
        Value::Nil => String::new(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        Value::Okay => "OK".to_owned(),
        Value::Array(elements) => elements.iter().map(text).collect::<Vec<_>>().join("\n"),
        other => format!("{other:?}"),
    }
}
