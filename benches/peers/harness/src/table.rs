//! The results as a table.

use std::fmt::Write;

use crate::results::{self, Row};

/// A line for each contestant, a column for each measurement: nanoseconds, and how many times as many as ours.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut table = "| | with |".to_owned();
    let mut line = "|---|---|".to_owned();
    for column in results::columns() {
        let _ = write!(table, " {} |", column.title());
        line.push_str("---|");
    }
    let _ = write!(table, "\n{line}");
    for row in rows {
        let _ = write!(table, "\n| {} | {} |", row.name, row.does);
        for hit in &row.hits {
            let _ = write!(table, " {:.0} ns, × {:.2} |", hit.nanos, hit.ratio);
        }
    }
    table
}
