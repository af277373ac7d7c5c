use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Overrides, Policy, environment::Environment, text};
use crate::{
    Result,
    codec::{Compression, Format},
};

/// The TTL map: how each kind of data is cached, kept apart from the code that loads it.
///
/// ```
/// # use std::time::Duration;
/// # use cache_core::policy::{Overrides, Policies};
/// # fn main() -> cache_core::Result<()> {
/// let policies = Policies::new()
///     .default_policy(Overrides::new().ttl(Duration::from_secs(60)))
///     .kind("plan", Overrides::new().ttl(Duration::from_secs(3600)))
///     .with_env()?;
/// let plan = policies.resolve("plan", &Overrides::new())?;
/// assert_eq!(plan.ttl, Duration::from_secs(3600));
/// # Ok(()) }
/// ```
///
/// It can be deserialized from any serde source, in the layout that the [module](super) shows. A source that bypasses
/// the checks of the text readers is checked by [`check`](Self::check), which building a stack calls.
///
/// # Environment
///
/// | variable | replaces |
/// |---|---|
/// | `CACHE_ENABLED` | `enabled`, the switch of the whole map |
/// | `CACHE_TTL`, `CACHE_L1_TTL`, `CACHE_JITTER`, `CACHE_NEGATIVE_TTL`, `CACHE_MAX_VALUE_SIZE`, `CACHE_HARD_TIMEOUT`, `CACHE_CODEC`, `CACHE_TIERS`, and so on | that field of `[default]` |
/// | `CACHE_<KIND>_TTL` and so on, and `CACHE_<KIND>_ENABLED` | that field of `[kinds.<kind>]` |
///
/// `<KIND>` is the kind's name in upper case, with `_` for everything but ASCII letters and digits. Switches are `true`
/// or `false`, `1` or `0`, `yes` or `no`, `on` or `off`, in any case.
///
/// Other programs have variables that begin with `CACHE_` too, so one is read only if it names a field of the default,
/// of a kind in the map, or of a kind that a cache uses. For a kind in the map, `CACHE_<KIND>_` followed by something
/// that is no field is an error: it is a mistyped one. `CACHE_REDIS_…` is never read here.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    enabled: bool,
    default: Overrides,
    kinds: BTreeMap<String, Overrides>,
    #[serde(skip)]
    environment: Environment,
}

impl Default for Policies {
    fn default() -> Self {
        Self { enabled: true, default: Overrides::new(), kinds: BTreeMap::new(), environment: Environment::default() }
    }
}

impl Policies {
    /// An empty map: every kind has the defaults of [`Policy`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a TOML document.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), with line, column and the path of the field. The line itself is
    /// not shown: in a file with other sections it could be anything.
    #[cfg(feature = "toml")]
    pub fn from_toml(document: &str) -> Result<Self> {
        let policies: Self = text::toml(document)?;
        policies.check()?;
        Ok(policies)
    }

    /// Reads a JSON document.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), with line and column.
    pub fn from_json(document: &str) -> Result<Self> {
        let policies: Self = text::json(document)?;
        policies.check()?;
        Ok(policies)
    }

    /// An empty map with the environment of the process over it, as [`with_env`](Self::with_env) reads it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): which variable, its value and the way out.
    pub fn from_env() -> Result<Self> {
        Self::new().with_env()
    }

