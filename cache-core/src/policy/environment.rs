use std::collections::{BTreeMap, BTreeSet};

use super::{Adaptive, Overrides, duration, overrides};
use crate::{Error, ErrorKind, Result};

/// What a kind's variables are called after `CACHE_<KIND>_`, and the default's after `CACHE_`.
const FIELDS: [Field; 18] = [
    ("TTL", |o, text| Ok(o.ttl(duration::parse(text)?))),
    ("L1_TTL", |o, text| Ok(o.l1_ttl(duration::parse(text)?))),
    ("JITTER", |o, text| Ok(o.jitter(overrides::check_jitter(number(text)?)?))),
    ("NEGATIVE_TTL", |o, text| Ok(o.negative_ttl(duration::parse(text)?))),
    ("STALE_WHILE_REVALIDATE", |o, text| Ok(o.stale_while_revalidate(duration::parse(text)?))),
    ("STALE_IF_ERROR", |o, text| Ok(o.stale_if_error(duration::parse(text)?))),
    ("SOFT_TIMEOUT", |o, text| Ok(o.soft_timeout(duration::parse(text)?))),
    ("REFRESH_AHEAD", |o, text| Ok(o.refresh_ahead(text.parse()?))),
    ("ADAPTIVE", |o, text| text.parse().map(|Adaptive { shortest, longest }| o.adaptive(shortest, longest))),
    ("ERROR_BACKOFF", |o, text| Ok(o.error_backoff(duration::parse(text)?))),
    ("MAX_LOADS", |o, text| Ok(o.max_loads(overrides::check_loads(number(text)?)?))),
    ("MAX_VALUE_SIZE", |o, text| Ok(o.max_value_size(overrides::check_size(number(text)?)?))),
    ("HARD_TIMEOUT", |o, text| Ok(o.hard_timeout(duration::parse(text)?))),
    (ENABLED, |o, text| Ok(o.enabled(switch(text)?))),
    ("TIERS", |o, text| Ok(o.tiers(text.parse()?))),
    ("CODEC", |o, text| Ok(o.codec(text.trim().parse().map_err(|_| CODECS)?))),
    ("COMPRESSION", |o, text| Ok(o.compression(text.trim().parse().map_err(|_| COMPRESSIONS)?))),
    ("COMPRESS_ABOVE", |o, text| Ok(o.compress_above(number(text)?))),
];

type Field = (&'static str, fn(Overrides, &str) -> Result<Overrides, String>);

const PREFIX: &str = "CACHE_";
const ENABLED: &str = "ENABLED";
/// Belongs to the crate that connects to Redis.
const FOREIGN: &str = "REDIS_";
const COMPRESSIONS: &str = "no compression; write none, lz4 or zstd";
const CODECS: &str = "no codec; write json, bincode, postcard or messagepack";

/// The variables that may be ours, by their names after `CACHE_`.
///
/// They are read when it is known for which kind: until then, one of another program can't be told from ours.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Environment {
    /// Those whose names end as one of [`FIELDS`].
    values: BTreeMap<String, String>,
    /// The names of all others: one of them may be a mistyped field.
    others: BTreeSet<String>,
}

impl Environment {
    pub(super) fn new<N: AsRef<str>, V: Into<String>>(vars: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in vars {
            match name.as_ref().strip_prefix(PREFIX) {
                None => {}
                Some(name) if name.starts_with(FOREIGN) => {}
                Some(name) if ends_as_field(name) => _ = environment.values.insert(name.to_owned(), value.into()),
                Some(name) => _ = environment.others.insert(name.to_owned()),
            }
        }
        environment
    }

    /// The switch of the whole map.
    pub(super) fn enabled(&self) -> Result<Option<bool>> {
        self.values.get(ENABLED).map(|text| switch(text).map_err(|fault| refused(ENABLED, text, &fault))).transpose()
    }

    /// Every field of the default, but for `enabled`, which is the switch of the whole map.
    pub(super) fn default_policy(&self) -> Result<Overrides> {
        Ok(Overrides { enabled: None, ..self.overrides("")? })
    }

    /// Every field of one kind.
    pub(super) fn kind(&self, kind: &str) -> Result<Overrides> {
        self.overrides(&prefix(kind))
    }

