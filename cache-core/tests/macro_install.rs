//! The stack of functions that name none. It is one per process, hence a test by itself.

#![cfg(feature = "macros")]

use cache_core::{ErrorKind, Source, Stack, cached};

#[cached(tags = ["all"])]
async fn double(id: u32) -> u32 {
    id * 2
}

#[tokio::test]
async fn an_installed_stack_serves_functions_that_name_none() {
    let stack = Stack::builder("shop").build().await.unwrap();
    stack.install().unwrap();
    assert_eq!(double(1).await, 2);
    assert_eq!(double::explain(1).await.source, Source::L1);
    assert_eq!(stack.stats()[0].0, "macro_install::double");

    stack.invalidate_tag("all").await.unwrap();
    assert_eq!(double::explain(1).await.source, Source::Loaded);

    let late = Stack::builder("late").build().await.unwrap();
    assert_eq!(late.install().unwrap_err().kind(), ErrorKind::Config);
}
