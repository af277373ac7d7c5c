#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(ttl)]
async fn no_value(id: u64) -> u64 {
    id
}

#[cached(ttl = )]
async fn empty_value(id: u64) -> u64 {
    id
}

#[cached(ttl = 5 version = 2)]
async fn no_comma(id: u64) -> u64 {
    id
}

#[cached(skip = id)]
async fn skip_as_value(id: u64) -> u64 {
    id
}

#[cached(tags = "all")]
async fn lone_tag(id: u64) -> u64 {
    id
}

#[cached(version = "2")]
async fn version_as_text(id: u64) -> u64 {
    id
}

fn main() {}
