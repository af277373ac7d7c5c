//! What to say of an option that does not exist.

const OPTIONS: [&str; 36] = [
    "adaptive",
    "associated",
    "batch",
    "cache",
    "cache_err",
    "cache_if",
    "cache_none",
    "codec",
    "compress_above",
    "compression",
    "crate",
    "default_on_error",
    "enabled",
    "error_backoff",
    "hard_timeout",
    "jitter",
    "key",
    "l1_ttl",
    "max_loads",
    "max_value_size",
    "negative_ttl",
    "policy",
    "refresh_ahead",
    "skip",
    "soft_timeout",
    "stack",
    "stale_if_error",
    "stale_while_revalidate",
    "tags",
    "tiers",
    "to_the_end",
    "ttl",
    "unless",
    "validated",
    "version",
    "when",
];

/// The names that others give to it, and those of what can't be.
const ELSEWHERE: [(&[&str], &str); 8] = [
    (&["time", "expire", "expires", "expiration", "lifetime", "time_to_live"], "a lifetime is given by `ttl`"),
    (&["name", "prefix"], "a cache is named by `cache`"),
    (&["convert", "key_expr"], "the key is given by `key`"),
    (&["tag"], "tags are given as a list: `tags = [\"org:{org}\"]`"),
    (&["skip_args", "ignore", "exclude"], "arguments are kept out of the key by `skip(…)`"),
    (
        &["cache_errors", "result"],
        "an `Err` is not cached, unless by `cache_err`; `stale_if_error` covers a source that fails",
    ),
    (&["option"], "`None` is cached, unless by `cache_none = false`"),
    (
        &["sync_writes", "single_flight", "size", "max_size", "capacity"],
        "all who ask at once share one load, and the size of L1 is the stack's: there is nothing to set",
    ),
];

pub(crate) fn on_unknown(name: &str) -> String {
    if let Some((_, advice)) = ELSEWHERE.iter().find(|(names, _)| names.contains(&name)) {
        return format!("`{name}` is not an option of `#[cached]`: {advice}");
    }
    match OPTIONS.iter().find(|option| is_near(name, option)) {
        Some(option) => format!("`{name}` is not an option of `#[cached]`; did you mean `{option}`?"),
        None => format!("`{name}` is not an option of `#[cached]`; there are: {}", OPTIONS.join(", ")),
    }
}

/// Whether one edit, or two in a long name, make one name of the other; letters that changed places are one.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    is_within(if other.len() > 4 { 2 } else { 1 }, &one, &other)
}

fn is_within(edits: usize, one: &[char], other: &[char]) -> bool {
    match (one, other) {
        ([], rest) | (rest, []) => rest.len() <= edits,
        ([a, one @ ..], [b, other @ ..]) if a == b => is_within(edits, one, other),
        _ if edits == 0 => false,
        ([a, b, one @ ..], [c, d, other @ ..]) if (a, b) == (d, c) => is_within(edits - 1, one, other),
        ([_, shorter_one @ ..], [_, shorter_other @ ..]) => {
            [(shorter_one, shorter_other), (shorter_one, other), (one, shorter_other)]
                .into_iter()
                .any(|(one, other)| is_within(edits - 1, one, other))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{args::Args, error::Mistakes};

    #[test]
    fn what_is_mistyped_is_recognized() {
        for (name, option) in
            [("tll", "ttl"), ("ttls", "ttl"), ("jiter", "jitter"), ("stale_on_error", "stale_if_error")]
        {
            let advice = on_unknown(name);
            assert!(advice.ends_with(&format!("did you mean `{option}`?")), "{advice}");
        }
        assert!(on_unknown("negativ_ttl").contains("`negative_ttl`?"));
        assert!(on_unknown("colour").contains("there are: adaptive, associated"));
    }

    #[test]
    fn what_is_named_as_an_option_is_one() {
        for option in OPTIONS {
            let mut mistakes = Mistakes::default();
            let _ = Args::parse(format!("{option} = ?").parse().expect("tokens"), &mut mistakes);
            let report = mistakes.report().expect("`?` is no value").to_string();
            assert!(!report.contains("is not an option"), "{report}");
        }
    }

    #[test]
    fn names_of_other_crates_are_translated() {
        assert!(on_unknown("time").contains("given by `ttl`"));
        assert!(on_unknown("result").contains("stale_if_error"));
    }
}
