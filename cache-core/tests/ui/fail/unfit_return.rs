#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached]
async fn borrowed(name: &str) -> &str {
    name
}

#[cached]
async fn borrowed_inside<'a>(name: &'a str) -> Result<Option<&'a str>, ()> {
    Ok(Some(name))
}

#[cached]
async fn nameless() -> impl Clone {
    1
}

fn main() {}
