//! Where Redis is and how long to wait for it.

mod duration;

use std::{env, fmt, path::PathBuf, time::Duration};

use bb8_redis::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use cache_core::{Error, ErrorKind, Result};
use serde::Deserialize;

/// Settings of [`Redis`](crate::Redis), from any serde source, the environment, or a [`Builder`](crate::Builder).
///
/// Durations are text such as `"250ms"` and `"1s"`, or a number of seconds. Unknown fields are errors.
/// `Debug` shows the server's address and no credentials.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let config: cache_redis::RedisConfig = serde_json::from_str(
///     r#"{ "url": "redis://cache:6379/2", "response_timeout": "300ms" }"#,
/// )?;
/// assert_eq!(config.response_timeout, Duration::from_millis(300));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RedisConfig {
    /// `redis://[user][:password@]host[:port][/database]`, `rediss://…` for TLS, `unix:///path` for a socket.
    pub url: String,
    /// How many connections to keep, 1 to 4. Each carries any number of requests at once; of
    /// three, two carry the reads that gather, and the third those of large entries. Default: 3.
    #[serde(default = "default_connections")]
    pub connections: u32,
    /// How long to wait for a connection, TLS and greeting included. Default: 250 ms.
    #[serde(default = "default_connect_timeout", deserialize_with = "duration::deserialize")]
    pub connect_timeout: Duration,
    /// How long to wait for the answer to a request. Default: 200 ms.
    ///
    /// Less than the stack's `l2_deadline`, which is 250 ms by default: a wait that the stack ends first tells the
    /// connection nothing, and one that went silent is then not replaced.
    #[serde(default = "default_response_timeout", deserialize_with = "duration::deserialize")]
    pub response_timeout: Duration,
    /// A PEM file with the certificates to trust in place of the web's roots. Default: none.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl RedisConfig {
    /// The defaults, with a URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: default_connections(),
            connect_timeout: default_connect_timeout(),
            response_timeout: default_response_timeout(),
            ca_file: None,
        }
    }

    /// Reads `REDIS_URL`, which must be there, and if they are: `CACHE_REDIS_CONNECTIONS`,
    /// `CACHE_REDIS_CONNECT_TIMEOUT`, `CACHE_REDIS_RESPONSE_TIMEOUT`, `CACHE_REDIS_CA_FILE`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] that names the variable.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let url = variable("REDIS_URL").ok_or_else(|| wrong("REDIS_URL is not set"))?;
        let mut config = Self::new(url);
        if let Some(text) = variable("CACHE_REDIS_CONNECTIONS") {
            config.connections =
                text.parse().map_err(|error| wrong("CACHE_REDIS_CONNECTIONS is not a number").caused_by(error))?;
        }
        if let Some(text) = variable("CACHE_REDIS_CONNECT_TIMEOUT") {
            config.connect_timeout = duration_in("CACHE_REDIS_CONNECT_TIMEOUT", &text)?;
        }
        if let Some(text) = variable("CACHE_REDIS_RESPONSE_TIMEOUT") {
            config.response_timeout = duration_in("CACHE_REDIS_RESPONSE_TIMEOUT", &text)?;
        }
        config.ca_file = variable("CACHE_REDIS_CA_FILE").map(PathBuf::from);
        Ok(config)
    }

    /// What the client needs to know to reach the server.
    pub(crate) fn target(&self) -> Result<ConnectionInfo> {
        if !(1..=4).contains(&self.connections) {
            return Err(wrong(format!("connections is 1 to 4, not {}", self.connections)));
        }
        for (name, timeout) in [("connect_timeout", self.connect_timeout), ("response_timeout", self.response_timeout)]
        {
            if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
                return Err(wrong(format!("{name} is more than nothing and at most a minute")));
            }
        }
        let target = parse(&self.url)?;
        if self.ca_file.is_some() && !matches!(target.addr(), ConnectionAddr::TcpTls { .. }) {
            return Err(wrong("ca_file needs a URL that begins with rediss://"));
        }
        Ok(target)
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = parse(&self.url).map(|target| target.addr().to_string());
        f.debug_struct("RedisConfig")
            .field("server", &server.as_deref().unwrap_or("(not a valid URL)"))
            .field("connections", &self.connections)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

const fn default_connections() -> u32 {
    3
}

const fn default_connect_timeout() -> Duration {
    Duration::from_millis(250)
}

const fn default_response_timeout() -> Duration {
    Duration::from_millis(200)
}

