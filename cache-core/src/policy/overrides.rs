use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::{Adaptive, Policy, RefreshAhead, Tiers, duration, invalid};
use crate::{
    Result,
    codec::{Compression, Format},
};

/// A [`Policy`] with every field optional: one layer of what makes up a cache's policy.
///
/// ```
/// # use std::time::Duration;
/// # use cache_core::policy::Overrides;
/// let overrides = Overrides::new().ttl(Duration::from_secs(60)).jitter(0.0);
/// ```
///
/// As a serde source it is a map of the same fields, none of them required; unknown ones are refused. Durations are
/// seconds or texts such as `"1h30m"`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    #[serde(deserialize_with = "duration::optional")]
    pub(super) ttl: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    pub(super) l1_ttl: Option<Duration>,
    #[serde(deserialize_with = "optional_jitter")]
    pub(super) jitter: Option<f64>,
    #[serde(deserialize_with = "duration::optional")]
    pub(super) negative_ttl: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    pub(super) stale_while_revalidate: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    pub(super) stale_if_error: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    pub(super) soft_timeout: Option<Duration>,
    pub(super) refresh_ahead: Option<RefreshAhead>,
    pub(super) adaptive: Option<Adaptive>,
    #[serde(deserialize_with = "duration::optional")]
    pub(super) error_backoff: Option<Duration>,
    #[serde(deserialize_with = "optional_loads")]
    pub(super) max_loads: Option<u32>,
    #[serde(deserialize_with = "optional_size")]
    pub(super) max_value_size: Option<u64>,
    #[serde(deserialize_with = "duration::optional")]
    pub(super) hard_timeout: Option<Duration>,
    pub(super) enabled: Option<bool>,
    pub(super) codec: Option<Format>,
    pub(super) compression: Option<Compression>,
    pub(super) compress_above: Option<u64>,
    pub(super) tiers: Option<Tiers>,
}

impl Overrides {
    /// Overrides nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Policy::ttl`].
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    /// Sets [`Policy::l1_ttl`].
    #[must_use]
    pub fn l1_ttl(self, l1_ttl: Duration) -> Self {
        Self { l1_ttl: Some(l1_ttl), ..self }
    }

