//! `ttl = 300`, `jitter = 0.1`, `codec = "json"`: the options that are fields of the policy, checked as far as they can be
//! at compile time.

use std::time::Duration;

use syn::{Error, Expr, ExprLit, ExprUnary, Ident, Lit, UnOp, parse::ParseStream, spanned::Spanned};

use crate::{args::bare, error::Mistakes};

/// One field of the policy, as it was written.
pub(crate) struct Setting {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Time(Duration),
    Fraction(f64),
    /// A variant of `cache_core::Format`.
    Format(&'static str),
    /// An expression of the field's type, evaluated once.
    Expr(Expr),
}

const TIMES: [&str; 7] =
    ["ttl", "l1_ttl", "negative_ttl", "stale_while_revalidate", "stale_if_error", "soft_timeout", "hard_timeout"];

/// The names in settings of each codec, and its variant.
const FORMATS: [(&str, &str); 4] =
    [("json", "Json"), ("bincode", "Bincode"), ("postcard", "Postcard"), ("messagepack", "MessagePack")];

/// What a policy allows: far beyond any use, and no shorter than a shared store can keep.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(100 * 31_557_600);

impl Setting {
    /// Whether an option of this name is one.
    pub(crate) fn is(name: &Ident) -> bool {
        name == "jitter" || name == "codec" || TIMES.iter().any(|time| name == time)
    }

    pub(crate) fn parse(name: &Ident, input: ParseStream) -> syn::Result<Self> {
        let expr = bare(input.parse()?);
        let value = match literal(&expr)? {
            None => Value::Expr(expr),
            Some(lit) => match name.to_string().as_str() {
                "jitter" => Value::Fraction(fraction(lit)?),
                "codec" => Value::Format(format(lit)?),
                name => Value::Time(time(name, lit)?),
            },
        };
        Ok(Self { name: name.clone(), value })
    }

    fn time(&self) -> Option<Duration> {
        match self.value {
            Value::Time(time) => Some(time),
            _ => None,
        }
    }
}

/// What is written out can be compared: no part of a lifetime is longer than the whole, and the soft timeout ends first.
pub(crate) fn check_times(settings: &[Setting], mistakes: &mut Mistakes) {
    let named = |name: &str| settings.iter().find(|setting| setting.name == name);
    if let (Some(soft), Some(hard)) = (named("soft_timeout"), named("hard_timeout"))
        && let (Some(soft_time), Some(hard_time)) = (soft.time(), hard.time())
        && soft_time >= hard_time
    {
        mistakes.at(
            soft.name.span(),
            "`soft_timeout` has no effect: loads end at `hard_timeout`; make the soft one shorter",
        );
    }
    let Some(ttl) = named("ttl").and_then(Setting::time) else { return };
    for part in ["l1_ttl", "negative_ttl"] {
        if let Some(setting) = named(part)
            && setting.time().is_some_and(|time| time > ttl)
        {
            mistakes.at(
                setting.name.span(),
                format!("`{part}` is longer than `ttl`, after which the value is gone from every tier; shorten it, or raise `ttl`"),
            );
        }
    }
}

/// The literal, if it is one. No setting is negative.
fn literal(expr: &Expr) -> syn::Result<Option<&Lit>> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => Ok(Some(lit)),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr: of, .. }) if matches!(**of, Expr::Lit(_)) => {
            Err(Error::new(expr.span(), "this can't be negative"))
        }
        _ => Ok(None),
    }
}

fn time(name: &str, lit: &Lit) -> syn::Result<Duration> {
    let refused = |message: String| Error::new(lit.span(), message);
    let time = match lit {
        Lit::Int(seconds) if seconds.suffix().is_empty() => Duration::from_secs(seconds.base10_parse()?),
        Lit::Float(seconds) if seconds.suffix().is_empty() => {
            Duration::try_from_secs_f64(seconds.base10_parse()?).map_err(|error| refused(error.to_string()))?
        }
        Lit::Str(text) => from_text(&text.value()).map_err(refused)?,
        _ => {
            return Err(refused(format!(
                "`{name}` is a number of seconds, a text such as \"5m\", or an expression of type `Duration`"
            )));
        }
    };
    if time.is_zero() {
        return Err(refused(format!("`{name}` is zero: {}", advice_on_zero(name))));
    }
    if !(SHORTEST..=LONGEST).contains(&time) {
        return Err(refused(format!("`{name}` has to be from 1ms to 100 years")));
    }
    Ok(time)
}

fn advice_on_zero(name: &str) -> &'static str {
    match name {
        "ttl" => "nothing would be cached; remove `#[cached]` instead",
        "l1_ttl" => "L1 would keep nothing; the shortest is 1ms",
        "negative_ttl" => "`None` would not be cached; the shortest is 1ms",
        "soft_timeout" => "nobody would wait for a load; the shortest is 1ms",
        "hard_timeout" => "every load would be cut off; the shortest is 1ms",
        _ => "that is no window; leave the option out",
    }
}

fn fraction(lit: &Lit) -> syn::Result<f64> {
    let fraction: f64 = match lit {
        Lit::Int(number) if number.suffix().is_empty() => number.base10_parse()?,
        Lit::Float(number) if ["", "f64"].contains(&number.suffix()) => number.base10_parse()?,
        _ => return Err(Error::new(lit.span(), "`jitter` is a number such as 0.1, or an expression of type `f64`")),
    };
    if (0.0..1.0).contains(&fraction) {
        return Ok(fraction);
    }
    let message = "`jitter` is from 0 up to, but not including, 1: 0.1 takes away up to a tenth of a lifetime";
    Err(Error::new(lit.span(), message))
}

fn format(lit: &Lit) -> syn::Result<&'static str> {
    let Lit::Str(text) = lit else {
        let message = "`codec` is a name such as \"json\", or an expression of type `cache_core::Format`";
        return Err(Error::new(lit.span(), message));
    };
    let name = text.value();
    let found = FORMATS.iter().find(|(known, _)| *known == name);
    found.map(|(_, variant)| *variant).ok_or_else(|| {
        let known: Vec<_> = FORMATS.iter().map(|(known, _)| *known).collect();
        Error::new(lit.span(), format!("`{name}` is no codec; there are: {}", known.join(", ")))
    })
}

/// Numbers, each with its unit: `"1h 30m"`.
fn from_text(text: &str) -> Result<Duration, String> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("the text is empty; write a time such as \"5m\"".into());
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let after = after.trim_start();
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let part = number.parse().ok().and_then(|number| of_unit(number, unit));
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(|| {
            format!("`{text}` is not a time; write numbers with a unit of ms, s, m, h or d, such as \"1h 30m\"")
        })?;
        rest = after.trim_start();
    }
    Ok(total)
}

fn of_unit(number: u64, unit: &str) -> Option<Duration> {
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_sums_of_units() {
        assert_eq!(from_text("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(from_text(" 1h 30 m"), Ok(Duration::from_secs(5400)));
        assert_eq!(from_text("1d2s3ms"), Ok(Duration::new(86_402, 3_000_000)));
    }

    #[test]
    fn a_text_without_number_or_unit_is_refused() {
        for text in ["", " ", "5", "m", "5 fortnights", "-5s", "1.5h", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(from_text(text).is_err(), "{text:?}");
        }
    }
}
