//! Redis as a backend: each operation of the contract in the fewest round trips.

mod invalidate;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bb8_redis::redis::{self, Cmd, Value};
use cache_core::{
    Bytes, Error, ErrorKind, Result,
    backend::{
        Attach, Attached, Backend, Claim, Expire, Fill, FillReply, Follow, Found, Invalidate, Lease, LeaseReply,
        Message, Part, Position, Pulse, Put, Read, Stored,
    },
    key::{EntryKey, Log, Mark, Scope},
    token::{Epoch, LeaseToken, ServerId},
};

use crate::{
    attach,
    builder::Builder,
    config::RedisConfig,
    error::unexpected,
    gather::Reads,
    log,
    pool::Pool,
    record::{self, millis},
    script, server,
};

/// Redis as the shared tier. See the [crate](crate) for what it needs and how it behaves.
///
/// A clone shares the connections, and the end: [`close`](Backend::close) closes them for all.
#[derive(Clone, Debug)]
pub struct Redis {
    pool: Arc<Pool>,
    reads: Arc<Reads>,
}

impl Redis {
    /// Connects with the defaults.
    ///
    /// A server that can't be reached now is no error: connections are made when they are needed. What waiting won't
    /// mend is one. If the future is dropped, nothing is left behind.
    ///
    /// # Errors
    /// - [`ErrorKind::Config`]: the URL is none, or needs a feature.
    /// - [`ErrorKind::Denied`]: the server rejects the user or the password.
    /// - [`ErrorKind::Unsupported`]: it is older than 7.0, or a cluster.
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        Self::builder(url).connect().await
    }

    /// Starts with the defaults and a URL.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(RedisConfig::new(url))
    }

    /// Connects with what the environment says: see [`RedisConfig::from_env`].
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and [`ErrorKind::Config`] for a variable that is missing or wrong.
    pub async fn from_env() -> Result<Self> {
        Self::from_config(&RedisConfig::from_env()?).await
    }

    /// Connects with these settings.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn from_config(config: &RedisConfig) -> Result<Self> {
        let pool = Arc::new(Pool::open(config).await?);
        let reads = Arc::new(Reads::new(Arc::clone(&pool), config.connections));
        Ok(Self { pool, reads })
    }
}

#[async_trait]
impl Backend for Redis {
    async fn read(&self, ask: Read<'_>) -> Result<Found> {
        match ask.part {
            Part::Whole => self.reads.read(Arc::clone(ask.key.name()), ask.marks).await,
            // Apart: it takes more room than those need who wait for a whole entry.
            Part::Head => Box::pin(self.read_head(ask)).await,
        }
    }

    async fn lease(&self, ask: Lease<'_>) -> Result<LeaseReply> {
        let version = ask.key.version();
        let (lease, guards) = (ask.key.lease(version), ask.key.guard());
        let keys = keys([ask.key.name(), &guards, &lease], ask.key.cache(), ask.marks);
        let mut call = script::LEASE.call(&keys, room_of_marks(ask.marks));
        call.arg(ask.token.as_bytes()).arg(millis(ask.ttl));
        match &ask.claim {
            Claim::Join { seen: None } => call.arg("join").arg(""),
            Claim::Join { seen: Some(id) } => call.arg("join").arg(id.as_bytes()),
            Claim::Take => call.arg("take").arg(""),
        };
        add_renewal(&mut call, version, ask.marks, ask.retain);
        let reply = self.pool.script("lease", &script::LEASE, &call).await?;
        lease_reply(reply, ask.marks).ok_or_else(|| unexpected("lease"))
    }