    /// Sets [`Policy::jitter`].
    #[must_use]
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter: Some(jitter), ..self }
    }

    /// Sets [`Policy::negative_ttl`].
    #[must_use]
    pub fn negative_ttl(self, negative_ttl: Duration) -> Self {
        Self { negative_ttl: Some(negative_ttl), ..self }
    }

    /// Sets [`Policy::stale_while_revalidate`].
    #[must_use]
    pub fn stale_while_revalidate(self, window: Duration) -> Self {
        Self { stale_while_revalidate: Some(window), ..self }
    }

    /// Sets [`Policy::stale_if_error`].
    #[must_use]
    pub fn stale_if_error(self, window: Duration) -> Self {
        Self { stale_if_error: Some(window), ..self }
    }

    /// Sets [`Policy::soft_timeout`].
    #[must_use]
    pub fn soft_timeout(self, soft_timeout: Duration) -> Self {
        Self { soft_timeout: Some(soft_timeout), ..self }
    }

    /// Sets [`Policy::refresh_ahead`].
    #[must_use]
    pub fn refresh_ahead(self, refresh_ahead: RefreshAhead) -> Self {
        Self { refresh_ahead: Some(refresh_ahead), ..self }
    }

    /// Sets [`Policy::adaptive`].
    #[must_use]
    pub fn adaptive(self, shortest: Duration, longest: Duration) -> Self {
        Self { adaptive: Some(Adaptive { shortest, longest }), ..self }
    }

    /// Sets [`Policy::error_backoff`].
    #[must_use]
    pub fn error_backoff(self, pause: Duration) -> Self {
        Self { error_backoff: Some(pause), ..self }
    }

    /// Sets [`Policy::max_loads`].
    #[must_use]
    pub fn max_loads(self, max_loads: u32) -> Self {
        Self { max_loads: Some(max_loads), ..self }
    }

    /// Sets [`Policy::max_value_size`], in bytes.
    #[must_use]
    pub fn max_value_size(self, max_value_size: u64) -> Self {
        Self { max_value_size: Some(max_value_size), ..self }
    }

    /// Sets [`Policy::hard_timeout`].
    #[must_use]
    pub fn hard_timeout(self, hard_timeout: Duration) -> Self {
        Self { hard_timeout: Some(hard_timeout), ..self }
    }

    /// Sets [`Policy::enabled`].
    #[must_use]
    pub fn enabled(self, enabled: bool) -> Self {
        Self { enabled: Some(enabled), ..self }
    }

    /// Sets [`Policy::codec`].
    #[must_use]
    pub fn codec(self, codec: Format) -> Self {
        Self { codec: Some(codec), ..self }
    }

    /// Sets [`Policy::tiers`].
    #[must_use]
    pub fn tiers(self, tiers: Tiers) -> Self {
        Self { tiers: Some(tiers), ..self }
    }

    /// Sets [`Policy::compression`].
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        Self { compression: Some(compression), ..self }
    }

    /// Sets [`Policy::compress_above`], in bytes.
    #[must_use]
    pub fn compress_above(self, compress_above: u64) -> Self {
        Self { compress_above: Some(compress_above), ..self }
    }

    /// These, and where they are silent those of `weaker`. What is inherited gives way to a shorter `ttl`: who shortens
    /// that alone does not contradict a lifetime that was set for everyone.
    #[must_use]
    pub(crate) fn or(self, weaker: Self) -> Self {
        let within = |inherited: Duration| self.ttl.map_or(inherited, |ttl| inherited.min(ttl));
        Self {
            ttl: self.ttl.or(weaker.ttl),
            l1_ttl: self.l1_ttl.or(weaker.l1_ttl.map(within)),
            jitter: self.jitter.or(weaker.jitter),
            negative_ttl: self.negative_ttl.or(weaker.negative_ttl.map(within)),
            stale_while_revalidate: self.stale_while_revalidate.or(weaker.stale_while_revalidate),
            stale_if_error: self.stale_if_error.or(weaker.stale_if_error),
            soft_timeout: self.soft_timeout.or(weaker.soft_timeout),
            refresh_ahead: self.refresh_ahead.or(weaker.refresh_ahead),
            adaptive: self.adaptive.or(weaker.adaptive),
            error_backoff: self.error_backoff.or(weaker.error_backoff),
            max_loads: self.max_loads.or(weaker.max_loads),
            max_value_size: self.max_value_size.or(weaker.max_value_size),
            hard_timeout: self.hard_timeout.or(weaker.hard_timeout),
            enabled: self.enabled.or(weaker.enabled),
            codec: self.codec.or(weaker.codec),
            compression: self.compression.or(weaker.compression),
            compress_above: self.compress_above.or(weaker.compress_above),
            tiers: self.tiers.or(weaker.tiers),
        }
    }

    /// The policy that is made of these over `base`.
    pub(super) fn over(self, base: Policy) -> Policy {
        Policy {
            ttl: self.ttl.unwrap_or(base.ttl),
            l1_ttl: self.l1_ttl.or(base.l1_ttl),
            jitter: self.jitter.unwrap_or(base.jitter),
            negative_ttl: self.negative_ttl.or(base.negative_ttl),
            stale_while_revalidate: self.stale_while_revalidate.or(base.stale_while_revalidate),
            stale_if_error: self.stale_if_error.or(base.stale_if_error),
            soft_timeout: self.soft_timeout.or(base.soft_timeout),
            refresh_ahead: self.refresh_ahead.or(base.refresh_ahead),
            adaptive: self.adaptive.or(base.adaptive),
            error_backoff: self.error_backoff.or(base.error_backoff),
            max_loads: self.max_loads.or(base.max_loads),
            max_value_size: self.max_value_size.unwrap_or(base.max_value_size),
            hard_timeout: self.hard_timeout.unwrap_or(base.hard_timeout),
            enabled: self.enabled.unwrap_or(base.enabled),
            codec: self.codec.or(base.codec),
            compression: self.compression.unwrap_or(base.compression),
            compress_above: self.compress_above.unwrap_or(base.compress_above),
            tiers: self.tiers.unwrap_or(base.tiers),
        }
    }

    /// Checks each field, and how those that are set go together; `place` says in the message whose fields they are.
    pub(super) fn check(&self, place: &str) -> Result<()> {
        let durations = [
            ("ttl", self.ttl),
            ("l1_ttl", self.l1_ttl),
            ("negative_ttl", self.negative_ttl),
            ("stale_while_revalidate", self.stale_while_revalidate),
            ("stale_if_error", self.stale_if_error),
            ("soft_timeout", self.soft_timeout),
            ("error_backoff", self.error_backoff),
            ("hard_timeout", self.hard_timeout),
        ];
        for (field, value) in durations {
            value.map_or(Ok(()), |value| told(place, field, duration::check(value)))?;
        }
        self.jitter.map_or(Ok(()), |jitter| told(place, "jitter", check_jitter(jitter)))?;
        self.max_value_size.map_or(Ok(()), |size| told(place, "max_value_size", check_size(size)))?;
        self.max_loads.map_or(Ok(()), |loads| told(place, "max_loads", check_loads(loads)))?;
        self.refresh_ahead.map_or(Ok(()), |ahead| told(place, "refresh_ahead", ahead.check()))?;
        self.adaptive.map_or(Ok(()), |adaptive| told(place, "adaptive", adaptive.check()))?;
        self.check_adaptive(place)?;
        self.check_within_ttl(place, "l1_ttl", self.l1_ttl)?;
        self.check_within_ttl(place, "negative_ttl", self.negative_ttl)?;
        match (self.soft_timeout, self.hard_timeout) {
            (Some(soft), Some(hard)) if soft >= hard => {
                let (soft, hard) = (duration::show(soft), duration::show(hard));
                Err(invalid(format!(
                    "{place}: soft_timeout is {soft}, and loads end at its hard_timeout of {hard}; make the soft one shorter"
                )))
            }
            _ => Ok(()),
        }
    }

    fn check_adaptive(&self, place: &str) -> Result<()> {
        match (self.adaptive, self.ttl) {
            (Some(bounds), Some(ttl)) if !(bounds.shortest..=bounds.longest).contains(&ttl) => Err(invalid(format!(
                "{place}: ttl is {}, outside of its adaptive bounds {bounds}; it is what they start from",
                duration::show(ttl)
            ))),
            _ => Ok(()),
        }
    }

    fn check_within_ttl(&self, place: &str, field: &str, lifetime: Option<Duration>) -> Result<()> {
        let (Some(lifetime), Some(ttl)) = (lifetime, self.ttl) else {
            return Ok(());
        };
        if lifetime <= ttl {
            return Ok(());
        }
        let (lifetime, ttl) = (duration::show(lifetime), duration::show(ttl));
        Err(invalid(format!(
            "{place}: {field} is {lifetime}, longer than its ttl of {ttl}; set {field} to at most {ttl}, or raise ttl"
        )))
    }
}

