//! One of each way to write an option.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use cache_core::{Source, Stack, cached, invalidates};

#[tokio::test]
async fn a_batch() {
    #[cached(batch, ttl = 60)]
    async fn halves(numbers: Vec<u64>) -> HashMap<u64, u64> {
        numbers.into_iter().map(|number| (number, number / 2)).collect()
    }
    assert_eq!((halves(vec![2, 4]).await.len(), halves::one(6).await), (2, Some(3)));
    assert_eq!(halves::get(vec![2, 6, 8]).await.len(), 2);
}

#[tokio::test]
async fn a_batch_that_may_fail() {
    #[cached(batch, cache = "square roots")]
    async fn roots(numbers: Vec<i64>) -> Result<HashMap<i64, u64>, cache_core::Error> {
        Ok(numbers
            .into_iter()
            .filter(|number| *number >= 0)
            .map(|number| (number, number.unsigned_abs().isqrt()))
            .collect())
    }
    assert_eq!(roots(vec![16, -1]).await.unwrap(), HashMap::from([(16, 4)]));
    assert_eq!((roots::one(-1).await.unwrap(), roots::get(vec![16]).await.len()), (None, 1));
}

#[tokio::test]
async fn a_batch_of_an_alias() {
    type Named<T> = HashMap<String, T>;
    #[cached(batch)]
    async fn lengths(words: Vec<String>) -> Named<usize> {
        words.into_iter().map(|word| (word.clone(), word.len())).collect()
    }
    assert_eq!((lengths(vec!["a".into()]).await.len(), lengths::one("ab".into()).await), (1, Some(2)));
}

#[tokio::test]
async fn tags_of_all_kinds() {
    #[cached(
        tags = ["all", "org:{org}", "user:{org}/{id:04}", "{{org}}", format!("{}", org + 1), 'x', |name: &String| name.clone()],
        stack = stack,
        skip(stack)
    )]
    async fn user(org: u32, id: u32, stack: &Stack) -> String {
        format!("user {id}")
    }
    let stack = super::stack().await;
    for tag in ["all", "org:7", "user:7/0001", "{org}", "8", "x", "user 1"] {
        user(7, 1, &stack).await;
        stack.invalidate_tag(tag).await.unwrap();
        assert_eq!(user::get(7, 1, &stack).await, None, "{tag}");
    }
}

#[tokio::test]
async fn keys_of_all_kinds() {
    #[cached(key = id)]
    async fn of_an_argument(id: u32, trace: u32) -> u32 {
        id + trace
    }
    #[cached(key = id % 10)]
    async fn of_an_expression(id: u32) -> u32 {
        id
    }
    #[cached(key = (name, { let doubled = *id * 2; [doubled; 2] }))]
    async fn of_a_tuple(name: &str, id: &u32) -> usize {
        name.len()
    }
    #[cached(key = ())]
    async fn of_nothing(id: u32) -> u32 {
        id
    }
    assert_eq!((of_an_argument(7, 1).await, of_an_argument(7, 2).await), (8, 8));
    assert_eq!((of_an_expression(17).await, of_an_expression(27).await), (17, 17));
    assert_eq!(
        (of_a_tuple("a", &7).await, of_a_tuple::get("a", &7).await, of_a_tuple::get("a", &8).await),
        (1, Some(1), None)
    );
    assert_eq!((of_nothing(7).await, of_nothing(8).await), (7, 7));
}

#[tokio::test]
async fn skipped_arguments() {
    #[cached(skip(calls, _trace))]
    async fn skipping(id: u32, calls: &Arc<AtomicU32>, _trace: Option<String>) -> u32 {
        calls.fetch_add(1, Relaxed);
        id
    }
    let calls = Arc::default();
    assert_eq!((skipping(7, &calls, None).await, skipping(7, &calls, Some("a".into())).await), (7, 7));
    assert_eq!(calls.load(Relaxed), 1);
}

#[tokio::test]
async fn conditions_on_arguments() {
    #[cached(when = id > 0 && !name.is_empty())]
    async fn when(id: u32, name: &str) -> u32 {
        id
    }
    #[cached(unless = matches!(id, 0 | 1))]
    async fn unless(id: u32) -> u32 {
        id
    }
    assert_eq!((when(7, "").await, when(7, "a").await, unless(1).await, unless(2).await), (7, 7, 1, 2));
    assert_eq!((when::get(7, "").await, when::get(7, "a").await), (None, Some(7)));
    assert_eq!((unless::get(1).await, unless::get(2).await), (None, Some(2)));
}

