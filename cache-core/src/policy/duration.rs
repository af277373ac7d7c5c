//! Durations as people write them: `300`, `0.25`, `"250ms"`, `"1h30m"`, `"1w"`.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// The shortest that a shared store can keep.
pub(super) const MIN: Duration = Duration::from_millis(1);

/// Far beyond any use, and far from any overflow: 100 years of 365.25 days.
pub(super) const MAX: Duration = Duration::from_secs(100 * 31_557_600);

/// Shows it as people write it.
pub(super) fn show(duration: Duration) -> impl fmt::Display {
    humantime::format_duration(duration)
}

/// Says what is wrong with a duration that is out of bounds.
pub(super) fn check(duration: Duration) -> Result<Duration, String> {
    if (MIN..=MAX).contains(&duration) {
        return Ok(duration);
    }
    let way_out = if duration.is_zero() { "; to switch a cache off, set enabled = false" } else { "" };
    Err(format!("{}, but must be from {} to {}{way_out}", show(duration), show(MIN), show(MAX)))
}

/// Reads seconds, or numbers with units.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    match text.parse() {
        Ok(seconds) => from_seconds(seconds),
        Err(_) => humantime::parse_duration(text)
            .map_err(|error| format!("{text:?}, which is no duration ({error}); {WRITE}"))
            .and_then(check),
    }
}

fn from_seconds(seconds: f64) -> Result<Duration, String> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) => check(duration),
        Err(_) if seconds.is_nan() => Err(format!("not a number; {WRITE}")),
        Err(_) if seconds.is_sign_negative() => Err(format!("{seconds} seconds, which is negative; {WRITE}")),
        Err(_) => Err(format!("{seconds} seconds, but must be at most {}", show(MAX))),
    }
}

const WRITE: &str = "write seconds, such as 300 or 0.25, or a text such as \"250ms\" or \"1h30m\"";

/// For `#[serde(deserialize_with)]`: a duration within bounds, or none.
///
/// The bounds are checked here too, because here the reader of the text knows line and column.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let written = Option::<Written>::deserialize(deserializer)?;
    Ok(written.map(|Written(duration)| duration))
}

struct Written(Duration);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration: seconds, or a text such as \"250ms\" or \"1h30m\"")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Written, E> {
        written(check(Duration::from_secs(seconds)))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Written, E> {
        match u64::try_from(seconds) {
            Ok(seconds) => self.visit_u64(seconds),
            Err(_) => written(Err(format!("{seconds} seconds, which is negative; {WRITE}"))),
        }
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Written, E> {
        written(from_seconds(seconds))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Written, E> {
        written(parse(text))
    }
}

fn written<E: de::Error>(outcome: Result<Duration, String>) -> Result<Written, E> {
    outcome.map(Written).map_err(|fault| E::custom(format!("the value is {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_units_are_understood() {
        let cases = [
            ("300", 300_000),
            ("0.25", 250),
            ("1e2", 100_000),
            (" 250ms ", 250),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1w", 604_800_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert!(parse("30years").is_ok());
    }

    #[test]
    fn nonsense_is_said_to_be_nonsense() {
        let cases = [
            ("", "no duration"),
            ("soon", "no duration"),
            ("5 parsecs", "no duration"),
            ("NaN", "not a number"),
            ("inf", "at most 100years"),
            ("1e30", "at most 100years"),
            ("101years", "from 1ms to 100years"),
            ("99999999999999999999999w", "no duration"),
            ("-5", "negative"),
            ("0", "enabled = false"),
            ("0.0001", "from 1ms"),
            ("999us", "from 1ms"),
        ];
        for (text, complaint) in cases {
            let message = parse(text).unwrap_err();
            assert!(message.contains(complaint), "{text:?}: {message}");
        }
    }

    #[test]
    fn numbers_of_every_type_are_checked() {
        let read = |json: &str| serde_json::from_str::<Written>(json).map(|Written(duration)| duration);
        assert_eq!(read("300").unwrap(), Duration::from_secs(300));
        assert_eq!(read("0.1").unwrap(), Duration::from_millis(100));
        assert_eq!(read("\"1m\"").unwrap(), Duration::from_secs(60));
        for (json, complaint) in [
            ("-1", "negative"),
            ("-0.5", "negative"),
            ("18446744073709551615", "100years"),
            ("1e300", "100years"),
            ("0", "1ms"),
            ("true", "a duration"),
            ("[]", "a duration"),
        ] {
            let message = read(json).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.contains(complaint), "{json}: {message}");
        }
    }
}
