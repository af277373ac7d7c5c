//! Functions over types, constants and lifetimes.

use std::{fmt::Display, hash::Hash};

use cache_core::{CacheKey, CacheValue, Source, cached};
use serde::{Serialize, de::DeserializeOwned};

#[tokio::test]
async fn over_a_type() {
    #[cached]
    async fn made<T: CacheValue + Default>(id: u32) -> (u32, T) {
        (id, T::default())
    }
    assert_eq!((made::<u8>(7).await, made::<String>(7).await), ((7, 0), (7, String::new())));
    assert_eq!((made::get::<u8>(7).await, made::get::<u16>(7).await), (Some((7, 0)), None));
}

#[tokio::test]
async fn over_the_type_of_an_argument() {
    #[cached]
    async fn same<T: CacheKey + CacheValue>(of: T) -> T {
        of
    }
    assert_eq!((same(7_u8).await, same("a".to_owned()).await), (7, "a".to_owned()));
    assert_eq!((same::get(7_u8).await, same::get(7_u16).await), (Some(7), None));
}

#[tokio::test]
async fn over_constants() {
    #[cached]
    async fn table<const ROWS: usize, const IS_FILLED: bool>(of: u8) -> Vec<u8> {
        vec![if IS_FILLED { of } else { 0 }; ROWS]
    }
    assert_eq!((table::<2, true>(7).await, table::<2, false>(7).await), (vec![7, 7], vec![0, 0]));
    assert_eq!((table::get::<2, true>(7).await, table::get::<3, true>(7).await), (Some(vec![7, 7]), None));
}

#[tokio::test]
async fn over_the_length_of_an_array() {
    #[cached]
    async fn sum<const N: usize>(numbers: &[u32; N]) -> u32
    where
        [u32; N]: Clone + Eq + Hash + Serialize,
    {
        numbers.iter().sum()
    }
    assert_eq!((sum(&[1, 2]).await, sum(&[1, 2, 3]).await, sum::get(&[1, 2]).await), (3, 6, Some(3)));
}

#[tokio::test]
async fn over_lifetimes() {
    #[cached]
    async fn shorter<'a, 'b>(one: &'a str, other: &'b [u8], fixed: &'static str) -> String
    where
        'b: 'a,
    {
        let shortest: &'a [u8] = if one.len() < other.len() { one.as_bytes() } else { other };
        format!("{fixed}{shortest:?}")
    }
    assert_eq!(shorter("a", b"bc", "x").await, "x[97]");
    assert_eq!(shorter::get("a", b"bc", "x").await, Some("x[97]".into()));
}

#[tokio::test]
async fn over_lifetimes_types_and_constants() {
    #[cached(cache = "first")]
    async fn first<'a, T, const N: usize>(of: &'a [T; N], or: &'a T) -> T
    where
        T: CacheKey + CacheValue,
        [T; N]: Clone + Eq + Hash + Serialize,
    {
        of.first().unwrap_or(or).clone()
    }
    assert_eq!((first(&[1, 2], &3).await, first(&[], &"a".to_owned()).await), (1, "a".to_owned()));
    assert_eq!(first::explain(&[1, 2], &3).await.source, Source::L1);
}

#[tokio::test]
async fn with_a_where_clause() {
    #[cached(skip(of))]
    async fn labelled<T>(id: u32, of: T) -> String
    where
        T: Display + Clone + Send + Sync + 'static,
        String: Clone,
    {
        format!("{id}{of}")
    }
    assert_eq!((labelled(7, 'a').await, labelled(7, 'b').await), ("7a".into(), "7a".into()));
    assert_eq!(labelled::get(7, "a").await, None);
}

#[tokio::test]
async fn over_an_associated_type() {
    trait Table {
        type Id: CacheKey;
        type Row: CacheValue + From<Self::Id>;
    }
    struct Users;
    impl Table for Users {
        type Id = u8;
        type Row = u64;
    }
    #[cached]
    async fn row<T: Table + 'static>(id: T::Id) -> Option<T::Row> {
        Some(id.into())
    }
    assert_eq!((row::<Users>(7).await, row::get::<Users>(7).await), (Some(7), Some(Some(7))));
}

#[tokio::test]
async fn with_an_error_of_a_parameter() {
    #[cached]
    async fn parsed<T>(text: &str) -> Result<T, T::Err>
    where
        T: std::str::FromStr<Err: Clone + Send + Sync + 'static> + CacheValue,
    {
        text.parse()
    }
    assert_eq!((parsed::<u8>("7").await, parsed::<u16>("7").await), (Ok(7), Ok(7)));
    assert!(parsed::<u8>("x").await.is_err() && parsed::get::<u8>("x").await.is_none());
}

#[tokio::test]
async fn with_an_impl_trait() {
    #[cached(key = name.as_ref().to_owned())]
    async fn length(name: impl AsRef<str> + Clone + Send + Sync + 'static) -> usize {
        name.as_ref().len()
    }
    assert_eq!((length("nut").await, length::get(String::from("nut")).await), (3, Some(3)));
}

#[tokio::test]
async fn with_a_borrowed_impl_trait() {
    #[cached(key = names.iter().map(|name| name.to_string()).collect::<Vec<_>>())]
    async fn joined(names: &[impl Display + Clone + Send + Sync + 'static]) -> String {
        names.iter().map(ToString::to_string).collect()
    }
    assert_eq!((joined(&[1, 2]).await, joined::get(&["1", "2"]).await), ("12".into(), Some("12".into())));
}

#[tokio::test]
async fn with_a_skipped_impl_trait() {
    #[cached(skip(visit))]
    async fn visited(id: u32, visit: impl Fn(u32) -> u32 + Send + 'static) -> u32 {
        visit(id)
    }
    let two = 2;
    assert_eq!((visited(3, move |id| id * two).await, visited(3, |_| 0).await), (6, 6));
}

#[tokio::test]
async fn that_calls_itself_with_another_instance() {
    #[cached(cache = "depth")]
    async fn depth<T: DeserializeOwned + Serialize + Clone + Send + Sync + 'static>(left: u8) -> u8 {
        if left == 0 { 0 } else { 1 + depth::<u8>(left - 1).await }
    }
    assert_eq!((depth::<u16>(3).await, depth::get::<u8>(2).await, depth::get::<u16>(2).await), (3, Some(2), None));
}