/// The client's own message is left out: a part of the URL could be in it.
fn parse(url: &str) -> Result<ConnectionInfo> {
    let is_tls = url.starts_with("rediss:") || url.starts_with("valkeys:");
    if is_tls && cfg!(not(feature = "tls")) {
        return Err(wrong("a rediss:// URL needs the feature `tls` of cache-redis"));
    }
    let target = url.into_connection_info().map_err(|_| {
        wrong("the URL is not redis://[user][:password@]host[:port][/database], rediss://… or unix:///path")
    })?;
    if let ConnectionAddr::TcpTls { insecure: true, .. } = target.addr() {
        return Err(wrong("certificates are always verified: leave out #insecure and name the server's CA in ca_file"));
    }
    // RESP3 is how the client tells at once that a connection ended. A name for it would need a right of its own.
    let settings = target.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
    Ok(target.set_redis_settings(settings))
}

fn duration_in(name: &str, text: &str) -> Result<Duration> {
    duration::parse(text).map_err(|reason| wrong(format!("{name}: {reason}")))
}

fn wrong(context: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "connect").context(context.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(config: &RedisConfig) -> String {
        let error = config.target().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        format!("{error} {error:?}")
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_being_repeated() {
        for url in ["", "cache", "http://:hunter2@cache", "redis://:hunter2@cache:port", "redis://:hunter2@"] {
            let text = message(&RedisConfig::new(url));
            assert!(text.contains("redis://[user]") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let with = |change: fn(&mut RedisConfig)| {
            let mut config = RedisConfig::new("redis://cache");
            change(&mut config);
            message(&config)
        };
        assert!(with(|c| c.connections = 0).contains("connections"));
        assert!(with(|c| c.connections = 5).contains("connections"));
        assert!(with(|c| c.connect_timeout = Duration::ZERO).contains("connect_timeout"));
        assert!(with(|c| c.response_timeout = Duration::MAX).contains("response_timeout"));
        assert!(with(|c| c.ca_file = Some("ca.pem".into())).contains("rediss://"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn certificates_can_not_be_left_unverified() {
        assert!(message(&RedisConfig::new("rediss://cache/#insecure")).contains("ca_file"));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_names_the_feature_that_it_needs() {
        assert!(message(&RedisConfig::new("rediss://cache")).contains("`tls`"));
    }

    #[test]
    fn debug_shows_where_and_not_who() {
        let config = RedisConfig::new("redis://alice:hunter2@cache:6380/1");
        let text = format!("{config:?} {:?}", RedisConfig::new("hunter2"));
        assert!(text.contains("cache:6380"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("alice"), "{text}");
    }

    #[test]
    fn durations_are_text_or_seconds() {
        let read = |text: &str| {
            let json = format!(r#"{{ "url": "redis://cache", "connect_timeout": {text} }}"#);
            serde_json::from_str::<RedisConfig>(&json).map(|config| config.connect_timeout)
        };
        assert_eq!(read(r#""250ms""#).unwrap(), Duration::from_millis(250));
        assert_eq!(read(r#""1s 500ms""#).unwrap(), Duration::from_millis(1500));
        assert_eq!(read("2").unwrap(), Duration::from_secs(2));
        assert_eq!(read("0.05").unwrap(), Duration::from_millis(50));
        for wrong in [r#""soon""#, "-1", "1e300", "null"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        let text = r#"{ "url": "redis://cache", "conections": 3 }"#;
        assert!(serde_json::from_str::<RedisConfig>(text).is_err());
    }

    #[test]
    fn the_environment_overrides_the_defaults() {
        let config = RedisConfig::from_variables(|name| {
            Some(match name {
                "REDIS_URL" => "redis://cache".to_owned(),
                "CACHE_REDIS_CONNECTIONS" => "4".to_owned(),
                "CACHE_REDIS_CONNECT_TIMEOUT" => "1".to_owned(),
                "CACHE_REDIS_RESPONSE_TIMEOUT" => "2s".to_owned(),
                _ => return None,
            })
        });
        let mut expected = RedisConfig::new("redis://cache");
        expected.connections = 4;
        expected.connect_timeout = Duration::from_secs(1);
        expected.response_timeout = Duration::from_secs(2);
        assert_eq!(config.unwrap(), expected);
    }

    #[test]
    fn a_variable_that_is_wrong_or_missing_is_named() {
        let missing = RedisConfig::from_variables(|_| None).unwrap_err();
        assert!(missing.to_string().contains("REDIS_URL"));
        for name in ["CACHE_REDIS_CONNECTIONS", "CACHE_REDIS_CONNECT_TIMEOUT", "CACHE_REDIS_RESPONSE_TIMEOUT"] {
            let error =
                RedisConfig::from_variables(|asked| (asked == "REDIS_URL" || asked == name).then(|| "soon".to_owned()));
            assert!(error.unwrap_err().to_string().contains(name));
        }
    }
}
