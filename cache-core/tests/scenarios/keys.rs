//! Keys, names, types and what may be said of them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use cache_core::{
    ErrorKind, Load, LoadError, Overrides, Source, Stack,
    backend::Memory,
    testing::{Moment, Operation},
};
use serde::{Deserialize, Serialize};

use crate::fleet::{Items, KEY, Process};

/// Each key has its own value in L1, in the store, and in a process that starts afresh.
async fn assert_apart<K: cache_core::CacheKey>(name: &str, keys: impl IntoIterator<Item = K>) {
    let keys: Vec<K> = keys.into_iter().collect();
    let store = Memory::new();
    let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
    let cache = |process: &Process| process.stack.cache::<K, usize>(name).build().unwrap();
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(cache(&here).get_with(key, |_| async move { n }).await.unwrap(), n, "{name} {n} in L1");
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(cache(&bare).get(key).await, Some(n), "{name} {n} in the store");
    }
    cache(&here).invalidate(&keys[0]).await.unwrap();
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(cache(&bare).get(key).await, (n > 0).then_some(n), "{name} {n} after the first is gone");
    }
}

#[tokio::test]
async fn a35_keys_that_look_alike_are_apart() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_apart(
        "pair",
        [pair("a", "bc"), pair("ab", "c"), pair("abc", ""), pair("", "abc"), pair("a,b", "c"), pair("a", "b,c")],
    )
    .await;
    let text = |s: &str| Some(s.to_owned());
    assert_apart("option", [None, text(""), text("_"), text("None"), text("null"), text("+")]).await;
    let texts = ["", " ", "'", "''", "7", "_", "a:b", "a%3Ab", "{a}", "a}b{c", "#", "*", "\0", "\n", "ä", "a\u{308}"];
    assert_apart("text", texts.map(str::to_owned)).await;
    assert_apart("lists", [vec![], vec![vec![]], vec![vec![], vec![]], vec![vec![1, 2]], vec![vec![1], vec![2]]]).await;
    assert_apart("number", [i64::MIN, -1, 0, 1, i64::MAX]).await;
    assert_apart("maps", [BTreeMap::new(), BTreeMap::from([(1, 23)]), BTreeMap::from([(12, 3)])]).await;
}

#[tokio::test]
async fn a35_very_long_keys_are_apart_to_their_last_letter() {
    let long = "ключ ".repeat(20_000);
    assert_apart("long", [long.clone(), format!("{long}a"), format!("{long}b"), long["ключ ".len()..].to_owned()])
        .await;
}

#[tokio::test]
async fn a35_an_empty_key_is_a_key() {
    let here = Process::on(&Memory::new()).await;
    let items = here.items();
    assert_eq!(items.get_with("", |_| async { 7 }).await.unwrap(), 7);
    assert_eq!(items.get("").await, Some(7));
    items.invalidate("").await.unwrap();
    assert_eq!(items.get("").await, None);
    let unit = here.stack.cache::<(), u64>("unit").build().unwrap();
    unit.insert(&(), 7).await.unwrap();
    assert_eq!(unit.get(&()).await, Some(7));
}

#[tokio::test]
async fn a35_a_key_that_serde_refuses_is_an_error_that_names_no_key() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Refused(String);

    impl Serialize for Refused {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }

    let here = Process::on(&Memory::new()).await;
    let cache = here.stack.cache::<Refused, u64>("refused").build().unwrap();
    let key = Refused("secret".to_owned());
    let error = cache.get_with(&key, |_| async { 7 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(!format!("{error} {error:?}").contains("secret"));
    assert_eq!(cache.get(&key).await, None);
    assert_eq!(cache.invalidate(&key).await.unwrap_err().kind(), ErrorKind::Codec);
    assert_eq!(cache.in_flight(), 0);
}

#[tokio::test]
async fn a36_one_name_is_one_cache_and_other_types_are_refused() {
    let here = Process::on(&Memory::new()).await;
    let first: Items = here.stack.cache("item").build().unwrap();
    let again: Items = here.stack.cache("item").build().unwrap();
    first.insert(KEY, 7).await.unwrap();
    assert_eq!(again.at(KEY).get().await.unwrap().source, Source::L1, "they share L1");
    for error in [
        here.stack.cache::<String, String>("item").build().unwrap_err(),
        here.stack.cache::<u64, u64>("item").build().unwrap_err(),
        here.stack.cache::<String, u64>("item").version(2).build().unwrap_err(),
        here.stack.cache::<String, u64>("item").overrides(Overrides::new().jitter(0.5)).build().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("`item`"), "{error}");
    }
    // With the last handle its name is free again, and what it left is not mistaken for anything else.
    drop((first, again));
    let texts = here.stack.cache::<String, String>("item").build().unwrap();
    assert_eq!(texts.get(KEY).await, None);
    texts.insert(KEY, "seven".to_owned()).await.unwrap();
    assert_eq!(texts.get(KEY).await.as_deref(), Some("seven"));
    drop(texts);
    let items: Items = here.stack.cache("item").build().unwrap();
    assert_eq!(items.get(KEY).await, None);
    items.insert(KEY, 8).await.unwrap();
    drop(items);
    let items: Items = here.stack.cache("item").version(2).build().unwrap();
    assert_eq!(items.get(KEY).await, None, "what the first version has is not for the second");
}

