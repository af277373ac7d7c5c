//! The Lua scripts, each of which is one atomic step of the contract.

use std::sync::LazyLock;

use bb8_redis::redis::{self, Cmd, RedisResult, ServerErrorKind, Value, aio::MultiplexedConnection};

const MARKS: &str = include_str!("scripts/marks.lua");
const GUARDS: &str = include_str!("scripts/guards.lua");
const LOG: &str = include_str!("scripts/log.lua");
const BATCH: &str = include_str!("scripts/batch.lua");

pub(crate) static LEASE: LazyLock<Script> =
    LazyLock::new(|| Script::growing(&[MARKS, GUARDS, include_str!("scripts/lease.lua")]));
pub(crate) static FILL: LazyLock<Script> =
    LazyLock::new(|| Script::growing(&[MARKS, GUARDS, include_str!("scripts/fill.lua")]));
pub(crate) static PUT: LazyLock<Script> =
    LazyLock::new(|| Script::growing(&[MARKS, GUARDS, LOG, include_str!("scripts/put.lua")]));
pub(crate) static EXTEND: LazyLock<Script> = LazyLock::new(|| Script::shrinking(&[include_str!("scripts/extend.lua")]));
pub(crate) static RELEASE: LazyLock<Script> =
    LazyLock::new(|| Script::shrinking(&[include_str!("scripts/release.lua")]));
pub(crate) static INVALIDATE: LazyLock<Script> =
    LazyLock::new(|| Script::shrinking(&[GUARDS, LOG, BATCH, include_str!("scripts/invalidate.lua")]));
pub(crate) static EXPIRE: LazyLock<Script> =
    LazyLock::new(|| Script::shrinking(&[MARKS, LOG, BATCH, include_str!("scripts/expire.lua")]));
pub(crate) static ATTACH: LazyLock<Script> =
    LazyLock::new(|| Script::shrinking(&[GUARDS, LOG, include_str!("scripts/attach.lua")]));

/// What a call has beside its keys, as far as it is known beforehand.
const ARGUMENTS: usize = 16;
const ARGUMENTS_SIZE: usize = 160;

/// A script under its hash. The server is sent its text only when it does not know the hash.
#[derive(Debug)]
pub(crate) struct Script(redis::Script);

impl Script {
    /// One that the server refuses to run while it is out of memory.
    fn growing(parts: &[&str]) -> Self {
        Self(redis::Script::new(&format!("#!lua\n{}", parts.concat())))
    }

    /// One that runs even then, since it needs no more memory than there is, or as little as a message of the log.
    fn shrinking(parts: &[&str]) -> Self {
        Self(redis::Script::new(&format!("#!lua flags=allow-oom\n{}", parts.concat())))
    }

    /// A call, to which the arguments are still to be added: `room` is for the bytes of those that are more than a few.
    pub(crate) fn call(&self, keys: &[&str], room: usize) -> Cmd {
        const NAME: &str = "EVALSHA";
        let hash = self.0.get_hash();
        let size = NAME.len() + hash.len() + keys.iter().map(|key| key.len()).sum::<usize>() + ARGUMENTS_SIZE + room;
        let mut call = Cmd::with_capacity(keys.len() + ARGUMENTS, size);
        call.arg(NAME).arg(hash).arg(keys.len());
        for key in keys {
            call.arg(key);
        }
        call
    }

    /// Sends a call, and the text before it if the server has lost it (a restart, `SCRIPT FLUSH`).
    pub(crate) async fn send(&self, connection: &mut MultiplexedConnection, call: &Cmd) -> RedisResult<Value> {
        match connection.send_packed_command(call).await?.extract_error() {
            Err(error) if error.kind() == ServerErrorKind::NoScript.into() => {
                self.0.load_async(connection).await?;
                connection.send_packed_command(call).await?.extract_error()
            }
            reply => reply,
        }
    }
}
