//! What a call takes on the way to a hit.

use cache_core::{Error, Stack, cached};

#[cached(cache = "large")]
async fn large(id: u64) -> Result<u64, Error> {
    let buffer = [id; 4096];
    tokio::task::yield_now().await;
    Ok(buffer[7])
}

#[cached(tags = ["org:{org}", format!("user:{name}")], cache_none = false, skip(stack), stack = stack)]
async fn with_options(org: u32, name: &str, stack: &Stack) -> Option<String> {
    let buffer = [org; 4096];
    tokio::task::yield_now().await;
    Some(format!("{name}{}", buffer[7]))
}

/// The body's future is made on a miss only, and the one that waits for it then is boxed.
#[tokio::test]
async fn the_future_of_a_call_is_small_whatever_the_body_needs() {
    assert!(size_of_val(&large::uncached(7)) > 32 << 10);
    let stack = super::stack().await;
    let sizes = [size_of_val(&large(7)), size_of_val(&with_options(1, "a", &stack))];
    assert!(sizes.iter().all(|size| *size <= 512), "{sizes:?}");
    assert_eq!((large(7).await.unwrap(), with_options(1, "a", &stack).await), (7, Some("a1".into())));
}
