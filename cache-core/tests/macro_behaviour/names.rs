//! Which functions share a cache.

use cache_core::{Source, Stack, backend::Memory, cached};

use super::stack;

#[cached(stack = stack, skip(stack))]
async fn listed(stack: &Stack) -> u8 {
    7
}

#[tokio::test]
async fn a_cache_is_named_after_the_path_of_its_function() {
    let stack = stack().await;
    assert_eq!(listed(&stack).await, 7);
    assert_eq!(stack.stats()[0].0, "macro_behaviour::names::listed");
}

#[cached(cache = "answer", stack = stack, skip(stack))]
async fn answer(to: u32, stack: &Stack) -> u32 {
    to * 6
}

#[tokio::test]
async fn another_process_is_answered_by_the_shared_store() {
    let store = Memory::new();
    let one = Stack::builder("test").l2(store.clone()).build().await.unwrap();
    let two = Stack::builder("test").l2(store).build().await.unwrap();
    assert_eq!(answer(7, &one).await, 42);
    assert_eq!(answer::explain(7, &two).await.source, Source::L2);
}
