//! Which tiers a cache uses.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Which of its stack's tiers a cache uses. Written `"both"`, `"l1"`, `"l2"`.
///
/// Invalidations don't ask: they reach every tier and every process in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tiers {
    /// L1, and L2 if the stack has one.
    #[default]
    Both,
    /// The memory of this process: for values that are cheaper to make than to fetch, or can't be encoded. Each process loads
    /// for itself, an insert is seen here alone, and nobody's guard is asked for before something is stored: a process that dies
    /// in the middle of a guarded write leaves what others loaded meanwhile to its time to live.
    L1,
    /// The shared store: for values that are large, or rarely asked for twice by one process. In a stack without L2 nothing is
    /// cached.
    L2,
}

impl Tiers {
    pub(crate) fn has_l1(self) -> bool {
        self != Self::L2
    }

    pub(crate) fn has_l2(self) -> bool {
        self != Self::L1
    }
}

impl fmt::Display for Tiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Both => "both",
            Self::L1 => "l1",
            Self::L2 => "l2",
        })
    }
}

impl FromStr for Tiers {
    type Err = String;

    /// # Errors
    /// What is wrong with the text, to be put after "is".
    fn from_str(text: &str) -> Result<Self, String> {
        let found = [Self::Both, Self::L1, Self::L2].into_iter().find(|tiers| tiers.to_string() == text.trim());
        found.ok_or_else(|| format!("{text:?}, which names no tiers; write both, l1 or l2"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_as_they_are_written() {
        for tiers in [Tiers::Both, Tiers::L1, Tiers::L2] {
            assert_eq!(tiers.to_string().parse(), Ok(tiers));
            assert_eq!(serde_json::to_string(&tiers).unwrap(), format!("\"{tiers}\""));
        }
        assert!("l3".parse::<Tiers>().unwrap_err().contains("both, l1 or l2"));
    }
}
