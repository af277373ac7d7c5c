//! How a cache behaves: how long values live, how large they may be, how long a load may take.
//!
//! A [`Policy`] is complete; [`Overrides`] is the same with every field optional; [`Policies`] is the TTL map, which
//! names kinds of data and comes from TOML, JSON, any other serde source, the environment, or code. For one cache they
//! are layered, the weakest first:
//!
//! 1. the defaults of [`Policy`],
//! 2. `[default]` of the TTL map,
//! 3. `[kinds.<kind>]` of the TTL map,
//! 4. what the cache's own definition says: `#[cached(ttl = …)]`, or [`Overrides`] given to its builder.
//!
//! A layer that shortens `ttl` alone shortens with it the other lifetimes that it inherits; one that sets them to more than
//! the `ttl` it has is an error.
//!
//! The environment belongs to the TTL map: a variable replaces the field of the map that it names, and no other.
//!
//! ```toml
//! enabled = true
//!
//! [default]
//! ttl = "5m"
//!
//! [kinds.plan]
//! ttl = "1h30m"        # or seconds: 5400, 0.25
//! l1_ttl = "30s"
//! codec = "json"
//! ```
//!
//! A field that does not exist and a value that can't be are errors, when the map is read or when the stack is built.
//!
//! A stack takes another map while it runs, as a whole or not at all: [`Stack::reload_policies`](crate::Stack::reload_policies).

mod adaptive;
mod duration;
mod environment;
mod overrides;
mod policies;
mod refresh_ahead;
mod text;
mod tiers;

use std::time::Duration;

pub use adaptive::Adaptive;
pub use overrides::Overrides;
pub use policies::Policies;
pub use refresh_ahead::RefreshAhead;
pub use tiers::Tiers;

use crate::{
    Error, ErrorKind, Result,
    codec::{Compression, Format},
};

/// The longest time to live.
pub(crate) const LONGEST: Duration = duration::MAX;

/// How one cache behaves, with nothing left open.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// How long a value lives, counted from the start of its load. From 1 ms to 100 years; default: 5 minutes.
    pub ttl: Duration,
    /// How long L1 keeps it, at most [`ttl`](Self::ttl). Default: `None`, the stack decides.
    pub l1_ttl: Option<Duration>,
    /// The largest part of a lifetime that chance takes away, so that what was stored together does not expire
    /// together. From 0 up to, but not including, 1; default: 0.1. It only ever shortens.
    pub jitter: f64,
    /// How long the answer that there is nothing lives, at most [`ttl`](Self::ttl). Default: `None`, as any value.
    pub negative_ttl: Option<Duration>,
    /// For so long after [`ttl`](Self::ttl) a call that loads is answered with the old value at once, while one load in the
    /// fleet replaces it behind. Default: `None`, not at all. What was invalidated is never served so.
    pub stale_while_revalidate: Option<Duration>,
    /// For so long after [`ttl`](Self::ttl) a call whose load fails is answered with the old value. Default: `None`, not at
    /// all. A failed load does not prolong it, and what was invalidated is never served so.
    pub stale_if_error: Option<Duration>,
    /// So long a call waits for a load where a value inside one of the stale windows could answer; then that does, and the load
    /// goes on. Less than [`hard_timeout`](Self::hard_timeout). Default: `None`, as long as the load takes.
    pub soft_timeout: Option<Duration>,
    /// When a value that is still fresh is loaded anew, behind a call that is answered with it. Default: `None`, never.
    pub refresh_ahead: Option<RefreshAhead>,
    /// Bounds between which each entry's [`ttl`](Self::ttl) follows how often its content changes. A reload is compared with
    /// what was there, so something must still be there: it needs [`refresh_ahead`](Self::refresh_ahead) or a stale window.
    /// What a call or a loader says of the time to live counts more. Default: `None`.
    pub adaptive: Option<Adaptive>,
    /// For so long after a load failed that nothing stood in for, calls of its key get that error, and the origin is left
    /// alone; twice as long after each further failure, up to 30 seconds. An invalidation, an insert and a forced refresh end
    /// it. Default: `None`, the next call loads.
    pub error_backoff: Option<Duration>,
    /// The most loads of this cache that run at once in this process; those beyond wait, within their
    /// [`hard_timeout`](Self::hard_timeout) ([`StackBuilder::max_loads`](crate::StackBuilder::max_loads) bounds those of all
    /// caches). At least 1. Default: `None`, as many as there are.
    pub max_loads: Option<u32>,
    /// The largest value that is stored, in bytes of its encoded form. Default: 8 MiB. A larger one still reaches the
    /// caller. A stack of L1 alone that counts entries encodes nothing, and so measures only where this is not the default.
    pub max_value_size: u64,
    /// The deadline of a load. From 1 ms to 100 years; default: 30 seconds.
    pub hard_timeout: Duration,
    /// Whether anything is cached at all. If not, every call loads. Default: `true`.
    pub enabled: bool,
    /// How values are encoded for L2. Default: `None`, the stack decides.
    pub codec: Option<Format>,
    /// How values are compressed for L2. Default: [`Compression::None`].
    pub compression: Compression,
    /// Values of more than so many bytes, in their encoded form, are compressed. Default: 4096.
    pub compress_above: u64,
    /// Which tiers are used. Default: [`Tiers::Both`].
    pub tiers: Tiers,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(5 * 60),
            l1_ttl: None,
            jitter: 0.1,
            negative_ttl: None,
            stale_while_revalidate: None,
            stale_if_error: None,
            soft_timeout: None,
            refresh_ahead: None,
            adaptive: None,
            error_backoff: None,
            max_loads: None,
            max_value_size: 8 << 20,
            hard_timeout: Duration::from_secs(30),
            enabled: true,
            codec: None,
            compression: Compression::None,
            compress_above: 4096,
            tiers: Tiers::Both,
        }
    }
}

