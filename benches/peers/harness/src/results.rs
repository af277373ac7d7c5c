//! What was measured, and how one run hands it to another.

use std::{error::Error, fmt::Write};

use benches::Traffic;

use crate::{contestant::Contestant, traffics};

/// With this traffic and so many threads.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) traffic: Traffic,
    pub(crate) threads: usize,
}

/// A contestant's hits, one for each column.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) does: String,
    pub(crate) hits: Vec<Hit>,
}

/// A hit in one cache.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Hit {
    /// The median of all rounds.
    pub(crate) nanos: f64,
    /// As many times as long as ours in the same round took, the median of all rounds.
    pub(crate) ratio: f64,
}

pub(crate) fn columns() -> Vec<Column> {
    let columns = traffics().into_iter().flat_map(|(name, traffic)| {
        let of = |threads| Column { name, traffic: traffic.clone(), threads };
        [of(1), of(2)]
    });
    columns.collect()
}

impl Column {
    pub(crate) fn title(&self) -> String {
        format!("{}, {}", self.name, if self.threads == 1 { "one thread" } else { "two threads" })
    }

    pub(crate) fn file_name(&self) -> String {
        let name: String = self.name.to_lowercase().chars().filter(|c| *c != ',').collect();
        format!("hits-{}-{}.svg", name.replace(' ', "-"), self.threads)
    }
}

impl Row {
    pub(crate) fn of(contestant: &Contestant) -> Self {
        Self { name: contestant.name.to_owned(), does: contestant.does.to_owned(), hits: Vec::new() }
    }
}

/// A line for each row, its fields separated by tabs.
pub(crate) fn to_text(rows: &[Row]) -> String {
    rows.iter().fold(String::new(), |mut text, Row { name, does, hits }| {
        let _ = write!(text, "{name}\t{does}");
        hits.iter().for_each(|hit| _ = write!(text, "\t{}\t{}", hit.nanos, hit.ratio));
        text.push('\n');
        text
    })
}

pub(crate) fn from_text(text: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    text.lines().map(row).collect()
}

fn row(line: &str) -> Result<Row, Box<dyn Error>> {
    let fields: Vec<_> = line.split('\t').collect();
    let [name, does, numbers @ ..] = fields.as_slice() else { return Err(format!("no row: {line}").into()) };
    let numbers: Vec<f64> = numbers.iter().map(|number| number.parse()).collect::<Result<_, _>>()?;
    let hits = numbers.chunks_exact(2).map(|hit| Hit { nanos: hit[0], ratio: hit[1] }).collect();
    Ok(Row { name: (*name).to_owned(), does: (*does).to_owned(), hits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() {
        let hits = vec![Hit { nanos: 19.25, ratio: 1.0 }, Hit { nanos: 21.5, ratio: 1.125 }];
        let rows = vec![Row { name: "`cached`".to_owned(), does: "TTL, LRU".to_owned(), hits }];
        assert_eq!(from_text(&to_text(&rows)).unwrap(), rows);
        assert!(from_text("nothing").is_err());
    }
}
