//! `hit_ratio [capacity] [requests]`: how often L1 hits, beside moka alone at the same capacity.

use std::env;

use benches::{Workload, ratios};

#[expect(clippy::print_stdout, reason = "its output is a table")]
fn main() {
    let mut numbers = env::args().skip(1).map(|argument| argument.parse::<u64>().expect("a number"));
    let capacity = numbers.next().unwrap_or(10_000);
    let requests = numbers.next().unwrap_or(1_000_000);
    println!("{:<18} {:>8} {:>8} {:>8}", "hits in a hundred", "moka", "ours", "more");
    for workload in Workload::ALL {
        let of = ratios(workload, capacity, usize::try_from(requests).expect("so many can be counted"));
        println!("{:<18} {:>8.2} {:>8.2} {:>+8.2}", format!("{workload:?}"), of.moka, of.ours, of.ours - of.moka);
    }
}