impl Policy {
    /// Checks every field and how they go together; `kind` names the cache's kind of data in the message.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: which field of which kind, its value, and the way out.
    pub fn validate(&self, kind: &str) -> Result<()> {
        Overrides::from(*self).check(&format!("kind {kind:?}"))?;
        if self.soft_timeout.is_some() && self.grace().is_zero() {
            return Err(invalid(format!(
                "kind {kind:?}: it has a soft_timeout, but nothing could answer then; set stale_if_error or \
                 stale_while_revalidate too"
            )));
        }
        if self.adaptive.is_some() && self.grace().is_zero() && self.refresh_ahead.is_none() {
            return Err(invalid(format!(
                "kind {kind:?}: adaptive compares a reload with what was there, but nothing is there any more then; set \
                 refresh_ahead or stale_while_revalidate too"
            )));
        }
        Ok(())
    }

    /// How long after its time to live a value may still be served, by whichever of the windows is longer.
    pub(crate) fn grace(&self) -> Duration {
        self.stale_while_revalidate.max(self.stale_if_error).unwrap_or_default()
    }

    /// The longest that the policy lets a value be fresh.
    pub(crate) fn longest_ttl(&self) -> Duration {
        self.adaptive.map_or(self.ttl, |bounds| bounds.longest)
    }

    /// The longest that an entry is expected to be fresh before its loader has spoken.
    pub(crate) fn foreseen(&self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or_default().min(LONGEST).max(self.longest_ttl())
    }

    /// For so long marks of an entry's tags are kept: they outlive the entry and the load before it.
    pub(crate) fn retain(&self, asked: Option<Duration>) -> Duration {
        self.foreseen(asked) + self.grace() + self.hard_timeout
    }

    /// `lifetime`, shortened by chance: `dice` is evenly spread over [0, 1).
    ///
    /// Never less than a millisecond, the shortest that a shared store can keep.
    pub(crate) fn jittered(&self, lifetime: Duration, dice: f64) -> Duration {
        // As precise as makes sense for what chance decides.
        let nanos = (lifetime.as_secs() as f64 * 1e9 + f64::from(lifetime.subsec_nanos())) * (1.0 - self.jitter * dice);
        Duration::from_nanos(nanos as u64).clamp(duration::MIN.min(lifetime), lifetime)
    }
}

