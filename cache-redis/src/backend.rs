//! Redis as a backend: each operation of the contract in the fewest round trips.

mod invalidate;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bb8_redis::redis::{self, Cmd, Value};
use cache_core::{
    Bytes, Error, ErrorKind, Result,
    backend::{Backend, Claim, Fill, FillReply, Found, Invalidate, Lease, LeaseReply, Put, Read},
    key::{EntryKey, Mark, Scope},
    token::{Epoch, LeaseToken},
};

use crate::{
    builder::Builder,
    config::RedisConfig,
    error::unexpected,
    pool::Pool,
    record::{self, millis},
    script,
};

/// Redis as the shared tier. See the [crate](crate) for what it needs and how it behaves.
///
/// A clone shares the connections, and the end: [`close`](Backend::close) closes them for all.
#[derive(Clone, Debug)]
pub struct Redis {
    pool: Arc<Pool>,
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
        Ok(Self { pool: Arc::new(Pool::open(config).await?) })
    }
}

#[async_trait]
impl Backend for Redis {
    async fn read(&self, ask: Read<'_>) -> Result<Found> {
        let entry = ask.key.entry(ask.key.version());
        let mut both = redis::pipe();
        // In this order: what is told to remain must not be longer than what remains of what is read.
        both.cmd("PTTL").arg(&entry);
        both.cmd("MGET").arg(&entry).arg(names(ask.marks));
        match <[Value; 2]>::try_from(self.pool.pipeline("read", &both).await?) {
            Ok([Value::Int(left), Value::Array(values)]) => found(left, values, ask.marks),
            _ => Err(unexpected("read")),
        }
    }

    async fn lease(&self, ask: Lease<'_>) -> Result<LeaseReply> {
        let version = ask.key.version();
        let (entry, lease) = (ask.key.entry(version), ask.key.lease(version));
        let mut call = script::LEASE.call(keys(&entry, &lease, ask.key.cache(), ask.marks));
        call.arg(ask.token.as_bytes()).arg(millis(ask.ttl));
        match &ask.claim {
            Claim::Join { seen: None } => call.arg("join").arg(""),
            Claim::Join { seen: Some(id) } => call.arg("join").arg(id.as_bytes()),
            Claim::Take => call.arg("take").arg(""),
        };
        call.arg(&version.to_be_bytes()).arg(Epoch::random().as_bytes());
        add_marks(&mut call, ask.marks, ask.retain);
        let reply = self.pool.script("lease", &script::LEASE, &call).await?;
        lease_reply(reply).ok_or_else(|| unexpected("lease"))
    }

    async fn extend(&self, key: &EntryKey, token: LeaseToken, ttl: Duration) -> Result<bool> {
        let lease = key.lease(key.version());
        let mut call = script::EXTEND.call([lease.as_str()].into_iter());
        call.arg(token.as_bytes()).arg(millis(ttl));
        self.pool.script("extend", &script::EXTEND, &call).await.map(|reply| reply == Value::Int(1))
    }

    async fn fill(&self, fill: Fill<'_>) -> Result<FillReply> {
        let version = fill.key.version();
        let (entry, lease) = (fill.key.entry(version), fill.key.lease(version));
        let (late, any_tag) = fill.late.map_or((&[][..], None), |late| (late.marks, Some(late.unchanged.0)));
        check_size("fill", fill.epochs.len() + late.len(), fill.frame)?;
        let names = [entry.as_str(), &lease].into_iter().chain(any_tag.map(Mark::name));
        let names: Vec<_> = names.chain(late.iter().map(Mark::name)).collect();

        let ttl = millis(fill.ttl);
        let mut call = script::FILL.call(names.into_iter());
        call.arg(fill.token.as_bytes()).arg(ttl);
        call.arg(record::head(fill.id, ttl, fill.epochs, late.len())).arg(fill.frame.as_ref());
        if let Some(late) = fill.late {
            call.arg(late.unchanged.1.as_bytes());
            add_marks(&mut call, late.marks, late.retain);
        }
        match self.pool.script("fill", &script::FILL, &call).await? {
            Value::Int(1) => Ok(FillReply::Stored),
            Value::Int(_) => Ok(FillReply::Refused),
            _ => Err(unexpected("fill")),
        }
    }

