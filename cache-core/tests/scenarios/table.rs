//! The list of races in `cache_core::consistency::races` names tests that exist.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every source of this crate and, in its repository, of the backend.
fn sources(folders: &[&str]) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut left: Vec<PathBuf> = folders.iter().map(|folder| here.join(folder)).collect();
    let mut text = String::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn every_race_has_a_row_and_every_test_that_a_row_names_exists() {
    let page = include_str!("../../src/consistency/races.rs");
    let sources = sources(&["src", "tests", "../cache-redis/src", "../cache-redis/tests"]);
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let tests: BTreeSet<_> =
        sources.split("fn ").skip(1).filter_map(|rest| rest.split(|c| !is_of_a_name(c)).next()).collect();
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | ")?.split_once(" | "));
    let rows: Vec<_> = rows.filter_map(|(number, rest)| Some((number.parse::<usize>().ok()?, rest))).collect();
    assert!(rows.iter().map(|(number, _)| *number).eq(1..=58), "one row for each, in order");
    for (number, row) in rows {
        let (_, shown) = row.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        assert!(!shown.is_empty(), "{number}");
        for name in shown.split('`').skip(1).step_by(2) {
            assert!(tests.contains(name), "{number} names `{name}`, which is nowhere");
        }
    }
    // Nor is one forgotten that carries a number.
    for test in tests.iter().filter(|test| test.starts_with("race_")) {
        assert!(page.contains(&format!("`{test}`")), "`{test}` is in no row");
    }
}

/// Two processes whose clocks differ by an hour are as two that agree, and tags carry no time.
#[test]
fn a11_race_20_no_wall_clock_is_read() {
    let sources = sources(&["src", "../cache-redis/src"]);
    for clock in ["SystemTime", "UNIX_EPOCH", "chrono::"] {
        assert!(!sources.contains(clock), "{clock}");
    }
}
