//! Asynchronous functions, by what their bodies do.

use std::num::ParseIntError;

use cache_core::{Error, Source, cached};

#[tokio::test]
async fn without_arguments() {
    #[cached]
    async fn answer() -> u32 {
        42
    }
    assert_eq!((answer().await, answer::explain().await.source), (42, Source::L1));
}

#[tokio::test]
async fn that_returns_nothing() {
    #[cached]
    async fn warmed_up(_id: u32) {}
    warmed_up(7).await;
    assert_eq!((warmed_up::get(7).await, warmed_up::get(8).await), (Some(()), None));
}

#[tokio::test]
async fn that_awaits() {
    #[cached]
    async fn slow(id: u32) -> u32 {
        tokio::task::yield_now().await;
        id
    }
    assert_eq!((slow(7).await, slow::explain(7).await.source), (7, Source::L1));
}

#[tokio::test]
async fn that_returns_early_and_by_a_question_mark() {
    #[cached]
    async fn number(text: &str) -> Result<u32, ParseIntError> {
        if text.is_empty() {
            return Ok(0);
        }
        Ok(text.parse::<u32>()? + 1)
    }
    assert_eq!((number("41").await, number("").await), (Ok(42), Ok(0)));
    assert!(number("x").await.is_err());
    assert_eq!((number::get("41").await, number::get("x").await), (Some(42), None));
}

#[tokio::test]
async fn with_items_in_its_body() {
    #[cached]
    async fn parsed(text: &str) -> u32 {
        const BASE: u32 = 16;
        struct Digits<'t>(&'t str);
        impl Digits<'_> {
            fn value(&self) -> u32 {
                u32::from_str_radix(self.0, BASE).unwrap_or(0)
            }
        }
        Digits(text).value()
    }
    assert_eq!((parsed("ff").await, parsed::get("ff").await), (255, Some(255)));
}

#[tokio::test]
async fn with_a_future_in_its_body() {
    #[cached]
    async fn doubled(id: u32) -> u32 {
        let twice = async { id * 2 };
        twice.await
    }
    assert_eq!((doubled(7).await, doubled::get(7).await), (14, Some(14)));
}

#[tokio::test]
async fn that_is_spawned() {
    #[cached]
    async fn shout(word: String, times: &[u8]) -> String {
        word.repeat(times.len())
    }
    let call = tokio::spawn(async { shout("hey".into(), &[1, 2]).await });
    assert_eq!(call.await.unwrap(), "heyhey");
}

#[tokio::test]
async fn that_calls_itself() {
    #[cached]
    async fn sum(n: u64) -> u64 {
        if n == 0 { 0 } else { n + sum(n - 1).await }
    }
    assert_eq!((sum(10).await, sum::get(9).await), (55, Some(45)));
}

#[tokio::test]
async fn that_calls_another_which_calls_it() {
    #[cached]
    async fn is_even(n: u32) -> bool {
        n == 0 || Box::pin(is_odd(n - 1)).await
    }
    #[cached]
    async fn is_odd(n: u32) -> bool {
        n != 0 && is_even(n - 1).await
    }
    assert_eq!((is_even(7).await, is_odd::get(6).await, is_even::get(5).await), (false, Some(false), Some(false)));
}

#[tokio::test]
async fn that_calls_its_own_companions() {
    #[cached]
    async fn next(id: u32) -> Result<u32, Error> {
        Ok(match next::get(id.saturating_sub(1)).await {
            Some(before) => before + 1,
            None => 0,
        })
    }
    assert_eq!((next(1).await.unwrap(), next(2).await.unwrap(), next::get(2).await), (0, 1, Some(1)));
}

#[tokio::test]
async fn inside_of_a_closure_and_of_a_block() {
    let call = |id| {
        #[cached]
        async fn squared(id: u32) -> u32 {
            id * id
        }
        async move { (squared(id).await, squared::explain(id).await.source) }
    };
    assert_eq!(call(7).await, (49, Source::L1));
}
