#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(when = id > 0, unless = id == 7)]
async fn two_conditions(id: u64) -> u64 {
    id
}

#[cached(when = id)]
async fn not_a_condition(id: u64) -> u64 {
    id
}

#[cached(cache_if = |value| *value > id)]
async fn of_an_argument(id: u64) -> u64 {
    id
}

#[cached(cache_if = |value| value.is_some())]
async fn not_an_option(id: u64) -> u64 {
    id
}

#[cached(cache_none = maybe)]
async fn not_a_literal(id: u64) -> Option<u64> {
    Some(id)
}

#[cached(validated = true)]
async fn flag_with_value(id: u64) -> u64 {
    id
}

fn main() {}