    /// Reads all that is known to be ours, and looks for mistyped fields of `kinds`.
    pub(super) fn check<'a>(&self, kinds: impl Iterator<Item = &'a str>) -> Result<()> {
        self.enabled()?;
        self.default_policy()?;
        for kind in kinds {
            self.kind(kind)?;
            let prefix = prefix(kind);
            if let Some(name) = self.others.iter().find(|name| name.starts_with(&prefix)) {
                let known = FIELDS.map(|(field, _)| field).join(", ");
                return Err(invalid(format!(
                    "{PREFIX}{name} names no field of kind {kind:?}; after {PREFIX}{prefix} comes one of {known}"
                )));
            }
        }
        Ok(())
    }

    fn overrides(&self, prefix: &str) -> Result<Overrides> {
        FIELDS.iter().try_fold(Overrides::new(), |overrides, (field, read)| {
            let name = format!("{prefix}{field}");
            // CACHE_L1_TTL is the default's, even if there is a kind "l1".
            if !prefix.is_empty() && FIELDS.iter().any(|(field, _)| *field == name) {
                return Ok(overrides);
            }
            match self.values.get(&name) {
                Some(text) => read(overrides, text).map_err(|fault| refused(&name, text, &fault)),
                None => Ok(overrides),
            }
        })
    }
}

fn ends_as_field(name: &str) -> bool {
    FIELDS.iter().any(|(field, _)| name.strip_suffix(field).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
}

fn prefix(kind: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }
    };
    kind.chars().map(letter).chain(['_']).collect()
}

fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("neither on nor off; write true, 1, yes, on, or false, 0, no, off".into()),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| "no number that can stand here".into())
}

fn refused(name: &str, text: &str, fault: &str) -> Error {
    invalid(format!("{PREFIX}{name} ({text:?}) is {fault}"))
}

