//! A stampede: the cache has lost something popular, and everyone asks for it at once.

use std::sync::Arc;

use cache_core::Source;
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    database::Database,
    service::{ServiceError, UserId, recommendations},
};

const USER: UserId = UserId(42);
pub(crate) const CALLERS: usize = 2_000;

/// What came of it.
pub(crate) struct Stampede {
    /// Queries that reached the database.
    pub(crate) loads: u64,
    /// Callers who waited for another caller's load.
    pub(crate) joined: usize,
}

/// Runs it.
pub(crate) async fn run(db: &Database) -> Result<Stampede, ServiceError> {
    recommendations::invalidate(db, USER).await?;
    let queries = db.queries();
    let barrier = Arc::new(Barrier::new(CALLERS));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (db, barrier) = (db.clone(), Arc::clone(&barrier));
        callers.spawn(async move {
            barrier.wait().await;
            recommendations::explain(&db, USER).await.transpose()
        });
    }
    let mut joined = 0;
    while let Some(answer) = callers.join_next().await {
        let answer = answer.expect("no caller panics")?;
        joined += usize::from(answer.source == Source::Joined);
    }
    Ok(Stampede { loads: db.queries() - queries, joined })
}
