//! Stale windows over a real server: what grew old may answer, what was invalidated never.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cache_core::{Answer, LoadError, Overrides, Source, Stack, clock};
use cache_redis::testing::RedisServer;

use crate::{Items, stack, until};

const KEY: &str = "k";
const TTL: Duration = Duration::from_millis(50);
const HOUR: Duration = Duration::from_secs(3600);

fn cache(stack: &Stack, policy: Overrides) -> Items {
    stack.cache("stale").overrides(policy.jitter(0.0)).build().unwrap()
}

fn lenient(stack: &Stack) -> Items {
    cache(stack, Overrides::new().ttl(TTL).stale_if_error(HOUR))
}

fn revalidating(stack: &Stack) -> Items {
    cache(stack, Overrides::new().ttl(HOUR).stale_while_revalidate(HOUR))
}

async fn fail(items: &Items) -> Result<Answer<u64>, LoadError<&'static str>> {
    items.at(KEY).tag("t").try_get_with(|_| async { Err("no rows") }).await
}

async fn get(items: &Items, origin: &Arc<AtomicU64>) -> (u64, Source) {
    let origin = Arc::clone(origin);
    let answer = items.at(KEY).tag("t").get_with(async move |_| origin.load(Ordering::SeqCst)).await.unwrap();
    (answer.value, answer.source)
}

/// Wherever the old value lies, and in every way in which it may be revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a13_what_was_invalidated_answers_no_failed_load() {
    for by_tag in [false, true] {
        let server = RedisServer::start();
        let (here, peer) = (stack(&server).await, stack(&server).await);
        get(&lenient(&here), &Arc::default()).await;
        until("it is old", async || lenient(&here).get(KEY).await.is_none()).await;
        for stack in [&here, &peer] {
            let answer = fail(&lenient(stack)).await.unwrap();
            assert_eq!((answer.value, answer.source), (0, Source::Stale), "by age it may be old");
        }
        match by_tag {
            true => here.invalidate_tag("t").await.unwrap(),
            false => lenient(&here).invalidate(KEY).await.unwrap(),
        }
        assert!(fail(&lenient(&here)).await.is_err());
        assert!(fail(&lenient(&stack(&server).await)).await.is_err());
        until("the peer heard of it", async || fail(&lenient(&peer)).await.is_err()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a23_a_refresh_that_fails_is_followed_by_another() {
    let server = RedisServer::start();
    let (here, peer) = (stack(&server).await, stack(&server).await);
    let (items, origin) = (revalidating(&here), Arc::new(AtomicU64::new(0)));
    get(&items, &origin).await;
    origin.store(1, Ordering::SeqCst);
    items.expire(KEY).await.unwrap();
    let panicking = items.at(KEY).tag("t").get_with(|_| async { panic!("no luck") }).await.unwrap();
    assert_eq!((panicking.value, panicking.source), (0, Source::Stale));
    until("the refresh has failed", async || items.stats().load_errors == 1).await;
    until("another one succeeds", async || get(&items, &origin).await == (1, Source::L1)).await;
    assert_eq!(get(&revalidating(&peer), &origin).await, (1, Source::L2));
}

/// A call that begins later than that is not answered with the old value, however often loads fail before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a28_grace_ends_at_its_absolute_bound() {
    let window = 10 * TTL;
    let server = RedisServer::start();
    let (here, peer) = (stack(&server).await, stack(&server).await);
    let policy = || Overrides::new().ttl(TTL).stale_if_error(window);
    get(&cache(&here, policy()), &Arc::default()).await;
    let loaded = clock::now();
    for stack in [&here, &peer] {
        until("it has ended", async || {
            let began = clock::now();
            match fail(&cache(stack, policy())).await {
                Ok(answer) => {
                    assert!(began - loaded < TTL + window, "{answer:?} was served {:?} after", began - loaded);
                    false
                }
                Err(_) => true,
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_expires_softly_is_stale_for_the_fleet_and_lives_on() {
    for by_tag in [false, true] {
        let server = RedisServer::start();
        let (here, peer) = (stack(&server).await, stack(&server).await);
        let origin = Arc::new(AtomicU64::new(0));
        for stack in [&here, &peer] {
            get(&revalidating(stack), &origin).await;
        }
        match by_tag {
            true => here.expire_tag("t").await.unwrap(),
            false => revalidating(&here).expire(KEY).await.unwrap(),
        }
        assert_eq!(revalidating(&here).get(KEY).await, None);
        until("the peer heard of it", async || revalidating(&peer).get(KEY).await.is_none()).await;
        let third = revalidating(&stack(&server).await);
        let answer = fail(&third).await.unwrap();
        assert_eq!((answer.value, answer.source), (0, Source::Stale), "by tag: {by_tag}");

        origin.store(1, Ordering::SeqCst);
        until("it is replaced", async || get(&revalidating(&peer), &origin).await == (1, Source::L1)).await;
        until("in L2 too", async || revalidating(&here).get(KEY).await == Some(1)).await;
    }
}
