#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::{Error, cached, invalidates};

#[cached]
async fn user(id: u64) -> String {
    String::new()
}

#[invalidates(user(id), expire, guarded)]
async fn expired_under_a_guard(id: u64) -> Result<(), Error> {
    Ok(())
}

#[invalidates(user(id), expire, hold_off = "2s")]
async fn expired_and_kept_out(id: u64) {}

#[invalidates(user(id), hold_off = "2s", guarded)]
async fn kept_out_under_a_guard(id: u64) -> Result<(), Error> {
    Ok(())
}

#[invalidates(user(id), hold_off = 0)]
async fn no_time(id: u64) {}

#[invalidates(user(id), expire = true)]
async fn flag_with_value(id: u64) {}

#[invalidates(user(id), hold_off = 60 * 2)]
async fn a_number(id: u64) {}

fn main() {}
