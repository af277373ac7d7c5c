//! Caches that come with an attribute of their own.

pub(crate) mod cached {
    use std::sync::Arc;

    use benches::User;
    use cached::macros::concurrent_cached;

    #[concurrent_cached(max_size = 200_000, ttl_secs = 86_400)]
    pub(crate) async fn cached(number: u64) -> Arc<User> {
        User::sample(number)
    }
}

pub(crate) mod hitbox {
    use std::sync::{Arc, LazyLock};

    use benches::User;
    use hitbox::{concurrency::NoopConcurrencyManager, policy::PolicyConfig};
    use hitbox_fn::{Cache, CacheableResponse, cached};
    use hitbox_moka::MokaBackend;
    use serde::{Deserialize, Serialize};
    use side_by_side::{CAPACITY, TTL};

    #[derive(Clone, Serialize, Deserialize, CacheableResponse)]
    pub(crate) struct Found {
        user: Arc<User>,
    }

    type InMemory = Cache<MokaBackend, NoopConcurrencyManager>;

    static CACHE: LazyLock<InMemory> = LazyLock::new(|| {
        Cache::builder()
            .backend(MokaBackend::builder().max_entries(CAPACITY as u64).build())
            .policy(PolicyConfig::builder().ttl(TTL).build())
            .build()
    });

    #[cached]
    async fn find(number: u64) -> Found {
        Found { user: User::sample(number) }
    }

    pub(crate) async fn hitbox(number: u64) -> Arc<User> {
        find(number).cache(&*CACHE).await.user
    }
}
