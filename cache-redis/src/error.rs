//! What Redis and its client say, in the words of `cache-core`.

use bb8_redis::redis::{self, RedisError};
use cache_core::{Error, ErrorKind};

/// An error of the client or the server, with its kind and the way out.
///
/// The text of the server is left to the source: only its code is repeated here.
pub(crate) fn classify(operation: &'static str, error: RedisError) -> Error {
    let (kind, context) = match error.kind() {
        redis::ErrorKind::Io if is_about_certificate(&error) => (
            ErrorKind::Config,
            "the server's certificate is not trusted: its CA belongs in ca_file, its name in the URL".to_owned(),
        ),
        redis::ErrorKind::Io if error.is_timeout() => (ErrorKind::Timeout, "Redis did not answer".to_owned()),
        redis::ErrorKind::Io | redis::ErrorKind::Parse => {
            (ErrorKind::Unavailable, "the connection to Redis failed".to_owned())
        }
        redis::ErrorKind::InvalidClientConfig => (ErrorKind::Config, "the URL can't be used".to_owned()),
        redis::ErrorKind::RESP3NotSupported => (ErrorKind::Unsupported, TOO_OLD.to_owned()),
        redis::ErrorKind::AuthenticationFailed => {
            (ErrorKind::Denied, "Redis rejects the user name or the password".to_owned())
        }
        _ => from_code(code_of(&error)),
    };
    Error::new(kind, operation).context(context).caused_by(error)
}

/// A reply that no server gives to what was asked.
pub(crate) fn unexpected(operation: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, operation).context("the server's reply is not the one of Redis")
}

/// The first version with script flags, RESP3 and all that the scripts use.
pub(crate) const TOO_OLD: &str = "Redis 7.0 or later is needed";

fn from_code(code: &str) -> (ErrorKind, String) {
    match code {
        "WRONGPASS" => (ErrorKind::Denied, "Redis rejects the user name or the password (WRONGPASS)".to_owned()),
        "NOAUTH" => (ErrorKind::Denied, "Redis wants a password and the URL has none (NOAUTH)".to_owned()),
        "NOPERM" => (
            ErrorKind::Denied,
            "the user lacks a right that this library needs (NOPERM); its documentation lists them".to_owned(),
        ),
        "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => {
            (ErrorKind::Unsupported, format!("Redis Cluster is not supported ({code})"))
        }
        code => (ErrorKind::Refused, format!("Redis answered {code}")),
    }
}

/// rustls's error is out of reach inside the client's, but for its text.
fn is_about_certificate(error: &RedisError) -> bool {
    error.to_string().contains("invalid peer certificate")
}

/// The first word of a server's error. Inside a script, servers say in words only that a right is missing.
fn code_of(error: &RedisError) -> &str {
    match error.detail() {
        Some(detail) if RIGHT_MISSING_IN_SCRIPT.iter().any(|text| detail.starts_with(text)) => "NOPERM",
        _ => error.code().unwrap_or("an error"),
    }
}

/// Redis 7.0, and what came after it.
const RIGHT_MISSING_IN_SCRIPT: [&str; 2] = ["The user executing the script can't", "ACL failure in script"];

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(reply: &str) -> ErrorKind {
        let value = redis::parse_redis_value(format!("-{reply}\r\n").as_bytes()).unwrap();
        classify("read", value.extract_error().unwrap_err()).kind()
    }

    #[test]
    fn each_error_of_the_server_has_its_kind() {
        for (reply, kind) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", ErrorKind::Refused),
            ("READONLY You can't write against a read only replica.", ErrorKind::Refused),
            ("LOADING Redis is loading the dataset in memory", ErrorKind::Refused),
            ("BUSY Redis is busy running a script.", ErrorKind::Refused),
            ("MASTERDOWN Link with MASTER is down", ErrorKind::Refused),
            ("TRYAGAIN Multiple keys request during rehashing of slot", ErrorKind::Refused),
            ("NOREPLICAS Not enough good replicas to write.", ErrorKind::Refused),
            ("MISCONF Redis is configured to save RDB snapshots", ErrorKind::Refused),
            ("ERR max number of clients reached", ErrorKind::Refused),
            ("WRONGPASS invalid username-password pair", ErrorKind::Denied),
            ("NOAUTH Authentication required.", ErrorKind::Denied),
            ("NOPERM this user has no permissions", ErrorKind::Denied),
            ("ERR ACL failure in script: User u has no permissions to run the 'mget' command", ErrorKind::Denied),
            ("MOVED 3999 127.0.0.1:6381", ErrorKind::Unsupported),
            ("ASK 3999 127.0.0.1:6381", ErrorKind::Unsupported),
            ("CROSSSLOT Keys in request don't hash to the same slot", ErrorKind::Unsupported),
            ("CLUSTERDOWN Hash slot not served", ErrorKind::Unsupported),
        ] {
            assert_eq!(kind_of(reply), kind, "{reply}");
        }
    }

    #[test]
    fn the_text_of_the_server_stays_out_of_the_message() {
        let value = redis::parse_redis_value(b"-ERR wrong thing 'hunter2'\r\n").unwrap();
        let error = classify("read", value.extract_error().unwrap_err());
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
