#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(default_on_error = "none")]
async fn another_type(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cached(default_on_error)]
async fn no_value(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cached(default_on_error = Err("none".to_owned()), cache_err)]
async fn errors_are_values(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cached(to_the_end)]
fn in_the_call(id: u64) -> u64 {
    id
}

#[cached(to_the_end = false)]
async fn flag_with_value(id: u64) -> u64 {
    id
}

fn main() {}
