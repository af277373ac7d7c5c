#![allow(unused, reason = "only what the attribute says matters")]

use std::collections::{BTreeMap, HashMap};

use cache_core::cached;

type Users = Vec<(u64, String)>;

/// Has no `Clone`.
struct User;

#[cached(batch)]
async fn an_alias_of_something_else(ids: Vec<u64>) -> Users {
    Vec::new()
}

#[cached(batch)]
async fn another_map(ids: Vec<u64>) -> BTreeMap<u64, String> {
    BTreeMap::new()
}

#[cached(batch)]
async fn no_value(ids: Vec<u64>) -> HashMap<u64, User> {
    HashMap::new()
}

#[cached(batch)]
async fn no_key(ratios: Vec<f64>) -> HashMap<f64, String> {
    HashMap::new()
}

#[cached(batch)]
async fn an_error_without_a_place_for_the_caches(ids: Vec<u64>) -> Result<HashMap<u64, String>, String> {
    Ok(HashMap::new())
}

#[cached(batch)]
async fn other_keys(ids: Vec<u64>) -> HashMap<String, String> {
    HashMap::new()
}

fn main() {}
