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
