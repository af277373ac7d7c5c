//! Arguments, by how they are written and passed.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use cache_core::{Source, cached};
use serde::Serialize;

#[tokio::test]
async fn as_many_as_a_key_has_parts() {
    /// Of all kinds.
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
    let text = "g".to_owned();
    let key = twelve::key(1, &2, "c", &[4], "e".into(), vec![], &text, None, (), [1, 2], &(1, 2), "l");
    assert_eq!(twelve::cache().unwrap().get(&key).await, None);
    twelve(1, &2, "c", &[4], "e".into(), vec![], &text, None, (), [1, 2], &(1, 2), "l").await.unwrap();
    assert_eq!(twelve::cache().unwrap().get(&key).await, Some(()));
}

#[tokio::test]
async fn owned_ones() {
    #[cached]
    async fn joined(word: String, numbers: Vec<u32>, name: Option<String>) -> String {
        format!("{word}{numbers:?}{name:?}")
    }
    assert_eq!(joined("a".into(), vec![1], None).await, "a[1]None");
    assert_eq!(joined::explain("a".into(), vec![1], None).await.source, Source::L1);
}

#[tokio::test]
async fn borrowed_ones() {
    #[cached]
    async fn counted(word: &str, bytes: &[u8], number: &u64) -> u64 {
        *number + u64::try_from(word.len() + bytes.len()).unwrap()
    }
    assert_eq!((counted("a", b"bc", &7).await, counted::get("a", b"bc", &7).await), (10, Some(10)));
}

#[tokio::test]
async fn shared_ones() {
    #[cached]
    async fn length(text: Arc<str>, other: &Arc<String>) -> usize {
        text.len() + other.len()
    }
    let other = Arc::new("bc".to_owned());
    assert_eq!((length("a".into(), &other).await, length::get("a".into(), &other).await), (3, Some(3)));
}

#[tokio::test]
async fn nested_ones() {
    #[cached]
    async fn size(map: BTreeMap<String, Option<Vec<(u8, char)>>>, cow: Cow<'static, str>) -> usize {
        map.len() + cow.len()
    }
    assert_eq!(
        (size(BTreeMap::new(), "abc".into()).await, size::get(BTreeMap::new(), "abc".into()).await),
        (3, Some(3))
    );
}

#[tokio::test]
async fn in_parentheses() {
    #[cached]
    #[allow(unused_parens, reason = "to see that they make no difference")]
    async fn length(word: (&(str)), (number): (u32)) -> (usize) {
        word.len() + usize::try_from(number).unwrap()
    }
    assert_eq!((length("a", 1).await, length::get("a", 1).await), (2, Some(2)));
}

#[tokio::test]
async fn tuples_and_arrays_taken_apart() {
    #[cached]
    async fn sum((row, (column, _)): (u32, (u32, u8)), [first, .., last]: [u32; 4]) -> u32 {
        row + column + first + last
    }
    assert_eq!(sum((1, (2, 3)), [4, 5, 6, 7]).await, 14);
    assert_eq!(sum::explain((1, (2, 3)), [4, 5, 6, 7]).await.source, Source::L1);
    assert_eq!(sum::explain((1, (2, 4)), [4, 5, 6, 7]).await.source, Source::Loaded);
}

#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
struct Query {
    word: String,
    limit: usize,
}

#[tokio::test]
async fn a_struct_taken_apart() {
    #[cached(tags = ["word:{word}"], unless = *limit == 0)]
    async fn found(Query { word, limit }: Query) -> usize {
        word.len().min(limit)
    }
    let query = |limit| Query { word: "nut".into(), limit };
    assert_eq!((found(query(2)).await, found::get(query(2)).await), (2, Some(2)));
    assert_eq!((found(query(0)).await, found::get(query(0)).await), (0, None));
}

#[tokio::test]
async fn a_borrowed_struct_taken_apart() {
    #[cached(key = (word, *limit % 2))]
    async fn found(&Query { ref word, limit }: &Query) -> usize {
        word.len().min(limit)
    }
    let query = |limit| Query { word: "nut".into(), limit };
    assert_eq!((found(&query(1)).await, found::get(&query(3)).await, found::get(&query(2)).await), (1, Some(1), None));
}

#[tokio::test]
async fn mutable_ones() {
    #[cached]
    async fn sorted(mut numbers: Vec<u32>, mut least: u32) -> Vec<u32> {
        least += 1;
        numbers.retain(|number| *number >= least);
        numbers.sort_unstable();
        numbers
    }
    assert_eq!(sorted(vec![3, 1, 2], 1).await, [2, 3]);
    assert_eq!(sorted::get(vec![3, 1, 2], 1).await, Some(vec![2, 3]));
}

#[tokio::test]
async fn unused_ones() {
    #[cached]
    async fn constant(_: u32, _named: &str) -> u32 {
        7
    }
    assert_eq!((constant(1, "a").await, constant::get(1, "a").await, constant::get(2, "a").await), (7, Some(7), None));
}

#[tokio::test]
async fn raw_names() {
    #[cached(tags = [r#type.to_string()], skip(r#in))]
    async fn r#match(r#type: u8, r#in: u8) -> u8 {
        r#type + r#in
    }
    assert_eq!((r#match(7, 1).await, r#match::get(7, 2).await), (8, Some(8)));
}

#[tokio::test]
async fn function_pointers_and_objects() {
    #[cached(skip(measure, transform))]
    async fn measured(id: u32, measure: fn(&str) -> usize, transform: Arc<dyn Fn(&u32) -> u32 + Send + Sync>) -> usize {
        measure(&transform(&id).to_string())
    }
    assert_eq!(measured(999, str::len, Arc::new(|id| id + 1)).await, 4);
    assert_eq!(measured::get(999, str::len, Arc::new(|id| *id)).await, Some(4));
}

#[tokio::test]
async fn statics() {
    #[cached]
    async fn of_statics(word: &'static str, numbers: &'static [u8]) -> usize {
        word.len() + numbers.len()
    }
    assert_eq!((of_statics("a", &[1]).await, of_statics::get("a", &[1]).await), (2, Some(2)));
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
async fn names_of_generated_code() {
    use named_like_generated_code::{get, key, warm};
    assert_eq!(get(1, "a", "b".into(), 2, 3, true, ()).await, 4);
    get::insert(1, "a", "c".into(), 2, 3, true, (), 70).await.unwrap();
    assert_eq!(get::get(1, "a", "c".into(), 2, 3, true, ()).await, Some(70));
    assert_eq!(get::warm([(1, "a", "d".to_owned(), 2, 3, true, ())]).await.unwrap().warmed, 1);
    let stack = super::stack().await;
    assert_eq!(warm(false, 7, "all", &stack).await, 7);
    assert_eq!(warm::warm([(false, 8, "all", stack.clone())]).await.unwrap().warmed, 1);
    assert_eq!((warm::stats(&stack).loads, warm::cache(&stack).unwrap().stats().loads), (2, 2));
    assert_eq!(key::key("a", "bc"), ("a".to_owned(), "bc".to_owned()));
    assert_eq!(key("a", "bc").await, 3);
}
