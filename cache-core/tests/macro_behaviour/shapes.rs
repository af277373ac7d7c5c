//! Functions of every shape that is accepted.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use cache_core::{Answer, Source, Stack, cached};
use serde::{Deserialize, Serialize};

use super::{Runs, stack};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row<T>(T);

/// Documented, and more.
#[cached]
#[must_use]
#[doc(alias = "fetch")]
#[allow(clippy::too_many_arguments, reason = "to see that it covers all that is generated")]
pub(crate) async fn many(a: u8, b: u16, c: u32, d: u64, e: i8, f: i16, g: i32, h: i64) -> Row<Vec<i128>> {
    Row(vec![a.into(), b.into(), c.into(), d.into(), e.into(), f.into(), g.into(), h.into()])
}

#[cached]
#[cfg(any())]
async fn many(does: Not, exist: Here) -> Anywhere {}

#[cached]
async fn with_lifetimes<'a, 'b>(one: &'a str, other: &'b [u8], fixed: &'static str) -> String
where
    'b: 'a,
    String: Clone,
{
    let shortest: &'a [u8] = if one.len() < other.len() { one.as_bytes() } else { other };
    format!("{fixed}{shortest:?}")
}

#[cached]
async fn nested(map: BTreeMap<String, Option<Vec<(u8, char)>>>, [x, y]: [i32; 2], cow: Cow<'static, str>) -> usize {
    map.len() + cow.len() + usize::try_from(x + y).unwrap_or(0)
}

#[cached]
async fn r#type(r#fn: u8) -> u8 {
    r#fn
}

#[cached(skip(call))]
async fn with_a_function(id: u32, call: fn(&str) -> usize) -> usize {
    call(&id.to_string())
}

#[cached(skip(call), cache = "called", version = 3, policy = "calls", ttl = "1m", crate = ::cache_core)]
async fn with_all_options(id: u32, call: Arc<dyn Fn(&u32) -> u32 + Send + Sync>) -> u32 {
    call(&id)
}