fn invalid(context: String) -> Error {
    Error::new(ErrorKind::Config, "environment").context(context)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::{Policies, Policy, RefreshAhead, Tiers};

    fn resolved(policies: Policies, vars: &[(&str, &str)], kind: &str) -> Result<Policy> {
        policies.with_vars(vars.iter().copied())?.resolve(kind, &Overrides::new())
    }

    fn refusal(policies: Policies, vars: &[(&str, &str)], kind: &str) -> String {
        let error = resolved(policies, vars, kind).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    fn plans() -> Policies {
        Policies::new().kind("plan", Overrides::new().ttl(Duration::from_secs(60)))
    }

    #[test]
    fn every_field_can_be_set_for_the_default_and_for_a_kind() {
        let fields = [
            ("TTL", "2h"),
            ("L1_TTL", "30"),
            ("JITTER", "0.25"),
            ("NEGATIVE_TTL", "1.5"),
            ("STALE_WHILE_REVALIDATE", "1m"),
            ("STALE_IF_ERROR", "1h"),
            ("SOFT_TIMEOUT", "100ms"),
            ("REFRESH_AHEAD", "xfetch 2"),
            ("ADAPTIVE", "1h..1d"),
            ("ERROR_BACKOFF", "1s"),
            ("MAX_LOADS", "8"),
            ("MAX_VALUE_SIZE", "1024"),
            ("HARD_TIMEOUT", "5s"),
            ("TIERS", "l1"),
            ("CODEC", "postcard"),
            ("COMPRESSION", "zstd"),
            ("COMPRESS_ABOVE", "100"),
        ];
        let expected = Policy {
            ttl: Duration::from_secs(7200),
            l1_ttl: Some(Duration::from_secs(30)),
            jitter: 0.25,
            negative_ttl: Some(Duration::from_millis(1500)),
            stale_while_revalidate: Some(Duration::from_secs(60)),
            stale_if_error: Some(Duration::from_secs(3600)),
            soft_timeout: Some(Duration::from_millis(100)),
            refresh_ahead: Some(RefreshAhead::XFetch { beta: 2.0 }),
            adaptive: Some(Adaptive { shortest: Duration::from_secs(3600), longest: Duration::from_secs(86_400) }),
            error_backoff: Some(Duration::from_secs(1)),
            max_loads: Some(8),
            max_value_size: 1024,
            hard_timeout: Duration::from_secs(5),
            enabled: true,
            codec: Some(crate::codec::Format::Postcard),
            tiers: Tiers::L1,
            compression: crate::codec::Compression::Zstd,
            compress_above: 100,
        };
        for prefix in ["CACHE_", "CACHE_PLAN_"] {
            let vars = fields.map(|(field, text)| (format!("{prefix}{field}"), text));
            let policies = Policies::new().with_vars(vars).unwrap();
            assert_eq!(policies.resolve("plan", &Overrides::new()).unwrap(), expected, "{prefix}");
        }
    }

    #[test]
    fn caching_is_switched_by_any_usual_word_and_by_no_other() {
        for (text, enabled) in [
            ("true", true),
            ("1", true),
            ("Yes", true),
            ("on", true),
            ("false", false),
            ("0", false),
            ("no", false),
            ("OFF", false),
        ] {
            assert_eq!(resolved(plans(), &[("CACHE_ENABLED", text)], "plan").unwrap().enabled, enabled, "{text}");
            assert_eq!(resolved(plans(), &[("CACHE_PLAN_ENABLED", text)], "plan").unwrap().enabled, enabled, "{text}");
        }
        for text in ["", "maybe", "2", "disabled"] {
            let message = refusal(plans(), &[("CACHE_ENABLED", text)], "plan");
            assert!(message.contains("CACHE_ENABLED") && message.contains("write true"), "{message}");
        }
    }

    #[test]
    fn one_kind_is_switched_off_alone() {
        let vars = [("CACHE_PLAN_ENABLED", "false")];
        assert!(!resolved(plans(), &vars, "plan").unwrap().enabled);
        assert!(resolved(plans(), &vars, "user").unwrap().enabled);
    }

    #[test]
    fn a_variable_replaces_its_field_of_the_map_and_no_stronger_one() {
        let day = Duration::from_secs(86_400);
        let of = |vars: &[(&str, &str)], kind: &str| resolved(plans(), vars, kind).unwrap().ttl;
        assert_eq!(of(&[("CACHE_TTL", "1d")], "user"), day);
        assert_eq!(of(&[("CACHE_TTL", "1d")], "plan"), Duration::from_secs(60));
        assert_eq!(of(&[("CACHE_PLAN_TTL", "1d")], "plan"), day);
        let own = Overrides::new().ttl(Duration::from_secs(1));
        let policies = plans().with_vars([("CACHE_PLAN_TTL", "1d")]).unwrap();
        assert_eq!(policies.resolve("plan", &own).unwrap().ttl, Duration::from_secs(1));
    }

    #[test]
    fn the_environment_also_holds_for_kinds_that_are_added_later_or_only_used() {
        let policies = Policies::new().with_vars([("CACHE_USER_PROFILE_TTL", "7s"), ("CACHE_ORG_TTL", "8s")]).unwrap();
        let policies = policies.kind("user-profile", Overrides::new().ttl(Duration::from_secs(60)));
        let ttl = |kind| policies.resolve(kind, &Overrides::new()).unwrap().ttl;
        assert_eq!(ttl("user-profile"), Duration::from_secs(7));
        assert_eq!(ttl("org"), Duration::from_secs(8));
    }

    #[test]
    fn a_bad_value_names_its_variable_and_the_way_out() {
        for (name, text, complaint) in [
            ("CACHE_TTL", "soon", "write seconds"),
            ("CACHE_PLAN_TTL", "0", "enabled = false"),
            ("CACHE_PLAN_JITTER", "NaN", "from 0"),
            ("CACHE_PLAN_MAX_VALUE_SIZE", "8MiB", "no number"),
            ("CACHE_PLAN_MAX_VALUE_SIZE", "0", "bytes"),
            ("CACHE_CODEC", "xml", "messagepack"),
        ] {
            let message = refusal(plans(), &[(name, text)], "plan");
            assert!(message.contains(name) && message.contains(complaint), "{message}");
        }
    }

    #[test]
    fn a_mistyped_field_of_a_kind_in_the_map_is_an_error() {
        let message = refusal(plans(), &[("CACHE_PLAN_TLL", "5")], "plan");
        assert!(message.contains("CACHE_PLAN_TLL") && message.contains("L1_TTL"), "{message}");
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        let vars = [
            ("CACHE_REDIS_URL", "redis://"),
            ("CACHE_REDIS_TTL", "x"),
            ("CACHE_DIR", "/tmp"),
            ("CACHE_CONTROL_TTL", "not ours"),
            ("CACHE_PLANNER_TLL", "x"),
            ("MY_CACHE_TTL", "x"),
        ];
        assert_eq!(resolved(plans(), &vars, "plan").unwrap(), resolved(plans(), &[], "plan").unwrap());
    }

    #[test]
    fn values_that_are_not_ours_are_not_kept() {
        let shown = format!("{:?}", Environment::new([("CACHE_API_TOKEN", "hunter2"), ("CACHE_REDIS_URL", "hunter2")]));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_kind_whose_name_is_part_of_a_field_does_not_take_the_default_s_variable() {
        let policies = Policies::new().with_vars([("CACHE_L1_TTL", "7s")]).unwrap();
        let policy = policies.resolve("l1", &Overrides::new()).unwrap();
        assert_eq!((policy.ttl, policy.l1_ttl), (Policy::default().ttl, Some(Duration::from_secs(7))));
    }
}