#[tokio::test]
async fn a36_a_name_is_neither_empty_nor_endless() {
    let here = Process::on(&Memory::new()).await;
    for name in [String::new(), "n".repeat(256)] {
        assert_eq!(here.stack.cache::<u64, u64>(name).build().unwrap_err().kind(), ErrorKind::Config);
    }
    assert_eq!(Stack::builder("").build().await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a36_names_with_separators_are_apart() {
    let store = Memory::new();
    let mut stacks = Vec::new();
    for (n, (namespace, cache, key)) in
        [("a", "b:c", "d"), ("a:b", "c", "d"), ("a", "b", "c:d"), ("a", "b:{c}", "d"), ("a%3Ab", "c", "d")]
            .into_iter()
            .enumerate()
    {
        let stack = Stack::builder(namespace).l2(store.clone()).build().await.unwrap();
        let items: Items = stack.cache(cache).build().unwrap();
        assert_eq!(items.get_with(key, |_| async move { n as u64 }).await.unwrap(), n as u64);
        stacks.push(stack);
    }
}

#[tokio::test]
async fn a37_debug_is_never_asked_for_a_key() {
    #[derive(Clone, PartialEq, Eq, Hash, Serialize)]
    struct Redacted(u64);

    impl fmt::Debug for Redacted {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("never")
        }
    }

    assert_apart("redacted", [Redacted(1), Redacted(2)]).await;
}

type Fallible<T> = Result<T, Arc<str>>;

#[tokio::test]
async fn a39_an_error_is_cached_only_as_a_value() {
    let here = Process::on(&Memory::new()).await;
    let items = here.items();
    for _ in 0..2 {
        let failed = items.try_get_with(KEY, |_| async { Fallible::<u64>::Err("down".into()) }).await;
        assert!(matches!(failed, Err(LoadError::Loader(error)) if &**error == "down"));
    }
    assert_eq!(items.stats().loads, 2);
    assert_eq!(items.get(KEY).await, None);

    // Who wants it cached makes it the value.
    let results = here.stack.cache::<String, Result<u64, String>>("result").build().unwrap();
    for _ in 0..2 {
        let value = results.get_with(KEY, |_| async { Err("gone".to_owned()) }).await.unwrap();
        assert_eq!(value, Err("gone".to_owned()));
    }
    assert_eq!(results.stats().loads, 1);
}

#[tokio::test]
async fn a39_none_is_a_value_also_inside_of_others() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Row(Option<u64>);

    let store = Memory::new();
    let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
    let rows = |process: &Process| process.stack.cache::<String, Row>("row").build().unwrap();
    rows(&here).get_with(KEY, |_| async { Row(None) }).await.unwrap();
    assert_eq!(rows(&here).get(KEY).await, Some(Row(None)));
    assert_eq!(rows(&bare).get(KEY).await, Some(Row(None)));
}