#[tokio::test]
async fn all_of_them_are_cached() {
    for _ in 0..2 {
        assert_eq!(many(1, 2, 3, 4, 5, 6, 7, 8).await, Row(vec![1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(with_lifetimes("a", b"bc", "x").await, "x[97]");
        assert_eq!(nested(BTreeMap::new(), [1, 2], "abc".into()).await, 6);
        assert_eq!(r#type(7).await, 7);
        assert_eq!(with_a_function(1234, str::len).await, 4);
        assert_eq!(with_all_options(1, Arc::new(|id| id + 1)).await, 2);
    }
    let Answer { source, .. } = many::explain(1, 2, 3, 4, 5, 6, 7, 8).await;
    assert_eq!(source, Source::L1);
    r#type::invalidate(7).await.unwrap();
}

/// What a body hands on with `?`, returns early and declares inside stays its own.
#[cached(skip(runs))]
async fn early(text: &str, runs: &Runs) -> Result<u32, std::num::ParseIntError> {
    const BASE: u32 = 10;
    fn parsed(text: &str) -> Result<u32, std::num::ParseIntError> {
        u32::from_str_radix(text, BASE)
    }
    runs.add();
    if text.is_empty() {
        return Ok(0);
    }
    Ok(parsed(text)? + 1)
}

#[tokio::test]
async fn bodies_are_left_as_they_are() {
    let runs = Runs::default();
    assert_eq!(early("41", &runs).await, Ok(42));
    assert_eq!(early("", &runs).await, Ok(0));
    assert!(early("x", &runs).await.is_err());
    assert_eq!(early("41", &runs).await, Ok(42));
    assert_eq!(runs.count(), 3);
}

mod elsewhere {
    pub(super) use cache_core as renamed;
}

#[cached(crate = elsewhere::renamed)]
async fn through_another_path(id: u8) -> u8 {
    id
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
async fn macros_and_other_paths_may_be_used() {
    assert_eq!(through_another_path(1).await, 1);
    let stack = stack().await;
    assert_eq!(generated(1, &stack).await, 2);
    stack.invalidate_tag("row:1").await.unwrap();
    assert_eq!(generated::explain(1, &stack).await.source, Source::Loaded);
}

#[tokio::test]
async fn futures_can_be_spawned() {
    #[cached]
    async fn shout(word: String, times: &[u8]) -> String {
        word.repeat(times.len())
    }

    let call = tokio::spawn(async { shout("hey".into(), &[1, 2]).await });
    assert_eq!(call.await.unwrap(), "heyhey");
}

/// Functions and arguments may have the names that generated code uses.
mod named_like_generated_code {
    use cache_core::cached;

    #[cached]
    pub(super) async fn get(
        value: u32,
        items: &str,
        commit: String,
        stack: u16,
        key: i8,
        entry: bool,
        load: (),
    ) -> u32 {
        let () = load;
        value + u32::from(stack) + u32::from(entry) + u32::from(items == commit) + u32::from(key == 0)
    }

    #[cached(stack = __stack, skip(__stack), unless = __bypassed, tags = [tags])]
    pub(super) async fn warm(__bypassed: bool, __key: u8, tags: &str, __stack: &cache_core::Stack) -> u8 {
        __key
    }

    #[cached]
    pub(super) async fn key<'long: 'short, 'short>(one: &'long str, other: &'short str) -> usize {
        one.len() + other.len()
    }
}

#[tokio::test]
async fn names_do_not_meet() {
    use named_like_generated_code::{get, key, warm};
    assert_eq!(get(1, "a", "b".into(), 2, 3, true, ()).await, 4);
    get::insert(1, "a", "c".into(), 2, 3, true, (), 70).await.unwrap();
    assert_eq!(get::get(1, "a", "c".into(), 2, 3, true, ()).await, Some(70));
    assert_eq!(get::warm([(1, "a", "d".to_owned(), 2, 3, true, ())]).await.unwrap().warmed, 1);
    let stack = stack().await;
    assert_eq!(warm(false, 7, "all", &stack).await, 7);
    assert_eq!(warm::warm([(false, 8, "all", stack.clone())]).await.unwrap().warmed, 1);
    assert_eq!((warm::stats(&stack).loads, warm::cache(&stack).unwrap().stats().loads), (2, 2));
    assert_eq!(key::key("a", "bc"), ("a".to_owned(), "bc".to_owned()));
    assert_eq!(key("a", "bc").await, 3);
}

/// As many arguments as a key has parts, of all kinds.
#[cached]
#[allow(clippy::too_many_arguments, reason = "to have as many as there can be")]
async fn twelve(
    a: u8,
    b: &u16,
    c: &str,
    d: &[u32],
    e: String,
    f: Vec<u64>,
    g: &String,
    h: Option<char>,
    i: (),
    j: [i8; 2],
    k: &(u8, u8),
    l: &'static str,
) -> Result<(), ()> {
    let _ = (a, b, c, d, e, f, g, h, i, j, k, l);
    Ok(())
}

#[tokio::test]
async fn as_many_arguments_as_can_be() {
    let text = "g".to_owned();
    let key = twelve::key(1, &2, "c", &[4], "e".into(), vec![], &text, None, (), [1, 2], &(1, 2), "l");
    assert_eq!(twelve::cache().unwrap().get(&key).await, None);
    twelve(1, &2, "c", &[4], "e".into(), vec![], &text, None, (), [1, 2], &(1, 2), "l").await.unwrap();
    assert_eq!(twelve::cache().unwrap().get(&key).await, Some(()));
}

/// One `Result` that is known by its name alone, and one that says more than it needs.
mod results {
    use std::result;

    use cache_core::cached;

    type Result<T, E = &'static str> = result::Result<T, E>;

    #[cached]
    pub(super) async fn short(id: u8) -> Result<Option<u8>> {
        Ok(Some(id))
    }

    #[cached]
    pub(super) async fn long(id: u8) -> std::result::Result<Result<u8, String>, String> {
        Ok(if id == 0 { Err("none".to_owned()) } else { Ok(id) })
    }
}

#[tokio::test]
async fn what_is_in_ok_is_the_value() {
    results::short::insert(1, Some(7)).await.unwrap();
    assert_eq!(results::short(1).await, Ok(Some(7)));
    assert_eq!(results::long(1).await, Ok(Ok(1)));
    assert_eq!(results::long::get(1).await, Some(Ok(1)));
}
