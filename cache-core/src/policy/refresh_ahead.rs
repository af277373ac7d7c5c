//! When a value that is still fresh is loaded anew, so that nobody finds it expired.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// When a value is loaded anew before its time to live is over. The call that finds it due is answered with it at once;
/// the load goes on behind, once in the fleet. What nobody asks for is not refreshed.
///
/// Written as a number it is [`After`](Self::After); as a text, `"0.8"`, `"xfetch"` or `"xfetch 2"`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum RefreshAhead {
    /// When this part of the time to live is over: above 0 and below 1.
    After(f64),
    /// Earlier by chance, and the earlier the longer a load takes (Vattani, Chierichetti, Lowenstein: *Optimal Probabilistic
    /// Cache Stampede Prevention*, VLDB 2015), so that the fleet's processes don't all come at the same moment.
    ///
    /// The chance is drawn once for each entry in each process, where the paper draws it for each read. So a load's own
    /// duration is always among the time it is early by; beyond that the time is exponential with a mean of `beta`
    /// durations. At most half of the time to live in all.
    XFetch {
        /// Above 0, at most 100; usually 1. Larger is earlier.
        beta: f64,
    },
}

impl RefreshAhead {
    /// How long before its end a time to live of `ttl` is due for a value whose load took `cost`. `dice` is evenly spread over
    /// [0, 1).
    pub(crate) fn lead(self, ttl: Duration, cost: Duration, dice: f64) -> Duration {
        match self {
            Self::After(part) => ttl.mul_f64(1.0 - part),
            Self::XFetch { beta } => {
                let durations = 1.0 - beta * (1.0 - dice).ln();
                cost.min(ttl).mul_f64(durations).min(ttl / 2)
            }
        }
    }

    pub(super) fn check(self) -> Result<Self, String> {
        match self {
            Self::After(part) if part > 0.0 && part < 1.0 => Ok(self),
            Self::After(part) => {
                Err(format!("{part}, but must be a part of the ttl, above 0 and below 1, such as 0.8"))
            }
            Self::XFetch { beta } if beta > 0.0 && beta <= 100.0 => Ok(self),
            Self::XFetch { beta } => {
                Err(format!("xfetch {beta}, but its factor must be above 0 and at most 100; \"xfetch\" alone is 1"))
            }
        }
    }
}

impl fmt::Display for RefreshAhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(part) => write!(f, "{part}"),
            Self::XFetch { beta } => write!(f, "xfetch {beta}"),
        }
    }
}

impl FromStr for RefreshAhead {
    type Err = String;

    /// # Errors
    /// What is wrong with the text, to be put after "is".
    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?}, which says no time; write a part of the ttl such as 0.8, or \"xfetch\"");
        let number = |text: &str| text.trim().parse().map_err(|_| unknown());
        let read = match text.trim().strip_prefix("xfetch") {
            Some("") => Self::XFetch { beta: 1.0 },
            Some(beta) => Self::XFetch { beta: number(beta)? },
            None => Self::After(number(text)?),
        };
        read.check()
    }
}

impl<'de> Deserialize<'de> for RefreshAhead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a part of the ttl such as 0.8, or \"xfetch\"")]
        enum Written {
            Part(f64),
            Text(String),
        }
        let read = match Written::deserialize(deserializer)? {
            Written::Part(part) => Self::After(part).check(),
            Written::Text(text) => text.parse(),
        };
        read.map_err(|fault| de::Error::custom(format!("the value is {fault}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_part_of_the_ttl_is_due_then() {
        let lead = RefreshAhead::After(0.75).lead(MINUTE, Duration::ZERO, 0.5);
        assert_eq!(lead, Duration::from_secs(15));
    }

    #[test]
    fn xfetch_leaves_time_for_the_load_and_never_takes_more_than_half() {
        let xfetch = RefreshAhead::XFetch { beta: 1.0 };
        let cost = Duration::from_secs(2);
        assert_eq!(xfetch.lead(MINUTE, cost, 0.0), cost);
        let median = xfetch.lead(MINUTE, cost, 0.5).as_secs_f64();
        assert!((median - 2.0 * (1.0 + std::f64::consts::LN_2)).abs() < 1e-6, "{median}");
        assert_eq!(xfetch.lead(MINUTE, cost, 1.0 - f64::EPSILON), MINUTE / 2);
        assert_eq!(xfetch.lead(MINUTE, Duration::MAX, 0.5), MINUTE / 2);
    }

    #[test]
    fn it_reads_as_it_is_written() {
        for (text, read) in [
            ("0.8", RefreshAhead::After(0.8)),
            ("xfetch", RefreshAhead::XFetch { beta: 1.0 }),
            (" xfetch 2.5 ", RefreshAhead::XFetch { beta: 2.5 }),
        ] {
            assert_eq!(text.parse(), Ok(read), "{text}");
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        for text in ["", "soon", "xfetch soon", "0", "1", "-0.1", "NaN", "xfetch 0", "xfetch NaN", "xfetch 101"] {
            let fault = text.parse::<RefreshAhead>().unwrap_err();
            assert!(fault.contains("0.8") || fault.contains("at most 100"), "{text}: {fault}");
        }
    }
}