    async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration) -> Result<bool> {
        let lease = key.lease(key.version());
        let mut call = script::EXTEND.call(&[&lease], 0);
        call.arg(token.as_bytes()).arg(millis(ttl));
        self.pool.script("extend", &script::EXTEND, &call).await.map(|reply| reply == Value::Int(1))
    }

    async fn fill(&self, fill: Fill<'_>) -> Result<FillReply> {
        let (late, any_tag) = fill.late.map_or((&[][..], None), |late| (late.marks, Some(late.unchanged.0)));
        check_size("fill", fill.epochs.len() + late.len(), fill.frame)?;
        let (lease, guards) = (fill.key.lease(fill.key.version()), fill.key.guard());
        let names = [&**fill.key.name(), &lease, &guards].into_iter().chain(any_tag.map(Mark::name));
        let names: Vec<_> = names.chain(late.iter().map(Mark::name)).collect();

        let ttl = millis(fill.ttl);
        let head = record::head(fill.id, ttl, fill.epochs, late.len());
        let mut call = script::FILL.call(&names, head.len() + fill.frame.len() + room_of_marks(late));
        call.arg(fill.token.as_bytes()).arg(ttl).arg(head).arg(fill.frame.as_ref());
        if let Some(late) = fill.late {
            call.arg(late.unchanged.1.as_bytes());
            add_marks(&mut call, late.marks, &Epoch::random_many(late.marks.len()), late.retain);
        }
        fill_reply("fill", &self.pool.script("fill", &script::FILL, &call).await?)
    }

    async fn release(&self, key: &EntryKey, token: LeaseToken) -> Result<()> {
        let lease = key.lease(key.version());
        let mut call = script::RELEASE.call(&[&lease], 0);
        call.arg(token.as_bytes());
        self.pool.script("release", &script::RELEASE, &call).await.map(drop)
    }

    async fn put(&self, put: Put<'_>) -> Result<FillReply> {
        check_size("put", put.marks.len(), put.frame)?;
        let version = put.key.version();
        let (lease, guards) = (put.key.lease(version), put.key.guard());
        let ttl = millis(put.ttl);
        let keys = keys([put.key.name(), &lease, &guards, put.log.name()], put.key.cache(), put.marks);
        let head = record::head(put.id, ttl, &[], put.marks.len());
        let mut call = script::PUT.call(&keys, head.len() + put.frame.len() + room_of_marks(put.marks));
        call.arg(head).arg(put.frame.as_ref()).arg(ttl);
        call.arg(record::process(put.from));
        add_renewal(&mut call, version, put.marks, put.retain);
        fill_reply("put", &self.pool.script("put", &script::PUT, &call).await?)
    }

    async fn invalidate(&self, what: Invalidate<'_>) -> Result<Option<Position>> {
        invalidate::run(&self.pool, what).await
    }

    async fn expire(&self, what: Expire<'_>) -> Result<Option<Position>> {
        invalidate::expire(&self.pool, what).await
    }

    async fn attach(&self, ask: Attach<'_>) -> Result<Attached> {
        // Before the attempt: a connection that is made meanwhile must not miss it.
        let attachment = self.pool.connector().attachments().add(&ask);
        let link = self.pool.checkout("attach").await?;
        // A server may have become another one while the link stood.
        let info = self.pool.command_on(&link, "attach", &server::question()).await?;
        let server = server::primary("attach", &info).inspect_err(|_| link.health.end())?;
        self.pool.connector().recognize(&link, server);
        let reply = self.pool.script_on(&link, "attach", &script::ATTACH, &attachment.call(server)).await?;
        attach::attached(reply, server).ok_or_else(|| unexpected("attach"))
    }

    async fn beat(&self, log: &Log) -> Result<Pulse> {
        let link = self.pool.checkout("beat").await?;
        let mut all = redis::pipe();
        all.cmd("XREVRANGE").arg(log.name()).arg("+").arg("-").arg("COUNT").arg(1);
        all.cmd("MGET").arg(log.server());
        all.add_command(server::question());
        let replies = self.pool.pipeline_on(&link, "beat", &all).await?;
        let [last, record, info] = <[Value; 3]>::try_from(replies).map_err(|_| unexpected("beat"))?;
        let server = server::primary("beat", &info).inspect_err(|_| link.health.end())?;
        self.pool.connector().recognize(&link, server);
        let recorded = recorded(&record);
        Ok(Pulse {
            end: log::position_of_first(&last),
            server,
            recorded: recorded.map(|(server, _)| server),
            max_staleness: recorded.map_or(Duration::ZERO, |(_, longest)| longest),
        })
    }

    async fn follow(&self, ask: Follow<'_>) -> Result<Vec<Message>> {
        if !ask.wait.is_zero() {
            return self.pool.followers().wait(&ask).await;
        }
        let mut one = redis::pipe();
        one.add_command(log::question(&ask, None));
        let reply = self.pool.pipeline("follow", &one).await?.pop();
        reply.and_then(log::messages).ok_or_else(|| unexpected("follow"))
    }

    async fn probe(&self) -> Result<()> {
        self.pool.command("probe", &redis::cmd("PING")).await.map(drop)
    }

    async fn close(&self) {
        self.reads.close();
        self.pool.close();
    }

    fn name(&self) -> &'static str {
        "redis"
    }
}

impl Redis {
    /// The marks after the entry: epochs never come round again, so an entry that they match was valid when it was read.
    async fn read_head(&self, ask: Read<'_>) -> Result<Found> {
        let entry = ask.key.entry(ask.key.version());
        let mut all = redis::pipe();
        all.cmd("PTTL").arg(&entry);
        all.cmd("GETRANGE").arg(&entry).arg(0).arg(record::head_length(ask.marks.len()) - 1);
        if !ask.marks.is_empty() {
            all.cmd("MGET").arg(names(ask.marks));
        }
        let mut replies = self.pool.pipeline("read", &all).await?.into_iter();
        let (Some(Value::Int(left)), Some(head)) = (replies.next(), replies.next()) else {
            return Err(unexpected("read"));
        };
        let entry = match head {
            // Nothing there: no entry of ours is empty. Without an end, it is somebody else's.
            Value::BulkString(bytes) if bytes.is_empty() && left != -1 => None,
            Value::BulkString(bytes) => Some(record::beginning(left, bytes, ask.marks.len())),
            // Another type.
            Value::Nil => Some(record::foreign()),
            _ => return Err(unexpected("read")),
        };
        match replies.next() {
            Some(Value::Array(values)) => with_marks(entry, values.into_iter(), ask.marks),
            None => with_marks(entry, std::iter::empty(), &[]),
            Some(_) => Err(unexpected("read")),
        }
    }
}

