//! Making connections, and knowing when one is dead without asking it.
//!
//! RESP3 makes the client announce the end of a connection. That sets a flag which the pool reads on every checkout, so
//! that a dead connection is replaced without a `PING` before each request. A server that stopped answering announces
//! nothing: a few requests in a row that time out count as the end too.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bb8_redis::{
    bb8::ManageConnection,
    redis::{
        self, AsyncConnectionConfig, Client, Cmd, ConnectionInfo, PushInfo, PushKind, Value,
        aio::MultiplexedConnection, io::tcp::socket2::TcpKeepalive,
    },
};
use cache_core::{Error, ErrorKind, Result, clock, token::ServerId};
use tokio::{sync::watch, time::Instant};

use crate::{
    attach::Attachments,
    clock::ServerClock,
    config::RedisConfig,
    error::{TOO_OLD, classify},
    script, server,
};

/// Connects for the pool, and tells those who wait for a connection why there is none.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    client: Client,
    /// Its address, for messages.
    server: String,
    timeout: Duration,
    failures: watch::Sender<Option<Failure>>,
    attachments: Attachments,
    /// The server to which data connections lead, as far as is known.
    primary: watch::Sender<Option<ServerId>>,
}

/// An attempt to connect that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    at: Instant,
}

/// While attempts fail, there is one in this time: a server that comes back is not met by a crowd.
const PAUSE: Duration = Duration::from_millis(50);

impl Connector {
    pub(crate) fn new(config: &RedisConfig) -> Result<Self> {
        let client = client(config)?;
        Ok(Self {
            server: client.get_connection_info().addr().to_string(),
            client,
            timeout: config.connect_timeout,
            failures: watch::Sender::new(None),
            attachments: Attachments::default(),
            primary: watch::Sender::new(None),
        })
    }

    /// Where every attempt that fails is announced.
    pub(crate) const fn failures(&self) -> &watch::Sender<Option<Failure>> {
        &self.failures
    }

    fn recent_failure(&self) -> Option<Failure> {
        let last = self.failures.borrow();
        last.as_ref().filter(|failure| clock::now() - failure.at < PAUSE).cloned()
    }

    /// What every new connection for data attaches.
    pub(crate) const fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    pub(crate) fn server(&self) -> Option<ServerId> {
        *self.primary.borrow()
    }

    /// Compares the server that answers on a link with the one that it led to. Where that is another one, it may have
    /// lost what it had acknowledged: the link is given up, and what takes its place attaches anew.
    pub(crate) fn recognize(&self, link: &Link, server: ServerId) {
        self.primary.send_replace(Some(server));
        if link.server != server {
            link.health.end();
        }
    }

    /// A connection to a primary.
    pub(crate) async fn open(&self) -> Result<Link> {
        self.in_time(self.greet()).await
    }

    /// One on which every namespace is attached.
    async fn open_for_data(&self) -> Result<Link> {
        let attached = async {
            let mut link = self.greet().await?;
            for attachment in self.attachments.all() {
                let call = attachment.call(link.server);
                let reply = script::ATTACH.send(&mut link.connection, &call).await;
                reply.map_err(|error| classify("connect", error))?;
            }
            Ok(link)
        };
        let link = self.in_time(attached).await?;
        self.primary.send_replace(Some(link.server));
        Ok(link)
    }

    async fn in_time(&self, opening: impl Future<Output = Result<Link>>) -> Result<Link> {
        let opened = tokio::time::timeout(self.timeout, opening).await;
        let opened = opened.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "connect")));
        opened.map_err(|error| self.explain(error))
    }

    async fn greet(&self) -> Result<Link> {
        let health = Arc::new(Health::default());
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None).set_push_sender({
                let health = Arc::clone(&health);
                move |push: PushInfo| -> Result<(), redis::aio::SendError> {
                    if push.kind == PushKind::Disconnection {
                        health.end();
                    }
                    Ok(())
                }
            });
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connection.map_err(|error| classify("connect", error))?;
        let mut ask = async |question: &Cmd| -> Result<Value> {
            let reply = connection.send_packed_command(question).await.and_then(Value::extract_error);
            reply.map_err(|error| classify("connect", error))
        };
        check_server(&ask(&redis::cmd("HELLO")).await?)?;
        let server = server::primary("connect", &ask(&server::question()).await?)?;
        Ok(Link { connection, health, clock: Arc::default(), server })
    }

    fn explain(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Unavailable => error.context(format!("no connection to {}", self.server)),
            ErrorKind::Timeout => error.context(format!("no connection to {} within {:?}", self.server, self.timeout)),
            _ => error,
        }
    }
}

