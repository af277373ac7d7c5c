//! A time to live that follows how often a value changes.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::duration;

/// The bounds of a time to live that adapts itself to each entry: half as long again whenever a reload brings the same
/// content, half as long whenever it brings another. It starts from the policy's `ttl`.
///
/// Written as a text: `"10s..1h"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Adaptive {
    /// At least 1 ms.
    pub shortest: Duration,
    /// At most 100 years.
    pub longest: Duration,
}

impl Adaptive {
    /// The next time to live of an entry that had `ttl`.
    pub(crate) fn next(self, ttl: Duration, is_same: bool) -> Duration {
        let next = if is_same { ttl.min(self.longest).mul_f64(1.5) } else { ttl / 2 };
        next.clamp(self.shortest, self.longest)
    }

    pub(super) fn check(self) -> Result<Self, String> {
        duration::check(self.shortest)?;
        duration::check(self.longest)?;
        if self.shortest < self.longest {
            return Ok(self);
        }
        Err(format!("{self}, but its first bound must be the shorter one"))
    }
}

impl fmt::Display for Adaptive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", duration::show(self.shortest), duration::show(self.longest))
    }
}

impl FromStr for Adaptive {
    type Err = String;

    /// # Errors
    /// What is wrong with the text, to be put after "is".
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((shortest, longest)) = text.split_once("..") else {
            return Err(format!("{text:?}, which has no two bounds; write them as \"10s..1h\""));
        };
        Self { shortest: duration::parse(shortest)?, longest: duration::parse(longest)? }.check()
    }
}

impl<'de> Deserialize<'de> for Adaptive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|fault| de::Error::custom(format!("the value is {fault}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_by_half_and_halves_within_its_bounds() {
        let adaptive: Adaptive = "10s..1m".parse().unwrap();
        let next = |seconds, is_same| adaptive.next(Duration::from_secs(seconds), is_same).as_secs();
        assert_eq!((next(20, true), next(50, true), next(60, true)), (30, 60, 60));
        assert_eq!((next(40, false), next(12, false)), (20, 10));
        assert_eq!(adaptive.next(Duration::MAX, true).as_secs(), 60);
    }

    #[test]
    fn it_reads_as_it_is_written_and_a_fault_names_the_way_out() {
        let adaptive: Adaptive = " 10 .. 1h30m".parse().unwrap();
        assert_eq!(adaptive.to_string(), "10s..1h 30m");
        assert_eq!(adaptive.to_string().parse(), Ok(adaptive));
        for (text, complaint) in
            [("10s", "10s..1h"), ("1h..10s", "shorter"), ("5s..5s", "shorter"), ("x..1h", "write seconds")]
        {
            let fault = text.parse::<Adaptive>().unwrap_err();
            assert!(fault.contains(complaint), "{text}: {fault}");
        }
    }
}
