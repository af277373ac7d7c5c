//! Functions that are not asynchronous.

use std::{cell::Cell, rc::Rc};

use cache_core::{Source, cached};

#[test]
fn without_a_runtime() {
    #[cached]
    fn squared(id: u32) -> u32 {
        id * id
    }
    assert_eq!((squared(7), squared::explain(7).source), (49, Source::L1));
}

#[test]
fn that_borrows() {
    #[cached]
    fn longest<'t>(one: &'t str, other: &'t str) -> String {
        if one.len() > other.len() { one.into() } else { other.into() }
    }
    assert_eq!((longest("a", "bc"), longest::get("a", "bc")), ("bc".into(), Some("bc".into())));
}

#[test]
fn that_may_fail() {
    #[cached]
    fn parsed(text: &str) -> Result<u32, std::num::ParseIntError> {
        text.parse()
    }
    assert_eq!((parsed("7"), parsed::get("7")), (Ok(7), Some(7)));
    assert!(parsed("x").is_err() && parsed::get("x").is_none());
}

#[test]
fn with_arguments_that_can_be_sent_nowhere() {
    #[cached(skip(count))]
    fn counted(id: u32, count: Rc<Cell<u32>>) -> u32 {
        count.set(count.get() + 1);
        id
    }
    let count = Rc::<Cell<u32>>::default();
    assert_eq!((counted(7, Rc::clone(&count)), counted(7, Rc::clone(&count)), count.get()), (7, 7, 1));
}

#[test]
fn with_a_closure_that_borrows() {
    #[cached(skip(load))]
    fn loaded(id: u32, load: &dyn Fn(u32) -> u32) -> u32 {
        load(id)
    }
    let factor = 3;
    assert_eq!((loaded(7, &|id| id * factor), loaded(7, &|_| unreachable!("it is cached"))), (21, 21));
}

#[test]
fn generic_ones() {
    #[cached(cache = "parsed")]
    fn parsed<T: cache_core::CacheValue + std::str::FromStr + Default>(text: &str) -> T {
        text.parse().unwrap_or_default()
    }
    assert_eq!((parsed::<u8>("7"), parsed::<u64>("7"), parsed::<u8>("x")), (7, 7, 0));
    assert_eq!((parsed::get::<u8>("7"), parsed::get::<i8>("7")), (Some(7), None));
}

#[test]
fn that_call_themselves() {
    #[cached]
    fn ackermann(m: u64, n: u64) -> u64 {
        match (m, n) {
            (0, n) => n + 1,
            (m, 0) => ackermann(m - 1, 1),
            (m, n) => ackermann(m - 1, ackermann(m, n - 1)),
        }
    }
    assert_eq!((ackermann(2, 3), ackermann::get(2, 2)), (9, Some(7)));
}