#[tokio::test]
async fn sixty_four_tags_are_fine_and_one_more_is_an_error() {
    let store = Memory::new();
    let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
    let items = here.items();
    let tags = |n: usize| (0..n).map(|n| format!("tag {n}"));
    items.at(KEY).tags(tags(64)).get_with(|_| async { 7 }).await.unwrap();
    assert_eq!(bare.items().get(KEY).await, Some(7));
    here.stack.invalidate_tag("tag 63").await.unwrap();
    assert_eq!(bare.items().get(KEY).await, None);
    let error = items.at(KEY).tags(tags(65)).get_with(|_| async { 7 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("64"), "{error}");
    assert_eq!(items.in_flight(), 0);
    // A tag that is named twice is one tag.
    items.at(KEY).tags(tags(64)).tags(tags(64)).get_with(|_| async { 8 }).await.unwrap();
    assert_eq!(bare.items().get(KEY).await, Some(8));
}

#[tokio::test]
async fn a_loader_that_names_too_many_tags_is_answered_not_stored_and_told() {
    let here = Process::on(&Memory::new()).await;
    let items = here.items();
    let load = |load: Load| async move {
        (0..40).for_each(|n| load.tag(format!("loader {n}")));
        7
    };
    let answer = items.at(KEY).tags((0..40).map(|n| format!("call {n}"))).get_with(load).await.unwrap();
    assert_eq!(answer.value, 7);
    assert_eq!(items.get(KEY).await, None);
    assert_eq!(here.stack.health().problems.len(), 1);
}

#[tokio::test]
async fn tags_may_be_any_text() {
    let store = Memory::new();
    let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
    let long = "t".repeat(100_000);
    let tags = ["*", "#", "{}", "a:b", "ä", " ", "\0", long.as_str()];
    for (n, tag) in tags.into_iter().enumerate() {
        here.items().at(tag).tag(tag).get_with(|_| async move { n as u64 }).await.unwrap();
    }
    for (n, tag) in tags.into_iter().enumerate() {
        assert_eq!(bare.items().get(tag).await, Some(n as u64), "{n}: no other tag touched it");
        here.stack.invalidate_tag(tag).await.unwrap();
        assert_eq!(bare.items().get(tag).await, None, "{n}");
    }
}

const SECRETS: [&str; 3] = ["secret-key", "secret-value", "secret-error"];

fn assert_silent(what: &str) {
    for secret in SECRETS {
        assert!(!what.contains(secret), "{secret} in {what}");
    }
}

/// Everything that can go wrong with a secret key and a secret value, said in every way there is.
async fn misfortunes() {
    let [key, value, problem] = SECRETS;
    let store = Memory::new();
    let here = Process::on(&store).await;
    let overrides = Overrides::new().max_value_size(20);
    let texts = here.stack.cache::<String, String>("text").overrides(overrides).build().unwrap();
    let numbers = Process::on(&store).await.stack.cache::<String, u64>("text").build().unwrap();
    let mut errors = Vec::new();
    numbers.insert(key, 7).await.unwrap();
    texts.get_with(key, |_| async { value.to_owned() }).await.unwrap();
    errors.extend(texts.insert(key, value.repeat(10)).await.err());
    here.faults.fail_all(ErrorKind::Unavailable);
    errors.extend(texts.insert(key, value.to_owned()).await.err());
    errors.extend(texts.invalidate(key).await.err());
    errors.extend(here.stack.invalidate_tag(key).await.err());
    here.faults.heal();
    let gate = here.faults.hold(Operation::Read, Moment::Before);
    drop(gate);
    let failed = texts.at(key).try_refresh_with(|_| async move { Err::<String, _>(problem) }).await.unwrap_err();
    let inner = texts.clone();
    let reentrant = texts
        .at(key)
        .try_refresh_with(|_| async move { inner.get_with(key, |_| async { value.to_owned() }).await })
        .await;
    if let Err(LoadError::Loader(error)) = reentrant {
        errors.push(error.as_ref().clone());
    }
    assert!(errors.len() >= 4);
    for error in &errors {
        assert_silent(&format!("{error} {error:?}"));
    }
    assert_eq!(format!("{failed}"), problem, "the loader's own error is its own affair");
    let gone = here.faults.clone();
    assert_silent(&format!("{:?} {texts:?} {:?} {:?} {gone:?}", here.stack, here.stack.health(), here.stack.stats()));
}

#[tokio::test(start_paused = true)]
async fn a40_errors_and_debug_output_show_no_key_and_no_value() {
    misfortunes().await;
}

#[cfg(feature = "tracing")]
mod logs {
    use std::{
        fmt::{self, Write},
        sync::{Arc, Mutex},
    };

    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span,
    };

    use super::{assert_silent, misfortunes};

    /// Writes down whatever is said, at every level.
    #[derive(Clone, Default)]
    struct Scribe(Arc<Mutex<String>>);

    struct Line<'a>(&'a mut String);

    impl Visit for Line<'_> {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            writeln!(self.0, "{field}={value:?}").unwrap();
        }
    }

    impl Subscriber for Scribe {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
            let mut said = self.0.lock().unwrap();
            writeln!(said, "{}", span.metadata().name()).unwrap();
            span.record(&mut Line(&mut said));
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, values: &span::Record<'_>) {
            values.record(&mut Line(&mut self.0.lock().unwrap()));
        }

        fn event(&self, event: &Event<'_>) {
            event.record(&mut Line(&mut self.0.lock().unwrap()));
        }

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a40_logs_at_every_level_show_no_key_and_no_value() {
        let scribe = Scribe::default();
        let recording = tracing::subscriber::set_default(scribe.clone());
        misfortunes().await;
        drop(recording);
        let said = scribe.0.lock().unwrap().clone();
        assert!(said.contains("text"), "it says something: {said}");
        assert_silent(&said);
    }
}
