//! Which server answers, and in which role.

use bb8_redis::redis::{self, Cmd, Value};
use cache_core::{Error, ErrorKind, Result, token::ServerId};

use crate::error::unexpected;

/// What to send. The reply is for [`primary`].
pub(crate) fn question() -> Cmd {
    let mut info = redis::cmd("INFO");
    info.arg("server").arg("replication");
    info
}

/// The server, unless it is a replica: what that says may be old, and what it is told it forgets.
///
/// It is another one after a restart, which is another run, and after a promotion, which begins another history of
/// writes. Redis begins one too when the first replica comes, and an hour after the last one went.
pub(crate) fn primary(operation: &'static str, info: &Value) -> Result<ServerId> {
    let info = match info {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).map_err(|_| unexpected(operation))?,
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => text,
        _ => return Err(unexpected(operation)),
    };
    let role = field(info, "role").ok_or_else(|| unexpected(operation))?;
    if role != "master" {
        return Err(Error::new(ErrorKind::Unavailable, operation)
            .context("the server is a replica, which may be behind: name the primary"));
    }
    let run = field(info, "run_id").and_then(half);
    let history = field(info, "master_replid").and_then(half);
    let (run, history) = run.zip(history).ok_or_else(|| unexpected(operation))?;
    Ok(ServerId::from_bytes((run ^ history).to_be_bytes()))
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
}

/// The first 16 bytes of an id of 20.
fn half(id: &str) -> Option<u128> {
    u128::from_str_radix(id.get(..32)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0123456789abcdef0123456789abcdef01234567";
    const HISTORY: &str = "ffffffffffffffff0000000000000000ffffffff";

    fn server(role: &str, run: &str, history: &str) -> Result<ServerId> {
        let text =
            format!("# Server\r\nrun_id:{run}\r\n\r\n# Replication\r\nrole:{role}\r\nmaster_replid:{history}\r\n");
        primary("beat", &Value::BulkString(text.into()))
    }

    #[test]
    fn a_server_is_its_run_and_its_history() {
        let expected = (0xfedc_ba98_7654_3210_0123_4567_89ab_cdef_u128).to_be_bytes();
        assert_eq!(server("master", RUN, HISTORY).unwrap(), ServerId::from_bytes(expected));
    }

    #[test]
    fn a_replica_is_unavailable_and_nonsense_is_unsupported() {
        assert_eq!(server("slave", RUN, HISTORY).unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(server("master", "0123", HISTORY).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(server("master", RUN, &"x".repeat(40)).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(primary("beat", &Value::Nil).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(primary("beat", &Value::BulkString(Vec::new())).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
