//! Following a log: its messages as Redis has them, and connections on which nothing else waits.
//!
//! A request that blocks holds up what is sent after it on its connection. So each follower that waits has one of its own,
//! which is kept for the next wait, and given up when anything goes wrong or the wait is dropped.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bb8_redis::redis::{self, Cmd, RedisError, RedisResult, Value};
use cache_core::{
    Error, ErrorKind, Result,
    backend::{Follow, Message, Position},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    config::RedisConfig,
    connection::{Connector, Link},
    error::{classify, unexpected},
    record,
};

/// Waits for messages.
#[derive(Debug)]
pub(crate) struct Followers {
    connector: Connector,
    response_timeout: Duration,
    /// Connections on which nothing is waited for.
    idle: Mutex<Vec<Link>>,
    closed: watch::Sender<bool>,
}

impl Followers {
    pub(crate) fn new(connector: Connector, config: &RedisConfig) -> Self {
        let (response_timeout, closed) = (config.response_timeout, watch::Sender::new(false));
        Self { connector, response_timeout, idle: Mutex::default(), closed }
    }

    /// The messages after a position, for the first of which it waits.
    pub(crate) async fn wait(&self, ask: &Follow<'_>) -> Result<Vec<Message>> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Err(Error::new(ErrorKind::Closed, "follow")),
            messages = self.ask(ask) => messages,
        }
    }

    /// Ends every wait.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
        self.idle().clear();
    }

    async fn ask(&self, ask: &Follow<'_>) -> Result<Vec<Message>> {
        let mut link = self.link().await?;
        let wait = ask.wait.min(LONGEST_WAIT);
        let command = question(ask, Some(wait));
        let reply = link.connection.send_packed_command(&command);
        match timeout(wait.saturating_add(self.response_timeout), reply).await {
            Ok(reply) => {
                let messages = messages_unless_wrong_type(reply.and_then(Value::extract_error))?;
                self.keep(link);
                match messages {
                    Some(messages) => Ok(messages),
                    // Nobody else can begin a log there before that is removed.
                    None => {
                        sleep(wait).await;
                        Ok(Vec::new())
                    }
                }
            }
            Err(_) => Err(Error::new(ErrorKind::Timeout, "follow").context("no answer from Redis after the wait")),
        }
    }

    /// One that leads to the server that data connections lead to.
    async fn link(&self) -> Result<Link> {
        while let Some(link) = self.take() {
            if !link.health.has_ended() && Some(link.server) == self.connector.server() {
                return Ok(link);
            }
        }
        self.connector.open().await
    }

    fn take(&self) -> Option<Link> {
        self.idle().pop()
    }

    fn keep(&self, link: Link) {
        let mut idle = self.idle();
        if !*self.closed.borrow() {
            idle.push(link);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Redis takes no more than fits its clock; a longer wait ends early, with no message.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What to send. Without a wait it is answered at once; with one, it needs a connection of its own.
pub(crate) fn question(ask: &Follow<'_>, wait: Option<Duration>) -> Cmd {
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(ask.most.clamp(1, MOST));
    if let Some(wait) = wait {
        command.arg("BLOCK").arg(record::millis(wait));
    }
    command.arg("STREAMS").arg(ask.log.name()).arg(ask.after.to_string());
    command
}

/// More than a log has.
const MOST: usize = 1 << 20;

/// The messages in the reply; `None` if what lies there is no log.
fn messages_unless_wrong_type(reply: RedisResult<Value>) -> Result<Option<Vec<Message>>> {
    match reply {
        Ok(reply) => messages(reply).map(Some).ok_or_else(|| unexpected("follow")),
        Err(error) if is_wrong_type(&error) => Ok(None),
        Err(error) => Err(classify("follow", error)),
    }
}

pub(crate) fn is_wrong_type(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

/// Where the only message of the reply to `XREVRANGE` stands.
pub(crate) fn position_of_first(reply: &Value) -> Option<Position> {
    let Value::Array(messages) = reply else {
        return None;
    };
    let Value::Array(parts) = messages.first()? else {
        return None;
    };
    match parts.first()? {
        Value::BulkString(id) => record::position(id),
        _ => None,
    }
}

/// Reads the reply to what [`question`] sent. `None` if it has another form.
pub(crate) fn messages(reply: Value) -> Option<Vec<Message>> {
    let found = match reply {
        Value::Nil => return Some(Vec::new()),
        // One stream was asked for: RESP3 answers by name, RESP2 with pairs.
        Value::Map(streams) => streams.into_iter().next()?.1,
        Value::Array(streams) => match streams.into_iter().next()? {
            Value::Array(pair) => pair.into_iter().nth(1)?,
            _ => return None,
        },
        _ => return None,
    };
    match found {
        Value::Array(found) => found.into_iter().map(message).collect(),
        _ => None,
    }
}

fn message(message: Value) -> Option<Message> {
    let Value::Array(parts) = message else {
        return None;
    };
    let [Value::BulkString(id), fields] = parts.as_slice() else {
        return None;
    };
    let position = record::position(id)?;
    let mut message = Message { position, after: None, from: None, revoked: Vec::new(), expired: Vec::new() };
    // What can't be read may have removed anything: then it does not say what it comes after.
    for field in texts(fields).unwrap_or_default().chunks_exact(2) {
        match field[0] {
            "after" => message.after = field[1].parse().ok(),
            "from" => message.from = record::process_of(field[1]),
            "del" => message.revoked.push(field[1].to_owned()),
            "exp" => message.expired.push(field[1].to_owned()),
            _ => {}
        }
    }
    Some(message)
}

/// The fields and values, if all are text and every field has a value.
fn texts(fields: &Value) -> Option<Vec<&str>> {
    let Value::Array(fields) = fields else {
        return None;
    };
    let texts = fields.iter().map(|text| match text {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    });
    texts.collect::<Option<Vec<_>>>().filter(|texts| texts.len() % 2 == 0)
}

#[cfg(test)]
mod tests {
    use cache_core::token::ProcessId;

    use super::*;

    fn text(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    fn read(fields: &[&[u8]]) -> Message {
        let fields = Value::Array(fields.iter().map(|field| text(field)).collect());
        let found = Value::Array(vec![Value::Array(vec![text(b"7-1"), fields])]);
        messages(Value::Map(vec![(text(b"shop:#log"), found)])).unwrap().remove(0)
    }

    #[test]
    fn a_message_is_read_whatever_else_it_says() {
        let from = b"000102030405060708090a0b0c0d0e0f";
        let message = read(&[b"after", b"6-0", b"new", b"x", b"from", from, b"del", b"a", b"exp", b"c", b"del", b"b"]);
        assert_eq!(message.after, "6-0".parse().ok());
        assert_eq!(message.from, Some(ProcessId::from_bytes(std::array::from_fn(|at| at as u8))));
        assert_eq!((message.revoked, message.expired), (vec!["a".into(), "b".into()], vec!["c".into()]));
    }

    #[test]
    fn what_a_message_does_not_say_sensibly_it_does_not_say() {
        let position = "7-1".parse().unwrap();
        let nothing = Message { position, after: None, from: None, revoked: Vec::new(), expired: Vec::new() };
        let nonsense: [&[&[u8]]; 5] = [
            &[b"after", b"yesterday", b"from", b"me"],
            &[b"from", b"+00102030405060708090a0b0c0d0e0f"],
            &[b"after", b"6-0", b"del"],
            &[b"after", b"6-0", b"del", b"\xff"],
            &[],
        ];
        for fields in nonsense {
            assert_eq!(read(fields), nothing, "{fields:?}");
        }
    }

    #[test]
    fn no_reply_is_no_message_and_another_form_is_none_of_ours() {
        assert_eq!(messages(Value::Nil), Some(Vec::new()));
        assert_eq!(messages(Value::Int(1)), None);
        assert_eq!(messages(Value::Array(vec![Value::Int(1)])), None);
    }
}
