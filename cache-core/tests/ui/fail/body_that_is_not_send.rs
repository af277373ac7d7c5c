#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;
use std::rc::Rc;

#[cached]
async fn user(id: u64) -> u64 {
    let shared = Rc::new(id);
    std::future::ready(()).await;
    *shared
}

fn main() {}
