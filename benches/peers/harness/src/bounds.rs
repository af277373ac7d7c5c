//! What a hit may take at most beside the peers.

use std::fmt::Write;

use crate::{
    ours::{OURS, OURS_OF_NUMBERS},
    results::Row,
};

/// A figure, and what it is held against.
pub(crate) struct Bound {
    pub(crate) what: &'static str,
    measured: f64,
    limit: Limit,
    /// Whether it was kept on the machine that the README's figures are from: then it is to stay so.
    was_kept: bool,
}

#[derive(Clone, Copy)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// Of the columns.
const HOT: [usize; 2] = [0, 1];
const ZIPF: usize = 2;

/// Those of which all rows are there.
pub(crate) fn of(rows: &[Row]) -> Vec<Bound> {
    let row = |name: &str| rows.iter().find(|row| row.name == name);
    // As a part of the other's time.
    let ours_to = |name: &str, column: usize| Some(row(OURS)?.hits[column].ratio / row(name)?.hits[column].ratio);
    let twice = |name: &str| row(name).map(|row| 2.0 * row.hits[HOT[0]].nanos / row.hits[HOT[1]].nanos);
    let cached = "`cached` `#[concurrent_cached]`";
    let all = [
        ("hot keys, to `cached`", ours_to(cached, HOT[0]), Limit::AtMost(0.45), true),
        ("hot keys, to quick_cache", ours_to("quick_cache `get_or_insert_async`", HOT[0]), Limit::AtMost(1.0), true),
        ("Zipf over 10,000, to `cached`", ours_to(cached, ZIPF), Limit::AtMost(0.6), false),
        ("two threads' hits of numbers, to one's", twice(OURS_OF_NUMBERS), Limit::AtLeast(1.8), false),
    ];
    all.into_iter()
        .filter_map(|(what, measured, limit, was_kept)| Some(Bound { what, measured: measured?, limit, was_kept }))
        .collect()
}

impl Bound {
    fn is_kept(&self) -> bool {
        match self.limit {
            Limit::AtMost(limit) => self.measured <= limit,
            Limit::AtLeast(limit) => self.measured >= limit,
        }
    }

    /// Whether it was kept, and is no more.
    pub(crate) fn is_broken(&self) -> bool {
        self.was_kept && !self.is_kept()
    }
}

pub(crate) fn markdown(bounds: &[Bound]) -> String {
    bounds.iter().fold("| ours | measured | bound | |\n|---|---|---|---|".to_owned(), |mut table, bound| {
        let limit = match bound.limit {
            Limit::AtMost(limit) => format!("at most {limit}"),
            Limit::AtLeast(limit) => format!("at least {limit}"),
        };
        let verdict = if bound.is_kept() { "kept" } else { "not kept" };
        let _ = write!(table, "\n| {} | {:.2} | {limit} | {verdict} |", bound.what, bound.measured);
        table
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Hit;

    fn row(name: &str, nanos: [f64; 3]) -> Row {
        let hits = nanos.into_iter().map(|nanos| Hit { nanos, ratio: nanos / 10.0 }).collect();
        Row { name: name.to_owned(), does: String::new(), hits }
    }

    #[test]
    fn a_bound_that_was_kept_is_broken_and_one_that_was_not_is_only_told() {
        let ours = [row(OURS, [10.0, 10.0, 90.0]), row(OURS_OF_NUMBERS, [10.0, 12.0, 50.0])];
        let bounds =
            of(&[ours, [row("`cached` `#[concurrent_cached]`", [20.0, 20.0, 100.0]), row("foyer", [1.0; 3])]].concat());
        let broken: Vec<_> = bounds.iter().filter(|bound| bound.is_broken()).map(|bound| bound.what).collect();
        assert_eq!(broken, ["hot keys, to `cached`"]);
        assert!(markdown(&bounds).contains("| Zipf over 10,000, to `cached` | 0.90 | at most 0.6 | not kept |"));
        assert_eq!(bounds.len(), 3, "quick_cache did not take part");
    }
}
