//! The results as a table.

use std::fmt::Write;

use crate::{contestants::Contestant, measure::Measured};

/// A line for each contestant, a column for each measurement: nanoseconds, and how many times as many as ours.
pub(crate) fn markdown(contestants: &[Contestant], all: &[Measured]) -> String {
    let mut table = "| | with |".to_owned();
    let mut line = "|---|---|".to_owned();
    for measured in all {
        let _ = write!(table, " {} |", measured.title());
        line.push_str("---|");
    }
    let _ = write!(table, "\n{line}");
    for (place, contestant) in contestants.iter().enumerate() {
        let _ = write!(table, "\n| {} | {} |", contestant.name, contestant.does);
        for measured in all {
            let hit = measured.hits[place];
            let _ = write!(table, " {:.0} ns, × {:.2} |", hit.nanos, hit.ratio);
        }
    }
    table
}
