//! The value that is cached.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A typical value: a dozen fields, some text, one nested struct, one list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "a sample has no meaning beyond its names")]
pub struct User {
    pub id: u64,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub locale: String,
    pub roles: Vec<String>,
    pub organisation: Organisation,
    pub created_ms: i64,
    pub last_seen_ms: Option<i64>,
    pub sign_ins: u32,
    pub active: bool,
}

/// Where a [`User`] belongs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "a sample has no meaning beyond its names")]
pub struct Organisation {
    pub id: u64,
    pub name: String,
    pub plan: String,
}

impl User {
    /// The user with this id, always the same.
    #[must_use]
    pub fn sample(id: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            name: format!("Augusta Ada King {id}"),
            email: format!("ada.{id}@analytical.example"),
            phone: Some("+44 20 7946 0815".to_owned()),
            locale: "en-GB".to_owned(),
            roles: vec!["reader".to_owned(), "author".to_owned(), "billing".to_owned()],
            organisation: Organisation { id: id % 100, name: "Analytical Engines".to_owned(), plan: "team".to_owned() },
            created_ms: 1_700_000_000_000,
            last_seen_ms: Some(1_760_000_000_000),
            sign_ins: 1_815,
            active: true,
        })
    }
}
