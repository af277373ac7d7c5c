#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::{Error, cached, invalidates};

struct Db;

#[cached]
async fn user(id: u64) -> String {
    String::new()
}

#[invalidates(user(1), user(2), guarded)]
async fn two_entries() -> Result<(), Error> {
    Ok(())
}

#[invalidates(user(1), tags = ["all"], guarded)]
async fn tags() -> Result<(), Error> {
    Ok(())
}

#[invalidates(user(1), guarded, before)]
async fn before() -> Result<(), Error> {
    Ok(())
}

#[invalidates(user(1), guarded)]
async fn borrowing(name: &str, all: Option<&'static str>) -> Result<(), Error> {
    Ok(())
}

impl Db {
    #[invalidates(user(1), guarded)]
    async fn method(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

fn main() {}
