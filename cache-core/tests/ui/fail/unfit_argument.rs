#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;
use std::borrow::Cow;

#[cached]
async fn generic(name: impl Into<String>, bytes: &impl AsRef<[u8]>) {}

#[cached]
async fn mutable(rows: &mut Vec<u8>) {}

#[cached]
async fn pointer(row: *const u8) {}

#[cached]
async fn borrowed_inside(name: Option<&str>, title: Cow<'_, str>) {}

#[cached]
async fn object(call: &(dyn Fn() + Send + Sync)) {}

fn main() {}
