//! What the compiler says about a wrong `#[cached]`, and that it says nothing about a right one.
//!
//! The `.stderr` files are read by users before anyone else: review them as text. `TRYBUILD=overwrite` renews them.

#![cfg(feature = "macros")]

#[test]
fn mistakes_are_explained() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
