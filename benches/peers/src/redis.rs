//! What needs a Redis, though a hit in L1 asks it for nothing.

use std::{
    error::Error,
    sync::{Arc, OnceLock},
};

use benches::User;
use multi_tier_cache::{CacheManager, CacheStrategy, L1Cache, L2Cache, MokaCacheConfig};
use redis::{AsyncCommands, Client, IntoConnectionInfo, aio::MultiplexedConnection, io::tcp::TcpSettings};
use side_by_side::{CAPACITY, TTL};

static MULTI_TIER: OnceLock<CacheManager> = OnceLock::new();
static RAW: OnceLock<MultiplexedConnection> = OnceLock::new();

/// Has all of this file use the Redis at `url`.
pub(crate) async fn connect(url: &str) -> Result<(), Box<dyn Error>> {
    let config = MokaCacheConfig { max_capacity: CAPACITY as u64, time_to_live: TTL, time_to_idle: TTL };
    let (l1, l2) = (L1Cache::new(config)?, L2Cache::with_url(url).await?);
    let manager = CacheManager::new(Arc::new(l1), Arc::new(l2)).await?;
    MULTI_TIER.get_or_init(|| manager);
    let target = url.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let connection = Client::open(target)?.get_multiplexed_async_connection().await?;
    RAW.get_or_init(|| connection);
    Ok(())
}

pub(crate) async fn multi_tier(number: u64) -> User {
    let manager = MULTI_TIER.get().expect("it was connected");
    let load = || async move { Ok(User::clone(&User::sample(number))) };
    let found = manager.get_or_compute_typed(&format!("user:{number}"), CacheStrategy::Custom(TTL), load).await;
    found.expect("the loader does not fail")
}

pub(crate) async fn raw(number: u64) -> User {
    let mut connection = RAW.get().expect("it was connected").clone();
    let key = format!("raw:{number}");
    let found: Option<Vec<u8>> = connection.get(&key).await.expect("the server answers");
    if let Some(bytes) = found {
        return serde_json::from_slice(&bytes).expect("it was written below");
    }
    let user = User::clone(&User::sample(number));
    let bytes = serde_json::to_vec(&user).expect("a user can be written");
    connection.set::<_, _, ()>(&key, bytes).await.expect("the server answers");
    user
}