impl ManageConnection for Connector {
    type Connection = Link;
    type Error = Error;

    async fn connect(&self) -> Result<Link> {
        if let Some(failure) = self.recent_failure() {
            let error = failure.error.clone();
            self.failures.send_replace(Some(failure));
            return Err(error);
        }
        self.open_for_data().await.inspect_err(|error| {
            let failure = Failure { error: error.clone(), at: clock::now() };
            self.failures.send_replace(Some(failure));
        })
    }

    async fn is_valid(&self, link: &mut Link) -> Result<()> {
        match link.health.has_ended() {
            true => Err(Error::new(ErrorKind::Unavailable, "connect")),
            false => Ok(()),
        }
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.health.has_ended()
    }
}

/// A connection that carries any number of requests at once, and what is known of it. Clones share it.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) health: Arc<Health>,
    pub(crate) clock: Arc<ServerClock>,
    /// The server to which it leads.
    pub(crate) server: ServerId,
}

impl Link {
    /// Whether both are the same connection.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.health, &other.health)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.health.fmt(f)
    }
}

/// Whether a connection is worth another request.
#[derive(Debug, Default)]
pub(crate) struct Health {
    ended: AtomicBool,
    silences: AtomicU32,
}

impl Health {
    const MOST_SILENCES: u32 = 3;

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn answered(&self) {
        self.silences.store(0, Ordering::Relaxed);
    }

    pub(crate) fn timed_out(&self) {
        if self.silences.fetch_add(1, Ordering::Relaxed) + 1 >= Self::MOST_SILENCES {
            self.end();
        }
    }
}

fn client(config: &RedisConfig) -> Result<Client> {
    let target = with_tcp_settings(config.target()?);
    #[cfg(feature = "tls")]
    if matches!(target.addr(), redis::ConnectionAddr::TcpTls { .. }) {
        return crate::tls::client(target, config.ca_file.as_deref());
    }
    Client::open(target).map_err(|error| classify("connect", error))
}

fn with_tcp_settings(target: ConnectionInfo) -> ConnectionInfo {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));
    let settings = target.tcp_settings().clone().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(Duration::from_secs(5));
    target.set_tcp_settings(settings)
}

/// Reads the reply to `HELLO`: what the server is, and how it runs.
fn check_server(greeting: &Value) -> Result<()> {
    let unsupported = |context: String| Err(Error::new(ErrorKind::Unsupported, "connect").context(context));
    if let Some(mode) = field(greeting, "mode").filter(|mode| *mode != "standalone") {
        return unsupported(format!(
            "the server runs in {mode} mode, which is not supported: name a standalone server"
        ));
    }
    let version = field(greeting, "version").unwrap_or_default();
    match version.split('.').next().map(str::parse) {
        Some(Ok(0..7)) => unsupported(format!("{TOO_OLD}, this is {version}")),
        // Others that speak the protocol have version numbers of their own.
        _ => Ok(()),
    }
}

fn field<'a>(greeting: &'a Value, name: &str) -> Option<&'a str> {
    let Value::Map(fields) = greeting else {
        return None;
    };
    fields.iter().find(|(key, _)| text(key) == Some(name)).and_then(|(_, value)| text(value))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(version: &str, mode: &str) -> Value {
        let text = |text: &str| Value::BulkString(text.into());
        Value::Map(vec![(text("server"), text("redis")), (text("version"), text(version)), (text("mode"), text(mode))])
    }

    #[test]
    fn old_servers_and_clusters_are_refused_with_the_reason() {
        for (version, mode, reason) in [
            ("6.2.14", "standalone", "7.0 or later"),
            ("7.4.0", "cluster", "cluster mode"),
            ("7.4.0", "sentinel", "sentinel mode"),
        ] {
            let error = check_server(&greeting(version, mode)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(reason), "{error}");
        }
        for version in ["7.0.15", "8.2.1", "10.0.0", "df-1.2"] {
            check_server(&greeting(version, "standalone")).unwrap();
        }
    }

    #[test]
    fn silence_ends_a_connection_and_an_answer_forgives_it() {
        let health = Health::default();
        for _ in 0..2 {
            health.timed_out();
            health.timed_out();
            assert!(!health.has_ended());
            health.answered();
        }
        (0..3).for_each(|_| health.timed_out());
        assert!(health.has_ended());
    }
}