#[tokio::test]
async fn conditions_on_values() {
    #[cached(cache_none = false)]
    async fn found(id: u32) -> Option<u32> {
        (id > 0).then_some(id)
    }
    #[cached(cache_if = |rows| !rows.is_empty())]
    async fn rows(id: usize) -> Result<Vec<u32>, String> {
        Ok(vec![7; id])
    }
    fn is_even(number: &u32) -> bool {
        number.is_multiple_of(2)
    }
    #[cached(cache_if = is_even)]
    async fn even(id: u32) -> u32 {
        id
    }
    #[cached(cache_err = |why| why != "timeout")]
    async fn named(id: u32) -> Result<u32, String> {
        Err(if id == 0 { "timeout".into() } else { "unknown".into() })
    }
    assert_eq!((found(0).await, found::get(0).await), (None, None));
    assert_eq!((rows(0).await.unwrap().len(), rows::get(0).await, rows(1).await.unwrap().len()), (0, None, 1));
    assert_eq!((even(1).await, even::get(1).await, even(2).await, even::get(2).await), (1, None, 2, Some(2)));
    assert_eq!((named(0).await.is_err(), named::get(0).await, named(1).await.is_err()), (true, None, true));
    assert_eq!(named::get(1).await, Some(Err("unknown".into())));
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn times_of_all_kinds() {
    #[cached(ttl = 300, soft_timeout = 0.5, hard_timeout = "1m 30s", stale_if_error = HOUR * 24)]
    async fn timed(id: u32) -> u32 {
        id
    }
    let policy = *timed::cache().unwrap().policy();
    assert_eq!((policy.ttl, policy.soft_timeout), (Duration::from_secs(300), Some(Duration::from_millis(500))));
    assert_eq!((policy.hard_timeout, policy.stale_if_error), (Duration::from_secs(90), Some(HOUR * 24)));
    assert_eq!((timed(7).await, timed::get(7).await), (7, Some(7)));
}

#[tokio::test]
async fn names_of_all_kinds() {
    const PRICES: &str = "price";
    #[cached(cache = "price of all", version = 2, policy = "prices")]
    async fn given(id: u32) -> u32 {
        id
    }
    #[cached(cache = format!("{PRICES}:net"))]
    async fn made(id: u32) -> u32 {
        id
    }
    assert_eq!((given(7).await, made(7).await), (7, 7));
    assert_eq!((given::cache().unwrap().name(), made::cache().unwrap().name()), ("price of all", "price:net"));
}

#[tokio::test]
async fn stacks_of_all_kinds() {
    struct App {
        stack: Stack,
    }
    #[cached(stack = stack, skip(stack))]
    async fn borrowed(id: u32, stack: &Stack) -> u32 {
        id
    }
    #[cached(stack = stack, skip(stack))]
    async fn owned(id: u32, stack: Stack) -> u32 {
        id
    }
    #[cached(stack = &app.stack, skip(app))]
    async fn inside(id: u32, app: Arc<App>) -> u32 {
        id
    }
    #[cached(stack = Stack::global())]
    async fn global(id: u32) -> u32 {
        id
    }
    let app = Arc::new(App { stack: super::stack().await });
    for _ in 0..2 {
        borrowed(7, &app.stack).await;
        owned(7, app.stack.clone()).await;
        inside(7, Arc::clone(&app)).await;
        global(7).await;
    }
    assert!(app.stack.stats().iter().all(|(_, stats)| (stats.loads, stats.l1_hits) == (1, 1)));
    assert_eq!((app.stack.stats().len(), global::explain(7).await.source), (3, Source::L1));
}

#[tokio::test]
async fn flags_and_defaults() {
    #[cached(validated, to_the_end, default_on_error = id)]
    async fn balance(id: i64) -> Result<i64, String> {
        if id < 0 { Err("no such account".into()) } else { Ok(id * 2) }
    }
    assert_eq!((balance(7).await, balance(-7).await, balance::get(-7).await), (Ok(14), Ok(-7), None));
}

#[tokio::test]
async fn many_at_once() {
    #[cached(
        cache = "called",
        version = 3,
        policy = "calls",
        ttl = "1m",
        crate = ::cache_core,
        skip(call, stack),
        stack = stack,
        when = id > 0,
        cache_if = |value| *value > 0,
        tags = ["id:{id}"],
    )]
    async fn called(id: u32, call: Arc<dyn Fn(&u32) -> u32 + Send + Sync>, stack: &Stack) -> u32 {
        call(&id)
    }
    #[invalidates(called(id, Arc::new(|id| *id), stack), tags = ["id:{id}"], stack = stack, before)]
    async fn change(id: u32, stack: &Stack) {}
    let stack = super::stack().await;
    for _ in 0..2 {
        assert_eq!(called(1, Arc::new(|id| id + 1), &stack).await, 2);
    }
    assert_eq!(called::stats(&stack).loads, 1);
    change(1, &stack).await;
    assert_eq!(called::get(1, Arc::new(|id| *id), &stack).await, None);
}