/// What lease and put declare: `first`, the mark of the cache, marks.
fn keys<'a, const N: usize>(first: [&'a str; N], cache: &'a Mark, marks: &'a [Mark]) -> Vec<&'a str> {
    let mut keys = Vec::with_capacity(N + 1 + marks.len());
    keys.extend(first);
    keys.extend([cache].into_iter().chain(marks).map(Mark::name));
    keys
}

fn names(marks: &[Mark]) -> Vec<&str> {
    marks.iter().map(Mark::name).collect()
}

/// The bytes of what is added for each mark.
const fn room_of_marks(marks: &[Mark]) -> usize {
    marks.len() * (1 + size_of::<Epoch>())
}

/// The arguments by which scripts register a version with the mark of its cache, and give `marks` their epochs.
fn add_renewal(call: &mut Cmd, version: u32, marks: &[Mark], retain: Duration) {
    let fresh = Epoch::random_many(1 + marks.len());
    call.arg(&version.to_be_bytes()).arg(fresh[0].as_bytes());
    add_marks(call, marks, &fresh[1..], retain);
}

/// The arguments by which scripts give marks their epochs: scopes, fresh epochs, the least time that marks of tags
/// live on, and the longer one they are given when that is not enough.
fn add_marks(call: &mut Cmd, marks: &[Mark], fresh: &[Epoch], retain: Duration) {
    let scopes = marks.iter().map(|mark| match mark.scope() {
        Scope::Namespace => b'n',
        Scope::Cache => b'c',
        Scope::Tag => b't',
    });
    let fresh = fresh.iter().flat_map(|epoch| *epoch.as_bytes());
    let retain = millis(retain);
    call.arg(scopes.collect::<Vec<u8>>()).arg(fresh.collect::<Vec<u8>>()).arg(retain).arg(2 * retain);
}

/// What was found of an entry, with what its marks say.
fn with_marks(entry: Option<Stored>, values: impl ExactSizeIterator<Item = Value>, marks: &[Mark]) -> Result<Found> {
    if values.len() != marks.len() {
        return Err(unexpected("read"));
    }
    let mut found = Found { entry, ..Found::default() };
    for (mark, value) in marks.iter().zip(values) {
        let bytes = if let Value::BulkString(bytes) = value { bytes } else { Vec::new() };
        found.epochs.extend([record::epoch(mark.scope(), &bytes)]);
        found.expired.extend(record::expired(mark.scope(), &bytes));
    }
    Ok(found)
}

fn recorded(record: &Value) -> Option<(ServerId, Duration)> {
    match record {
        Value::Array(records) => match records.first()? {
            Value::BulkString(record) => record::server(record),
            _ => None,
        },
        _ => None,
    }
}

fn fill_reply(operation: &'static str, reply: &Value) -> Result<FillReply> {
    match reply {
        Value::Int(1) => Ok(FillReply::Stored),
        Value::Int(_) => Ok(FillReply::Refused),
        _ => Err(unexpected(operation)),
    }
}

fn lease_reply(reply: Value, marks: &[Mark]) -> Option<LeaseReply> {
    let parts = match reply {
        Value::Nil => return Some(LeaseReply::Guarded),
        Value::BulkString(bytes) => return Some(LeaseReply::Granted { epochs: epochs(&bytes).collect() }),
        Value::Int(left) => {
            return Some(LeaseReply::Held { remaining: Duration::from_millis(left.try_into().ok()?) });
        }
        Value::Array(parts) => parts,
        _ => return None,
    };
    match <[Value; 3]>::try_from(parts) {
        Ok([Value::Int(left), Value::BulkString(entry), Value::Array(values)]) => {
            let found = with_marks(Some(record::entry(left, entry)), values.into_iter(), marks);
            Some(LeaseReply::Found(found.ok()?))
        }
        _ => None,
    }
}

fn epochs(bytes: &[u8]) -> impl Iterator<Item = Epoch> {
    bytes.chunks_exact(16).map(|epoch| Epoch::from_bytes(epoch.try_into().expect("16 bytes")))
}

/// Redis ends the connection, with all requests on it, at a string of 512 MiB.
fn check_size(operation: &'static str, epochs: usize, frame: &Bytes) -> Result<()> {
    const LARGEST_FRAME: usize = 500 << 20;
    let refused = |context: String| Err(Error::new(ErrorKind::Codec, operation).context(context));
    if epochs > record::MOST_EPOCHS {
        return refused(format!("an entry has at most {} marks, not {epochs}", record::MOST_EPOCHS));
    }
    if frame.len() > LARGEST_FRAME {
        return refused(format!("an entry has at most {LARGEST_FRAME} bytes, not {}", frame.len()));
    }
    Ok(())
}
