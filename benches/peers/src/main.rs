//! `peers [--rounds n] [--svg directory]`: a hit in other caches and in this one, as their users would write them, side by side
//! in one run: hot keys and Zipf traffic, one thread and two. Prints a table in Markdown; draws it with `--svg`.

mod contestants;
mod measure;
mod svg;
mod table;

use std::{env, error::Error, fs, path::PathBuf};

use benches::Traffic;

use crate::{
    contestants::contestants,
    measure::{Measured, measure},
};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut rounds, mut drawn) = (31, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or("usage: peers [--rounds n] [--svg directory]")?;
        match argument.as_str() {
            "--rounds" => rounds = value.parse()?,
            "--svg" => drawn = Some(PathBuf::from(value)),
            _ => return Err(format!("what is {argument}?").into()),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let contestants = runtime.block_on(contestants())?;
    let traffics =
        [("hot", Traffic::hot()), ("Zipf 10,000", Traffic::zipf()), ("Zipf 100,000", Traffic::zipf_over(100_000))];
    let mut all = Vec::new();
    for (name, traffic) in &traffics {
        let keys: Vec<_> = traffic.requests().take(traffic.drawn()).map(|key| key as u64).collect();
        for threads in [1, 2] {
            let measured = measure(runtime.handle(), &contestants, &keys, threads, rounds);
            all.push(Measured { traffic: name, threads, hits: measured });
        }
    }
    println!("{}", table::markdown(&contestants, &all));
    if let Some(directory) = drawn {
        fs::create_dir_all(&directory)?;
        for measured in &all {
            let file = directory.join(measured.file_name());
            fs::write(&file, svg::bars(&measured.title(), &measured.bars(&contestants)))?;
            println!("drawn: {}", file.display());
        }
    }
    Ok(())
}