fn invalid(context: String) -> Error {
    Error::new(ErrorKind::Config, "policy").context(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Policy)) -> String {
        let mut policy = Policy::default();
        change(&mut policy);
        let error = policy.validate("plan").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn the_defaults_are_valid() {
        Policy::default().validate("plan").unwrap();
    }

    #[test]
    fn half_a_second_and_thirty_years_are_valid() {
        for ttl in [Duration::from_millis(1), Duration::from_millis(500), Duration::from_secs(30 * 31_557_600)] {
            Policy { ttl, ..Policy::default() }.validate("plan").unwrap();
        }
    }

    #[test]
    fn a_refusal_names_the_kind_the_field_the_value_and_the_way_out() {
        let message = refusal(|policy| policy.ttl = Duration::ZERO);
        for part in ["kind \"plan\"", "ttl is 0s", "1ms", "enabled = false"] {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert!(refusal(|policy| policy.ttl = Duration::from_micros(999)).contains("ttl is 999us"));
        assert!(refusal(|policy| policy.ttl = Duration::MAX).contains("100years"));
        assert!(refusal(|policy| policy.hard_timeout = Duration::ZERO).contains("hard_timeout is 0s"));
        assert!(refusal(|policy| policy.l1_ttl = Some(Duration::ZERO)).contains("l1_ttl is 0s"));
        assert!(refusal(|policy| policy.negative_ttl = Some(Duration::ZERO)).contains("negative_ttl is 0s"));
        assert!(refusal(|policy| policy.max_value_size = 0).contains("max_value_size is 0"));
    }

    #[test]
    fn jitter_is_a_proper_fraction() {
        for jitter in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
            assert!(refusal(|policy| policy.jitter = jitter).contains("jitter is"), "{jitter}");
        }
        Policy { jitter: 0.0, ..Policy::default() }.validate("plan").unwrap();
    }

    #[test]
    fn no_part_of_a_lifetime_outlives_the_whole() {
        let longer = Some(Duration::from_secs(301));
        let message = refusal(|policy| policy.l1_ttl = longer);
        assert!(message.contains("l1_ttl is 5m 1s, longer than its ttl of 5m"), "{message}");
        assert!(refusal(|policy| policy.negative_ttl = longer).contains("negative_ttl is 5m 1s"));
        let equal = Some(Duration::from_secs(300));
        Policy { l1_ttl: equal, negative_ttl: equal, ..Policy::default() }.validate("plan").unwrap();
    }

    #[test]
    fn a_soft_timeout_needs_something_that_could_answer_and_is_the_shorter_one() {
        let message = refusal(|policy| policy.soft_timeout = Some(Duration::from_secs(1)));
        assert!(message.contains("stale_if_error"), "{message}");
        let window = Some(Duration::from_secs(60));
        let message = refusal(|policy| {
            (policy.soft_timeout, policy.stale_if_error) = (Some(policy.hard_timeout), window);
        });
        assert!(message.contains("hard_timeout of 30s"), "{message}");
        let policy = Policy { soft_timeout: Some(Duration::from_secs(1)), stale_if_error: window, ..Policy::default() };
        policy.validate("plan").unwrap();
    }

    #[test]
    fn jitter_only_ever_shortens_and_spreads() {
        let policy = Policy::default();
        assert_eq!(policy.jittered(policy.ttl, 0.0), policy.ttl);
        assert_eq!(policy.jittered(policy.ttl, 0.5), Duration::from_secs(285));
        let shortest = policy.jittered(policy.ttl, 1.0 - f64::EPSILON);
        assert!((Duration::from_secs(270)..Duration::from_secs(271)).contains(&shortest));
        let century = duration::MAX;
        assert!(policy.jittered(century, 0.0) <= century);
    }

    #[test]
    fn jitter_never_reaches_zero() {
        let policy = Policy { jitter: 0.99, ttl: Duration::from_millis(1), ..Policy::default() };
        assert_eq!(policy.jittered(policy.ttl, 0.999), Duration::from_millis(1));
        assert_eq!(policy.jittered(Duration::from_micros(10), 0.5), Duration::from_micros(10));
    }
}
