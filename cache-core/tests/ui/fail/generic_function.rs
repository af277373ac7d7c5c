#![allow(unused)]

use cache_core::cached;

#[cached]
async fn user<'a, T: Clone, const N: usize>(name: &'a str, id: T, bytes: [u8; N]) -> u64 {
    0
}

fn main() {}
