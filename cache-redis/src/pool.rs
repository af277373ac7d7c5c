//! A few connections, each shared by any number of requests, and a deadline for everything.
//!
//! A request borrows a connection from bb8 only to clone it: it is back before the request is sent, so that requests
//! share connections instead of waiting for them.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use bb8_redis::{
    bb8,
    redis::{Cmd, Pipeline, RedisError, RedisResult, ServerErrorKind, Value, aio::ConnectionLike},
};
use cache_core::{Error, ErrorKind, Result};
use tokio::{sync::watch, time::timeout};

use crate::{
    config::RedisConfig,
    connection::{Connector, Failure, Link},
    error::classify,
    log::{Followers, is_wrong_type},
    script::Script,
};

#[derive(Debug)]
pub(crate) struct Pool {
    /// `None` once it was closed.
    links: RwLock<Option<bb8::Pool<Connector>>>,
    failures: watch::Sender<Option<Failure>>,
    connector: Connector,
    followers: Followers,
    response_timeout: Duration,
}

impl Pool {
    /// Connects, and lets it be if that fails for a reason that may pass.
    pub(crate) async fn open(config: &RedisConfig) -> Result<Self> {
        let connector = Connector::new(config)?;
        let failures = connector.failures().clone();
        let links = match settings(config).build(connector.clone()).await {
            Ok(links) => links,
            Err(error) if error.is_temporary() => settings(config).build_unchecked(connector.clone()),
            Err(error) => return Err(error),
        };
        let followers = Followers::new(connector.clone(), config);
        let (links, response_timeout) = (RwLock::new(Some(links)), config.response_timeout);
        Ok(Self { links, failures, connector, followers, response_timeout })
    }

    pub(crate) const fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(crate) const fn followers(&self) -> &Followers {
        &self.followers
    }

    pub(crate) async fn command(&self, operation: &'static str, command: &Cmd) -> Result<Value> {
        let link = self.checkout(operation).await?;
        self.command_on(&link, operation, command).await
    }

    pub(crate) async fn command_on(&self, link: &Link, operation: &'static str, command: &Cmd) -> Result<Value> {
        let mut connection = link.connection.clone();
        let reply = connection.send_packed_command(command);
        let reply = timeout(self.response_timeout, reply).await;
        self.judge(operation, link, reply.map(|reply| reply?.extract_error()))
    }

    /// Sends all commands at once and returns a reply for each.
    pub(crate) async fn pipeline(&self, operation: &'static str, commands: &Pipeline) -> Result<Vec<Value>> {
        let link = self.checkout(operation).await?;
        self.pipeline_on(&link, operation, commands).await
    }

    /// A command that finds another type than its own is answered with nil: the others' replies are worth having.
    pub(crate) async fn pipeline_on(
        &self,
        link: &Link,
        operation: &'static str,
        commands: &Pipeline,
    ) -> Result<Vec<Value>> {
        let mut connection = link.connection.clone();
        let replies = connection.req_packed_commands(commands, 0, commands.len());
        let replies = timeout(self.response_timeout, replies).await;
        let replies = replies.map(|replies| replies?.into_iter().map(unless_wrong_type).collect());
        self.judge(operation, link, replies)
    }

    pub(crate) async fn script(&self, operation: &'static str, script: &Script, call: &Cmd) -> Result<Value> {
        let link = self.checkout(operation).await?;
        self.script_on(&link, operation, script, call).await
    }

    pub(crate) async fn script_on(
        &self,
        link: &Link,
        operation: &'static str,
        script: &Script,
        call: &Cmd,
    ) -> Result<Value> {
        let mut connection = link.connection.clone();
        let reply = script.send(&mut connection, call);
        let reply = timeout(self.response_timeout, reply).await;
        self.judge(operation, link, reply)
    }

    /// Later calls fail; those in flight end as they end.
    pub(crate) fn close(&self) {
        self.links.write().unwrap_or_else(PoisonError::into_inner).take();
        self.followers.close();
    }

    pub(crate) async fn checkout(&self, operation: &'static str) -> Result<Link> {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner).clone();
        let links = links.ok_or_else(|| Error::new(ErrorKind::Closed, operation))?;
        // Before an attempt can be made, so that none is missed.
        let mut failures = self.failures.subscribe();
        tokio::select! {
            biased;
            link = links.get() => match link {
                Ok(link) => Ok(link.clone()),
                Err(_) => Err(Error::new(ErrorKind::Timeout, operation)
                    .context("no connection to Redis was to be had in time")),
            },
            failure = next(&mut failures) => Err(failure),
        }
    }

    fn judge<T>(
        &self,
        operation: &'static str,
        link: &Link,
        reply: Result<RedisResult<T>, tokio::time::error::Elapsed>,
    ) -> Result<T> {
        match reply {
            Ok(Ok(reply)) => {
                link.health.answered();
                Ok(reply)
            }
            Ok(Err(error)) => {
                match error.is_unrecoverable_error() || is_demoted(&error) {
                    true => link.health.end(),
                    false => link.health.answered(),
                }
                Err(classify(operation, error))
            }
            Err(_) => {
                link.health.timed_out();
                Err(Error::new(ErrorKind::Timeout, operation)
                    .context(format!("no answer from Redis within {:?}", self.response_timeout)))
            }
        }
    }
}

fn unless_wrong_type(reply: Value) -> RedisResult<Value> {
    match reply.extract_error() {
        Err(error) if is_wrong_type(&error) => Ok(Value::Nil),
        reply => reply,
    }
}

/// A primary that became a replica keeps its connections, while its name may lead to the new primary by now.
fn is_demoted(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::ReadOnly.into()
}

/// The next attempt to connect that fails.
async fn next(failures: &mut watch::Receiver<Option<Failure>>) -> Error {
    loop {
        if failures.changed().await.is_err() {
            // No more attempts will be made.
            return std::future::pending().await;
        }
        if let Some(failure) = &*failures.borrow_and_update() {
            return failure.error.clone();
        }
    }
}

fn settings(config: &RedisConfig) -> bb8::Builder<Connector> {
    bb8::Pool::builder()
        .max_size(config.connections)
        .min_idle(config.connections)
        .connection_timeout(config.connect_timeout)
        // The connector says at once why an attempt failed; the next request makes the next one.
        .retry_connection(false)
        .max_lifetime(None)
        .idle_timeout(None)
}
