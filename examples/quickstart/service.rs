//! The service: what it can be asked. Each function is cached by one line; the TTLs are those of `cache.toml`.

use std::{fmt, sync::Arc};

use cache_core::cached;
use serde::{Deserialize, Serialize};

use crate::database::Database;

/// A plan of the catalogue.
#[cached(cache = "plan", skip(db), tags = ["plan:{plan}"])]
pub(crate) async fn plan(db: &Database, plan: PlanId) -> Result<Arc<Plan>, ServiceError> {
    db.plan(plan).await.map(Arc::new)
}

/// Who a user is.
#[cached(cache = "profile", skip(db), tags = ["user:{user}"])]
pub(crate) async fn profile(db: &Database, user: UserId) -> Result<Arc<Profile>, ServiceError> {
    db.profile(user).await.map(Arc::new)
}

/// What a user might like.
#[cached(cache = "recommendations", skip(db), tags = ["user:{user}"])]
pub(crate) async fn recommendations(db: &Database, user: UserId) -> Result<Arc<[Recommendation]>, ServiceError> {
    db.recommendations(user).await.map(Arc::from)
}

/// What a user consumes, beside others.
#[cached(cache = "usage", skip(db), tags = ["user:{user}"])]
pub(crate) async fn usage(db: &Database, user: UserId) -> Result<Arc<[ServiceUse]>, ServiceError> {
    db.usage(user).await.map(Arc::from)
}

/// `GET /plans/{plan}/quote?seats={seats}`: the body of the response, ready to be sent.
#[cached(cache = "quote", skip(db), tags = ["plan:{plan}"])]
pub(crate) async fn quote(db: &Database, plan: PlanId, seats: u32) -> Result<Arc<str>, ServiceError> {
    let plan_use = db.plan_use(plan).await?;
    let quote = Quote {
        seats,
        price_cents: u64::from(plan_use.price_cents) * u64::from(seats),
        expected_units: plan_use.mean_units * f64::from(seats),
        most_units: u64::from(plan_use.most_units) * u64::from(seats),
    };
    Ok(serde_json::to_string(&quote).expect("a quote has only numbers").into())
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
pub(crate) struct PlanId(pub(crate) u32);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
pub(crate) struct UserId(pub(crate) u32);

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) price_cents: u32,
    pub(crate) subscribers: u32,
    pub(crate) units_per_day: f64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) plan: String,
    pub(crate) addons: u32,
    pub(crate) rank: u32,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Recommendation {
    pub(crate) addon: String,
    pub(crate) price_cents: u32,
    pub(crate) bought: u32,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ServiceUse {
    pub(crate) service: u32,
    pub(crate) units: u32,
    pub(crate) mean: f64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Quote {
    pub(crate) seats: u32,
    pub(crate) price_cents: u64,
    pub(crate) expected_units: f64,
    pub(crate) most_units: u64,
}

/// Why the service has no answer. Cheap to clone, since one load that fails fails for all who waited for it.
#[derive(Clone, Debug)]
pub(crate) enum ServiceError {
    Database(Arc<rusqlite::Error>),
    Cache(cache_core::Error),
}

impl From<rusqlite::Error> for ServiceError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<cache_core::Error> for ServiceError {
    fn from(error: cache_core::Error) -> Self {
        Self::Cache(error)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Cache(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServiceError {}
