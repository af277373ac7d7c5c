//! What the clock of a server shows, without asking it each time.
//!
//! A `TIME` that was answered tells what the clock showed at some moment since it was sent. From that moment on the server's
//! clock goes as fast as ours; so what it shows is never more than what it said and the time since it was *asked*. What is taken for
//! the server's time is thus early by no time and late by a round trip at most, and what remains of an entry's life is
//! never taken to be longer than it is.
//!
//! It is asked anew after a while, because a clock may be set. A connection has a clock of its own, because the next may lead to another server.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bb8_redis::redis::Value;
use tokio::time::Instant;

/// For how long an answer is good.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The clock of the server to which a connection leads.
#[derive(Debug, Default)]
pub(crate) struct ServerClock(Mutex<Option<Told>>);

#[derive(Clone, Copy, Debug)]
struct Told {
    asked: Instant,
    time: Duration,
}

impl ServerClock {
    /// What it shows at `now`, or somewhat more.
    pub(crate) fn at(&self, now: Instant) -> Option<Duration> {
        let told = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(told?.asked);
        (since < GOOD_FOR).then(|| told.map(|told| told.time + since)).flatten()
    }

    /// Takes note of the answer to a `TIME` that was sent at `asked` or later.
    pub(crate) fn set(&self, asked: Instant, answer: &Value) -> Option<Duration> {
        let time = time(answer)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Told { asked, time });
        Some(time)
    }
}

/// Seconds and microseconds, as `TIME` tells them.
fn time(answer: &Value) -> Option<Duration> {
    let Value::Array(parts) = answer else { return None };
    let number = |part: &Value| match part {
        Value::BulkString(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    };
    let [seconds, micros] = parts.as_slice() else { return None };
    Some(Duration::from_secs(number(seconds)?) + Duration::from_micros(number(micros)?))
}

#[cfg(test)]
mod tests {
    use cache_core::clock;

    use super::*;

    fn answer(seconds: &str, micros: &str) -> Value {
        Value::Array([seconds, micros].map(|digits| Value::BulkString(digits.into())).into())
    }

    #[test]
    fn a_clock_goes_on_from_what_it_said_and_is_asked_again_after_a_while() {
        let (server, asked) = (ServerClock::default(), clock::now());
        assert_eq!(server.at(asked), None);
        let time = Duration::new(1_764_000_000, 250_000_000);
        assert_eq!(server.set(asked, &answer("1764000000", "250000")), Some(time));
        assert_eq!(server.at(asked + GOOD_FOR / 2), Some(time + GOOD_FOR / 2));
        assert_eq!(server.at(asked + GOOD_FOR), None);
    }

    #[test]
    fn what_is_no_time_is_not_believed() {
        let server = ServerClock::default();
        for wrong in [answer("", "1"), answer("1", "-1"), Value::Nil, Value::Array(Vec::new())] {
            assert_eq!(server.set(clock::now(), &wrong), None);
        }
        assert_eq!(server.at(clock::now()), None);
    }
}
