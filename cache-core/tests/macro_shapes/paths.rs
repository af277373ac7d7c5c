//! Where `cache_core` and the attribute are found, and functions that macros make.

use cache_core::{Source, Stack, cached};

mod framework {
    pub(super) use cache_core as cache;
}

#[tokio::test]
async fn a_renamed_crate() {
    #[framework::cache::cached(crate = framework::cache)]
    async fn renamed(id: u8) -> u8 {
        id
    }
    #[framework::cache::invalidates(renamed(id), crate = framework::cache)]
    async fn change(id: u8) {}
    assert_eq!((renamed(7).await, renamed::get(7).await), (7, Some(7)));
    change(7).await;
    assert_eq!(renamed::get(7).await, None);
}

#[tokio::test]
async fn the_whole_path() {
    #[::cache_core::cached(crate = ::cache_core)]
    async fn absolute(id: u8) -> u8 {
        id
    }
    assert_eq!((absolute(7).await, absolute::get(7).await), (7, Some(7)));
}

#[tokio::test]
async fn a_renamed_crate_with_a_method_of_a_trait() {
    trait Named {
        async fn name(&self) -> String;
    }
    #[derive(Clone)]
    struct Shop;
    #[framework::cache::cached]
    impl Named for Shop {
        #[framework::cache::cached(crate = framework::cache, skip(self))]
        async fn name(&self) -> String {
            "shop".into()
        }
    }
    assert_eq!((Named::name(&Shop).await, Shop.name_get().await), ("shop".into(), Some("shop".into())));
}

/// Nothing of the prelude and no crate has its usual meaning here.
mod hostile {
    #![allow(non_camel_case_types, dead_code, reason = "they are there to be in the way")]

    struct Option;
    struct Some;
    struct String;
    struct Vec;
    struct Result;
    struct Box;
    struct Send;
    mod std {}
    mod core {}

    #[::cache_core::cached(tags = ["{id}"], when = id > 0)]
    pub(super) async fn shadowed(id: u8, _word: &str) -> u8 {
        id
    }
}

#[tokio::test]
async fn in_a_module_that_shadows_the_prelude() {
    assert_eq!((hostile::shadowed(7, "a").await, hostile::shadowed::get(7, "a").await), (7, Some(7)));
}

macro_rules! cached_getter {
    ($name:ident, $argument:ident: $ty:ty, $tag:literal, $body:expr) => {
        #[cached(tags = [$tag], stack = stack, skip(stack))]
        async fn $name($argument: $ty, stack: &Stack) -> u64 {
            u64::from($argument) + $body
        }
    };
}

cached_getter!(generated, id: u32, "row:{id}", 1);

#[tokio::test]
async fn made_by_a_macro() {
    let stack = super::stack().await;
    assert_eq!(generated(1, &stack).await, 2);
    stack.invalidate_tag("row:1").await.unwrap();
    assert_eq!(generated::explain(1, &stack).await.source, Source::Loaded);
}

macro_rules! with_ttl {
    ($ttl:expr, $key:expr, $(#[$attribute:meta])* fn $name:ident($id:ident)) => {
        #[cached(ttl = $ttl, key = $key)]
        $(#[$attribute])*
        async fn $name($id: u32) -> u32 {
            $id
        }
    };
}

with_ttl!(std::time::Duration::from_secs(60), id % 10, #[must_use] fn kept(id));

#[tokio::test]
async fn with_options_of_a_macro() {
    assert_eq!((kept(7).await, kept::get(17).await), (7, Some(7)));
}
