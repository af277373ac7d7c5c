//! Which functions share a cache.

use cache_core::{Error, ErrorKind, Source, Stack, backend::Memory, cached};

use super::stack;

mod here {
    #[super::cached]
    pub(super) async fn place(id: u32) -> String {
        format!("here {id}")
    }
}

mod there {
    #[super::cached]
    pub(super) async fn place(id: u32) -> String {
        format!("there {id}")
    }
}

#[tokio::test]
async fn functions_of_one_name_in_two_modules_are_two_caches() {
    assert_eq!(here::place(1).await, "here 1");
    assert_eq!(there::place(1).await, "there 1");
    assert_eq!(here::place(1).await, "here 1");
}

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

#[cached(cache = "price", version = 1, stack = stack, skip(stack))]
async fn price_in_cents(id: u32, stack: &Stack) -> u32 {
    id * 100
}

#[cached(cache = "price", version = 2, stack = stack, skip(stack))]
async fn price_as_text(id: u32, stack: &Stack) -> String {
    format!("{id}.00")
}

#[tokio::test]
async fn versions_of_a_program_share_a_store_but_not_a_schema() {
    let store = Memory::new();
    let old = Stack::builder("test").l2(store.clone()).build().await.unwrap();
    let new = Stack::builder("test").l2(store).build().await.unwrap();
    assert_eq!(price_in_cents(3, &old).await, 300);
    assert_eq!(price_as_text(3, &new).await, "3.00");
    assert_eq!(price_in_cents(3, &old).await, 300);
}

#[tokio::test]
async fn another_process_is_answered_by_the_shared_store() {
    let store = Memory::new();
    let one = Stack::builder("test").l2(store.clone()).build().await.unwrap();
    let two = Stack::builder("test").l2(store).build().await.unwrap();
    assert_eq!(price_in_cents(3, &one).await, 300);
    assert_eq!(price_in_cents::explain(3, &two).await.source, Source::L2);
}
