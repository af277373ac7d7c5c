//! Tags: one call revokes every entry that carries a tag, in all caches and all processes, however many there are. Tags are
//! named by the call, or by the loader if only what it has loaded tells them.

use cache_core::{Cache, Result, Source, Stack, backend::Memory};

#[tokio::main]
async fn main() -> Result<()> {
    // Two stacks on one store, as two processes on one Redis would be.
    let store = Memory::new();
    let here = Stack::builder("example").l2(store.clone()).build().await?;
    let there = Stack::builder("example").l2(store).build().await?;

    let users = here.cache::<u64, String>("user").build()?;
    let invoices = here.cache::<u64, String>("invoice").build()?;
    for id in 0..1_000 {
        user(&users, id).await?;
    }
    let invoice = invoices.get_with(&1, |load| async move {
        load.tag("org:7"); // the invoice says whose it is, its number does not
        "an invoice of organisation 7".to_owned()
    });
    invoice.await?;

    // The other process revokes what belongs to an organisation: 100 users and an invoice.
    there.invalidate_tag("org:7").await?;
    // This one hears of it, as a rule within a millisecond, and may serve its own copy until then: for `max_staleness` at most.
    // A call that can't have that asks.
    assert_eq!(invoices.at(&1).validated().get().await, None);

    // What the store has of it is never served again, in any process.
    let elsewhere = there.cache::<u64, String>("user").build()?;
    assert_eq!(user(&elsewhere, 7).await?, Source::Loaded);
    assert_eq!(user(&elsewhere, 8).await?, Source::L2);

    // In the process that revokes, it holds at once, for every call.
    here.invalidate_tags(["org:7", "org:8"]).await?;
    assert_eq!(user(&users, 17).await?, Source::Loaded);
    assert_eq!(user(&users, 18).await?, Source::Loaded);
    assert_eq!(user(&users, 19).await?, Source::L1);
    assert_eq!(invoices.get(&1).await, None);
    Ok(())
}

/// Organisation 7 has the users 7, 17, 27 and so on.
async fn user(users: &Cache<u64, String>, id: u64) -> Result<Source> {
    let org = id % 10;
    let answer = users.at(&id).tag(format!("org:{org}")).get_with(move |_| async move { format!("user {id}") });
    Ok(answer.await?.source)
}