    /// Lays the environment of the process over the map, over kinds that are added later too.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): which variable, its value and the way out.
    pub fn with_env(self) -> Result<Self> {
        // A value that is not Unicode can't be one of ours; made readable, it is refused if its name is.
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        self.with_vars(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))))
    }

    /// Lays these variables over the map, as [`with_env`](Self::with_env) does with those of the process.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): which variable, its value and the way out.
    pub fn with_vars<N, V>(mut self, vars: impl IntoIterator<Item = (N, V)>) -> Result<Self>
    where
        N: AsRef<str>,
        V: Into<String>,
    {
        self.environment = Environment::new(vars);
        self.check()?;
        Ok(self)
    }

    /// Switches caching on or off for every kind. Off, every call loads. Default: on.
    #[must_use]
    pub fn enabled(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }

    /// Sets what holds for every kind that does not say otherwise.
    #[must_use]
    pub fn default_policy(self, default: Overrides) -> Self {
        Self { default, ..self }
    }

    /// Sets what holds for one kind of data, in place of what the map said of it.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>, overrides: Overrides) -> Self {
        self.kinds.insert(kind.into(), overrides);
        self
    }

    /// Checks every value in the map, and how those of one kind go together.
    ///
    /// Caches may yet override them; what results is checked by [`resolve`](Self::resolve).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): which field of which kind, its value, and the way out.
    pub fn check(&self) -> Result<()> {
        self.default.check("default")?;
        for (kind, overrides) in &self.kinds {
            overrides.check(&format!("kinds.{kind}"))?;
        }
        self.environment.check(self.kinds())
    }

    /// Checks that each codec and compression that is named is in this build.
    pub(crate) fn check_codecs(&self) -> Result<()> {
        let of_environment = self.environment.default_policy()?;
        let layers = || self.kinds.values().chain([&self.default, &of_environment]);
        layers().filter_map(|layer| layer.codec).try_for_each(Format::check)?;
        layers().filter_map(|layer| layer.compression).try_for_each(Compression::check)
    }

    /// The policy of a cache of this kind, whose own definition says `overrides`.
    ///
    /// A kind that is not in the map has the map's default. A map that is switched off disables every kind, whatever
    /// `overrides` say.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): which field, its value, and the way out.
    pub fn resolve(&self, kind: &str, overrides: &Overrides) -> Result<Policy> {
        let of_kind = self.kinds.get(kind).copied().unwrap_or_default();
        let mut policy = overrides
            .or(self.environment.kind(kind)?)
            .or(of_kind)
            .or(self.environment.default_policy()?)
            .or(self.default)
            .over(Policy::default());
        policy.enabled &= self.environment.enabled()?.unwrap_or(self.enabled);
        policy.validate(kind)?;
        Ok(policy)
    }

    /// The kinds that the map names.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ErrorKind;

    const JSON: &str =
        r#"{"default": {"ttl": 60, "jitter": 0}, "kinds": {"plan": {"ttl": "1h30m", "codec": "postcard"}}}"#;

    fn resolved(policies: &Policies, kind: &str) -> Policy {
        policies.resolve(kind, &Overrides::new()).unwrap()
    }

    fn json_refusal(document: &str) -> String {
        let error = Policies::from_json(document).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn an_empty_map_gives_the_defaults() {
        for policies in [Policies::new(), Policies::from_json("{}").unwrap()] {
            assert_eq!(resolved(&policies, "plan"), Policy::default());
        }
    }

    #[test]
    fn each_layer_replaces_what_it_names_of_the_weaker_ones() {
        let policies = Policies::from_json(JSON).unwrap();
        let own = Overrides::new().codec(Format::Json);
        let plan = policies.resolve("plan", &own).unwrap();
        assert_eq!(plan.max_value_size, Policy::default().max_value_size);
        assert_eq!(plan.jitter, 0.0);
        assert_eq!(plan.ttl, Duration::from_secs(5400));
        assert_eq!(plan.codec, Some(Format::Json));
        assert_eq!(resolved(&policies, "other").ttl, Duration::from_secs(60));
    }

    #[test]
    fn an_inherited_lifetime_gives_way_to_a_shorter_ttl() {
        let map = r#"{"default": {"l1_ttl": 30, "negative_ttl": 20}, "kinds": {"quote": {"ttl": 5}}}"#;
        let policies = Policies::from_json(map).unwrap();
        let quote = resolved(&policies, "quote");
        assert_eq!((quote.l1_ttl, quote.negative_ttl), (Some(quote.ttl), Some(quote.ttl)));
        assert_eq!(resolved(&policies, "other").l1_ttl, Some(Duration::from_secs(30)));
        let own = Overrides::new().ttl(Duration::from_secs(25));
        assert_eq!(policies.resolve("other", &own).unwrap().l1_ttl, Some(own.ttl.unwrap()));
    }

    #[test]
    fn a_map_that_is_off_disables_even_caches_that_ask_to_be_on() {
        let off = Policies::from_json(r#"{"enabled": false}"#).unwrap();
        assert!(!off.resolve("plan", &Overrides::new().enabled(true)).unwrap().enabled);
        let back_on = off.with_vars([("CACHE_ENABLED", "true")]).unwrap();
        assert!(resolved(&back_on, "plan").enabled);
        assert!(!back_on.resolve("plan", &Overrides::new().enabled(false)).unwrap().enabled);
    }

    #[test]
    fn what_a_cache_adds_is_checked_against_what_the_map_says() {
        let policies = Policies::from_json(r#"{"kinds": {"plan": {"l1_ttl": "1h"}}}"#).unwrap();
        let message = policies.resolve("plan", &Overrides::new()).unwrap_err().to_string();
        assert!(message.contains("kind \"plan\": l1_ttl is 1h, longer than its ttl of 5m"), "{message}");
        let day = Overrides::new().ttl(Duration::from_secs(86_400));
        assert_eq!(policies.resolve("plan", &day).unwrap().l1_ttl, Some(Duration::from_secs(3600)));
    }

    #[test]
    fn a_map_made_in_code_is_checked_with_the_place_of_the_fault() {
        let policies = Policies::new().kind("plan", Overrides::new().max_value_size(0));
        let message = policies.check().unwrap_err().to_string();
        assert!(message.contains("kinds.plan: max_value_size is 0"), "{message}");
        let policies = Policies::new().default_policy(Overrides::new().jitter(f64::NAN));
        assert!(policies.check().unwrap_err().to_string().contains("default: jitter is NaN"));
        let second = Duration::from_secs(1);
        let policies = Policies::new().kind("plan", Overrides::new().ttl(second).negative_ttl(2 * second));
        assert!(policies.check().unwrap_err().to_string().contains("kinds.plan: negative_ttl is 2s, longer"));
    }

    #[test]
    fn json_errors_say_where() {
        for (document, complaint) in [
            ("{\n \"kinds\": {\"plan\": {\"tll\": 5}}}", "unknown field `tll`"),
            ("{\n \"default\": {\"ttl\": 0}}", "must be from 1ms"),
            ("{\n \"default\": {\"jitter\": 1}}", "up to, but not including, 1"),
            ("{\n \"default\": {\"codec\": \"xml\"}}", "xml"),
            ("{\n \"defaults\": {}}", "unknown field `defaults`"),
            ("{\n ", "EOF"),
        ] {
            let message = json_refusal(document);
            assert!(message.contains(complaint) && message.contains("at line 2 column"), "{message}");
        }
    }

    #[test]
    fn null_overrides_nothing() {
        let policies =
            Policies::from_json(r#"{"default": {"ttl": null, "jitter": null, "max_value_size": null}}"#).unwrap();
        assert_eq!(resolved(&policies, "plan"), Policy::default());
    }

    #[test]
    fn the_kinds_of_the_map_are_listed() {
        assert_eq!(Policies::from_json(JSON).unwrap().kinds().collect::<Vec<_>>(), ["plan"]);
    }

    #[cfg(feature = "toml")]
    mod toml {
        use super::*;

        fn refusal(document: &str) -> String {
            let error = Policies::from_toml(document).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            error.to_string()
        }

        #[test]
        fn toml_says_the_same_as_json() {
            let document = r#"
                enabled = true
                [default]
                ttl = 60
                jitter = 0
                [kinds.plan]
                ttl = "1h30m"
                codec = "postcard"
            "#;
            assert_eq!(Policies::from_toml(document).unwrap(), Policies::from_json(JSON).unwrap());
        }

        #[test]
        fn toml_errors_say_where_and_which_field() {
            for (document, complaint) in [
                ("[kinds.plan]\nttl = 0\n", "kinds.plan.ttl: the value is 0s, but must be from 1ms"),
                ("[kinds.plan]\nttl = \"soon\"\n", "kinds.plan.ttl: the value is \"soon\", which is no duration"),
                ("[kinds.plan]\ntll = 5\n", "kinds.plan.tll: unknown field `tll`"),
                ("[default]\nl1_ttl = -1.5\n", "default.l1_ttl: the value is -1.5 seconds, which is negative"),
                ("[default]\nttl = nan\n", "default.ttl: the value is not a number"),
                ("[default]\nmax_value_size = -1\n", "default.max_value_size: "),
                ("\nkinds.plan = { jitter = 2 }", "kinds.plan.jitter: the value is 2, but must be"),
                ("\nenabled = 1", "enabled: invalid type"),
                ("\n=", "TOML: "),
            ] {
                let message = refusal(document);
                assert!(message.contains(complaint) && message.contains("at line 2 column"), "{message}");
            }
            let message = refusal("[kinds.plan]\nttl = 60\nl1_ttl = 61\n");
            assert!(message.contains("kinds.plan: l1_ttl is 1m 1s, longer than its ttl of 1m"), "{message}");
        }

        #[test]
        fn an_error_does_not_show_the_line_it_stands_in() {
            assert!(!refusal("url = 'redis://:hunter2@host'").contains("hunter2"));
        }
    }
}