    async fn release(&self, key: &EntryKey, token: LeaseToken) -> Result<()> {
        let lease = key.lease(key.version());
        let mut call = script::RELEASE.call([lease.as_str()].into_iter());
        call.arg(token.as_bytes());
        self.pool.script("release", &script::RELEASE, &call).await.map(drop)
    }

    async fn put(&self, put: Put<'_>) -> Result<()> {
        check_size("put", put.marks.len(), put.frame)?;
        let version = put.key.version();
        let (entry, lease) = (put.key.entry(version), put.key.lease(version));
        let ttl = millis(put.ttl);
        let mut call = script::PUT.call(keys(&entry, &lease, put.key.cache(), put.marks));
        call.arg(record::head(put.id, ttl, &[], put.marks.len())).arg(put.frame.as_ref()).arg(ttl);
        call.arg(&version.to_be_bytes()).arg(Epoch::random().as_bytes());
        add_marks(&mut call, put.marks, put.retain);
        self.pool.script("put", &script::PUT, &call).await.map(drop)
    }

    async fn invalidate(&self, what: Invalidate<'_>) -> Result<()> {
        invalidate::run(&self.pool, what).await
    }

    async fn probe(&self) -> Result<()> {
        self.pool.command("probe", &redis::cmd("PING")).await.map(drop)
    }

    async fn close(&self) {
        self.pool.close();
    }

    fn name(&self) -> &'static str {
        "redis"
    }
}

/// What lease and put declare.
fn keys<'a>(
    entry: &'a str,
    lease: &'a str,
    cache: &'a Mark,
    marks: &'a [Mark],
) -> impl ExactSizeIterator<Item = &'a str> {
    let keys: Vec<_> = [entry, lease, cache.name()].into_iter().chain(names(marks)).collect();
    keys.into_iter()
}

fn names(marks: &[Mark]) -> Vec<&str> {
    marks.iter().map(Mark::name).collect()
}

/// The arguments by which scripts give marks their epochs: scopes, fresh epochs, the least time that marks of tags
/// live on, and the longer one they are given when that is not enough.
fn add_marks(call: &mut Cmd, marks: &[Mark], retain: Duration) {
    let scopes = marks.iter().map(|mark| match mark.scope() {
        Scope::Namespace => b'n',
        Scope::Cache => b'c',
        Scope::Tag => b't',
    });
    let fresh = marks.iter().flat_map(|_| *Epoch::random().as_bytes());
    let retain = millis(retain);
    call.arg(scopes.collect::<Vec<u8>>()).arg(fresh.collect::<Vec<u8>>()).arg(retain).arg(2 * retain);
}

fn found(left: i64, values: Vec<Value>, marks: &[Mark]) -> Result<Found> {
    let mut values = values.into_iter();
    let entry = match values.next() {
        Some(Value::BulkString(bytes)) => Some(record::entry(left, bytes)),
        // It has no end and no bytes: not a string.
        Some(Value::Nil) if left == -1 => Some(record::foreign()),
        Some(Value::Nil) => None,
        _ => return Err(unexpected("read")),
    };
    if values.len() != marks.len() {
        return Err(unexpected("read"));
    }
    let epochs = marks.iter().zip(values).map(|(mark, value)| match value {
        Value::BulkString(bytes) => record::epoch(mark.scope(), &bytes),
        _ => None,
    });
    Ok(Found { entry, epochs: epochs.collect() })
}

fn lease_reply(reply: Value) -> Option<LeaseReply> {
    let Value::Array(parts) = reply else {
        return None;
    };
    let mut parts = parts.into_iter();
    let Value::BulkString(outcome) = parts.next()? else {
        return None;
    };
    match (outcome.as_slice(), parts.next()?, parts.next(), parts.next()) {
        (b"granted", Value::BulkString(bytes), None, None) => {
            Some(LeaseReply::Granted { epochs: epochs(&bytes).collect() })
        }
        (b"held", Value::Int(left), None, None) => {
            Some(LeaseReply::Held { remaining: Duration::from_millis(left.try_into().ok()?) })
        }
        (b"found", Value::Int(left), Some(Value::BulkString(entry)), Some(Value::BulkString(bytes))) => {
            Some(LeaseReply::Found(Found {
                entry: Some(record::entry(left, entry)),
                epochs: epochs(&bytes).map(Some).collect(),
            }))
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