impl From<Policy> for Overrides {
    fn from(policy: Policy) -> Self {
        Self {
            ttl: Some(policy.ttl),
            l1_ttl: policy.l1_ttl,
            jitter: Some(policy.jitter),
            negative_ttl: policy.negative_ttl,
            stale_while_revalidate: policy.stale_while_revalidate,
            stale_if_error: policy.stale_if_error,
            soft_timeout: policy.soft_timeout,
            refresh_ahead: policy.refresh_ahead,
            adaptive: policy.adaptive,
            error_backoff: policy.error_backoff,
            max_loads: policy.max_loads,
            max_value_size: Some(policy.max_value_size),
            hard_timeout: Some(policy.hard_timeout),
            enabled: Some(policy.enabled),
            codec: policy.codec,
            compression: Some(policy.compression),
            compress_above: Some(policy.compress_above),
            tiers: Some(policy.tiers),
        }
    }
}

fn told<T>(place: impl Display, field: &str, outcome: Result<T, String>) -> Result<()> {
    outcome.map(drop).map_err(|fault| invalid(format!("{place}: {field} is {fault}")))
}

pub(super) fn check_jitter(jitter: f64) -> Result<f64, String> {
    if (0.0..1.0).contains(&jitter) {
        return Ok(jitter);
    }
    Err(format!("{jitter}, but must be from 0 up to, but not including, 1; 0.1 takes away up to a tenth of a lifetime"))
}

pub(super) fn check_size(size: u64) -> Result<u64, String> {
    if size > 0 {
        return Ok(size);
    }
    Err("0, so nothing could be stored; give a number of bytes, or to switch a cache off, set enabled = false".into())
}

pub(super) fn check_loads(loads: u32) -> Result<u32, String> {
    if loads > 0 {
        return Ok(loads);
    }
    Err("0, so nothing could be loaded; give a number of loads, or leave it out".into())
}

fn optional_loads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    optional(deserializer, check_loads)
}

fn optional_jitter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    optional(deserializer, check_jitter)
}

fn optional_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    optional(deserializer, check_size)
}

fn optional<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    check: impl FnOnce(T) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let Some(value) = Option::deserialize(deserializer)? else {
        return Ok(None);
    };
    check(value).map(Some).map_err(|fault| de::Error::custom(format!("the value is {fault}")))
}
