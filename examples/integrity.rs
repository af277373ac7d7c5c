//! An L2 that others can write to: what is not sealed by the fleet's key, for the very entry that it stands under, is a miss.

use cache_core::{IntegrityKey, Result, Stack, backend::Memory};

async fn fleet(store: &Memory, secret: &str) -> Result<Stack> {
    // The secret from the environment or a vault, the same for all processes of the namespace: `openssl rand -hex 32`.
    Stack::builder("shop").l2(store.clone()).integrity(IntegrityKey::derive(secret)?).build().await
}

#[tokio::main]
async fn main() -> Result<()> {
    let (store, secret) = (Memory::new(), "5d41402abc4b2a76b9719d911017c592ad8a44ea4c8bd5b0");
    let rights = fleet(&store, secret).await?.cache::<String, bool>("may-pay").build()?;
    rights.insert("mallory", false).await?;

    // The fleet reads what it wrote.
    let rights = fleet(&store, secret).await?.cache::<String, bool>("may-pay").build()?;
    assert_eq!(rights.get("mallory").await, Some(false));

    // A neighbour writes what would do without a key. It is a miss, it is counted, and the next load replaces it.
    let neighbour = Stack::builder("shop").l2(store.clone()).build().await?;
    neighbour.cache::<String, bool>("may-pay").build()?.insert("mallory", true).await?;
    let rights = fleet(&store, secret).await?.cache::<String, bool>("may-pay").build()?;
    assert_eq!(rights.get("mallory").await, None);
    assert_eq!(rights.stats().unsealed, 1);

    // To change the key: `accept_integrity` lets a process read what is sealed by the other one too.
    Ok(())
}
