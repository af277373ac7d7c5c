#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached]
async fn of_another_type(id: u64) -> String {
    id + 1
}

#[cached]
async fn of_an_unknown_name(id: u64) -> u64 {
    id + offset
}

#[cached]
async fn question_mark(id: &str) -> u64 {
    id.parse::<u64>()?
}

fn main() {
    // What is called is known all the same.
    let _: u64 = of_an_unknown_name(7);
}
