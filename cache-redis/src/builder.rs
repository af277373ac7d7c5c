//! Settings in code.

use std::{path::PathBuf, time::Duration};

use cache_core::Result;

use crate::{backend::Redis, config::RedisConfig};

/// Builds a [`Redis`]. The settings and their defaults are those of [`RedisConfig`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `connect`"]
pub struct Builder {
    config: RedisConfig,
}

impl Builder {
    pub(crate) const fn new(config: RedisConfig) -> Self {
        Self { config }
    }

    /// How many connections to keep, 1 to 4.
    pub const fn connections(mut self, connections: u32) -> Self {
        self.config.connections = connections;
        self
    }

    /// How long to wait for a connection.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long to wait for the answer to a request.
    pub const fn response_timeout(mut self, timeout: Duration) -> Self {
        self.config.response_timeout = timeout;
        self
    }

    /// A PEM file with the certificates to trust in place of the web's roots.
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.config.ca_file = Some(file.into());
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`Redis::connect`], and [`ErrorKind::Config`](cache_core::ErrorKind::Config) for a setting that is out of
    /// range.
    pub async fn connect(self) -> Result<Redis> {
        Redis::from_config(&self.config).await
    }
}
