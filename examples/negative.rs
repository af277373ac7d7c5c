//! That there is nothing is remembered too, for a time of its own; and what is created is seen at once.

use std::time::Duration;

use cache_core::{Overrides, Result, Stack};

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::builder("shop").build().await?;
    let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
    let policy = Overrides::new().ttl(hour).negative_ttl(minute).jitter(0.0);
    let users = stack.cache::<u64, Option<String>>("user").overrides(policy).build()?;

    // Nobody of that number: for a minute the database is not asked again.
    let answer = users.at(&7).get_with(|_| async { None }).await?;
    assert!(answer.value.is_none() && answer.remaining <= minute);
    assert_eq!(users.get_with(&7, |_| async { panic!("it is known") }).await?, None);

    // Who creates one says so.
    users.invalidate(&7).await?;
    let answer = users.at(&7).get_with(|_| async { Some("Ada".to_owned()) }).await?;
    assert!(answer.value.is_some() && answer.remaining > minute);
    Ok(())
}
