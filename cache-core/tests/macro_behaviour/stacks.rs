//! Stacks that are passed in.

use std::sync::Arc;

use cache_core::{Error, ErrorKind, Source, Stack, cached};

use super::{Runs, stack};

#[cached(stack = stack, skip(stack, runs))]
async fn counted(id: u32, stack: &Stack, runs: &Runs) -> u32 {
    let _ = id;
    runs.add()
}

#[tokio::test]
async fn each_stack_has_entries_of_its_own() {
    let (one, two, three, runs) = (stack().await, stack().await, stack().await, Runs::default());
    for _ in 0..3 {
        assert_eq!(counted(1, &one, &runs).await, 1);
        assert_eq!(counted(1, &two, &runs).await, 2);
        assert_eq!(counted(1, &three, &runs).await, 3);
    }
    counted::invalidate(1, &two, &runs).await.unwrap();
    assert_eq!(counted(1, &two, &runs).await, 4);
    assert_eq!(counted(1, &one, &runs).await, 1);
}

struct App {
    stack: Stack,
}

#[cached(stack = app.stack.clone(), skip(app))]
async fn of_an_app(id: u32, app: Arc<App>) -> u32 {
    id
}

#[tokio::test]
async fn a_stack_may_come_out_of_an_argument() {
    let app = Arc::new(App { stack: stack().await });
    assert_eq!(of_an_app(1, Arc::clone(&app)).await, 1);
    assert_eq!(of_an_app::explain(1, Arc::clone(&app)).await.source, Source::L1);
    assert_eq!(app.stack.stats().len(), 1);
}

#[cached(cache = "taken", stack = stack, skip(stack))]
async fn number(stack: &Stack) -> u32 {
    7
}

#[cached(cache = "taken", stack = stack, skip(stack))]
async fn word(stack: &Stack) -> Result<String, Error> {
    Ok("seven".into())
}

#[tokio::test]
async fn one_name_for_two_types_is_an_error() {
    let stack = stack().await;
    assert_eq!(number(&stack).await, 7);
    assert_eq!(word(&stack).await.unwrap_err().kind(), ErrorKind::Config);
}
