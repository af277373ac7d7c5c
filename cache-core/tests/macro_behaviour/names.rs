//! Which functions share a cache.

use cache_core::{Error, ErrorKind, Source, Stack, backend::Memory, cached};

use super::stack;

async fn local_one() -> u32 {
    #[cached]
    async fn local() -> u32 {
        1
    }
    local().await
}

async fn local_two() -> u32 {
    #[cached]
    async fn local() -> u32 {
        2
    }
    local().await
}

#[tokio::test]
async fn functions_of_one_name_in_two_functions_are_two_caches() {
    assert_eq!((local_one().await, local_two().await, local_one().await), (1, 2, 1));
}

#[tokio::test]
async fn functions_that_nothing_tells_apart_share_no_entries() {
    let one = {
        #[cached]
        async fn twin() -> Result<u32, Error> {
            Ok(1)
        }
        twin().await
    };
    let two = {
        #[cached]
        async fn twin() -> Result<u32, Error> {
            Ok(2)
        }
        twin().await
    };
    assert_eq!(one.unwrap(), 1);
    assert_eq!(two.unwrap_err().kind(), ErrorKind::Config);
}

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
