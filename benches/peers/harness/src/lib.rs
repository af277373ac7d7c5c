//! What the packages of peers share: this cache as it takes part, rounds in which all take their turn, and what is made of them.

mod bounds;
mod contestant;
mod measure;
mod ours;
mod results;
mod svg;
mod table;

use std::{env, error::Error, fs, path::PathBuf};

use benches::Traffic;
use tokio::runtime::{Builder, Runtime};

pub use self::contestant::{CAPACITY, Clock, Contestant, TTL};
use self::{
    measure::measure,
    results::{Column, Row},
};

/// What a run is asked to do beside measuring.
struct Wishes {
    rounds: usize,
    /// Write what was measured to this file, for another package's run to add, and print nothing.
    into: Option<PathBuf>,
    /// Add what another package's run wrote.
    with: Vec<PathBuf>,
    svg: Option<PathBuf>,
    check: bool,
}

/// Has hits of `peers` and of this cache take turns, as the command line says.
///
/// # Errors
/// The command line is not understood, a file can't be read or written, or a bound is broken that is to be checked.
pub fn run(runtime: &Runtime, peers: Vec<Contestant>) -> Result<(), Box<dyn Error>> {
    let wishes = Wishes::from_arguments(env::args().skip(1))?;
    let mut contestants = runtime.block_on(ours::contestants())?;
    let ours = contestants.len();
    contestants.extend(peers);
    let mut rows: Vec<_> = contestants.iter().map(Row::of).collect();
    for column in results::columns() {
        let Column { traffic, threads, .. } = &column;
        let keys: Vec<_> = traffic.requests().take(traffic.drawn()).map(|key| key as u64).collect();
        let hits = measure(runtime.handle(), &contestants, &keys, *threads, wishes.rounds);
        rows.iter_mut().zip(hits).for_each(|(row, hit)| row.hits.push(hit));
    }
    if let Some(file) = wishes.into {
        fs::write(file, results::to_text(&rows[ours..]))?;
        return Ok(());
    }
    for file in wishes.with {
        rows.extend(results::from_text(&fs::read_to_string(file)?)?);
    }
    report(&rows, wishes.svg, wishes.check)
}

/// A runtime with a worker beside the threads that ask: for what peers do in the background.
///
/// # Errors
/// The operating system gives no thread.
pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

fn report(rows: &[Row], svg: Option<PathBuf>, check: bool) -> Result<(), Box<dyn Error>> {
    println!("{}\n", table::markdown(rows));
    let bounds = bounds::of(rows);
    println!("{}", bounds::markdown(&bounds));
    if let Some(directory) = svg {
        fs::create_dir_all(&directory)?;
        for (place, column) in results::columns().iter().enumerate() {
            // A longer bar would leave no room for the others.
            let drawn = rows.iter().filter(|row| row.hits[place].ratio <= 20.0);
            let bars: Vec<_> = drawn.map(|row| (row.name.replace('`', ""), row.hits[place].ratio)).collect();
            let file = directory.join(column.file_name());
            fs::write(&file, svg::bars(&column.title(), &bars))?;
            println!("drawn: {}", file.display());
        }
    }
    match bounds.iter().find(|bound| check && bound.is_broken()) {
        Some(broken) => Err(format!("a bound that was kept is broken: {}", broken.what).into()),
        None => Ok(()),
    }
}

impl Wishes {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut wishes = Self { rounds: 31, into: None, with: Vec::new(), svg: None, check: false };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} takes a value"));
            match argument.as_str() {
                "--rounds" => wishes.rounds = value()?.parse()?,
                "--into" => wishes.into = Some(value()?.into()),
                "--with" => wishes.with.push(value()?.into()),
                "--svg" => wishes.svg = Some(value()?.into()),
                "--check" => wishes.check = true,
                _ => return Err(format!("what is {argument}?").into()),
            }
        }
        Ok(wishes)
    }
}

/// The traffic that hits are measured with.
fn traffics() -> [(&'static str, Traffic); 3] {
    [("hot", Traffic::hot()), ("Zipf 10,000", Traffic::zipf()), ("Zipf 100,000", Traffic::zipf_over(100_000))]
}
