//! `ttl = 300`, `jitter = 0.1`, `codec = "json"`: the options that are fields of the policy, checked as far as they can be
//! at compile time.

use std::{fmt::Display, time::Duration};

use proc_macro2::Span;
use syn::{
    Error, Expr, ExprLit, ExprRange, ExprUnary, Ident, Lit, RangeLimits, UnOp, parse::ParseStream, spanned::Spanned,
};

use crate::{args::bare, error::Mistakes, function::mentions};

/// One field of the policy, as it was written.
pub(crate) struct Setting {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Time(Duration),
    Fraction(f64),
    /// Of `cache_core::policy::RefreshAhead`: a part of the time to live.
    After(f64),
    /// The other one: its factor.
    XFetch(f64),
    /// The shortest and the longest time to live.
    Bounds(Duration, Duration),
    BoundsExpr(Box<Expr>, Box<Expr>),
    /// A variant of `cache_core::Format`.
    Format(&'static str),
    /// A variant of `cache_core::policy::Tiers`.
    Tiers(&'static str),
    /// A variant of `cache_core::Compression`.
    Compression(&'static str),
    /// An expression of the field's type, evaluated once.
    Expr(Box<Expr>),
}

impl Value {
    /// The place of an expression.
    pub(crate) fn span(&self) -> Option<Span> {
        match self {
            Self::Expr(expr) | Self::BoundsExpr(expr, _) => Some(expr.span()),
            _ => None,
        }
    }

    /// Whether an expression does.
    pub(crate) fn mentions(&self, name: &Ident) -> bool {
        match self {
            Self::Expr(expr) => mentions(expr, name),
            Self::BoundsExpr(shortest, longest) => mentions(shortest, name) || mentions(longest, name),
            _ => false,
        }
    }
}

const TIMES: [&str; 8] = [
    "ttl",
    "l1_ttl",
    "negative_ttl",
    "stale_while_revalidate",
    "stale_if_error",
    "soft_timeout",
    "hard_timeout",
    "error_backoff",
];

const OTHERS: [&str; 10] = [
    "jitter",
    "codec",
    "compression",
    "compress_above",
    "tiers",
    "refresh_ahead",
    "adaptive",
    "max_loads",
    "max_value_size",
    "enabled",
];

/// The names in settings of the ways to compress, and the variant of each.
const COMPRESSIONS: [(&str, &str); 3] = [("none", "None"), ("lz4", "Lz4"), ("zstd", "Zstd")];

/// The names of the tiers, and the variant of each.
const TIERS: [(&str, &str); 3] = [("both", "Both"), ("l1", "L1"), ("l2", "L2")];

/// The names in settings of each codec, and its variant.
const FORMATS: [(&str, &str); 4] =
    [("json", "Json"), ("bincode", "Bincode"), ("postcard", "Postcard"), ("messagepack", "MessagePack")];

/// What a policy allows: far beyond any use, and no shorter than a shared store can keep.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(100 * 31_557_600);

impl Setting {
    /// Whether an option of this name is one.
    pub(crate) fn is(name: &Ident) -> bool {
        TIMES.iter().chain(&OTHERS).any(|known| name == known)
    }

    pub(crate) fn parse(name: &Ident, input: ParseStream) -> syn::Result<Self> {
        let expr = bare(input.parse()?);
        let value = match (literal(&expr)?, name.to_string().as_str()) {
            (None, "adaptive") => bounds_of(&expr)?,
            (None, _) => Value::Expr(Box::new(expr)),
            (Some(lit), "jitter") => Value::Fraction(fraction(lit)?),
            (Some(lit), "codec") => Value::Format(variant(lit, &FORMATS, "codec", "Format")?),
            (Some(lit), "compression") => {
                Value::Compression(variant(lit, &COMPRESSIONS, "compression", "Compression")?)
            }
            (Some(lit), "tiers") => Value::Tiers(variant(lit, &TIERS, "tiers", "Tiers")?),
            (Some(lit), "refresh_ahead") => refresh_ahead(lit)?,
            (Some(lit), "adaptive") => bounds(lit)?,
            (Some(lit), name @ ("max_loads" | "max_value_size")) => {
                count(name, lit).map(|()| Value::Expr(Box::new(expr.clone())))?
            }
            (Some(Lit::Int(_)), "compress_above") | (Some(_), "enabled") => Value::Expr(Box::new(expr)),
            (Some(lit), name) => Value::Time(time(name, lit)?),
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

/// What the tiers that are written out make pointless.
pub(crate) fn check_tiers(settings: &[Setting], validated: Option<Span>, mistakes: &mut Mistakes) {
    let named = |name: &str| settings.iter().find(|setting| setting.name == name);
    match (named("tiers").map(|setting| &setting.value), validated, named("l1_ttl")) {
        (Some(Value::Tiers("L1")), Some(validated), _) => {
            mistakes.at(
                validated,
                "`validated` asks L2 what is current, and `tiers = \"l1\"` is without; leave one of them out",
            );
        }
        (Some(Value::Tiers("L2")), _, Some(l1_ttl)) => {
            mistakes.at(
                l1_ttl.name.span(),
                "`l1_ttl` has no effect: `tiers = \"l2\"` is without L1; leave one of them out",
            );
        }
        _ => {}
    }
}

/// A synchronous function is cached in L1 alone, and its body runs in the call.
pub(crate) fn check_synchronous(
    settings: &[Setting],
    validated: Option<Span>,
    to_the_end: Option<Span>,
    mistakes: &mut Mistakes,
) {
    const IN_L1: &str = "a synchronous function is cached in L1 alone, because to wait for the shared store would block a thread that the \
                         answer may need; write `async fn`, or leave this out";
    if let Some(validated) = validated {
        mistakes.at(validated, IN_L1);
    }
    for Setting { name, value } in settings {
        match name.to_string().as_str() {
            "tiers" if !matches!(value, Value::Tiers("L1")) => mistakes.at(name.span(), IN_L1),
            "stale_while_revalidate"
            | "stale_if_error"
            | "soft_timeout"
            | "refresh_ahead"
            | "adaptive"
            | "error_backoff"
            | "max_loads" => mistakes.at(name.span(), apart(name)),
            _ => {}
        }
    }
    if let Some(to_the_end) = to_the_end {
        mistakes.at(to_the_end, apart("to_the_end"));
    }
}

fn apart(option: impl Display) -> String {
    format!(
        "`{option}` is about loads that go on apart from their callers, and the body of a synchronous function runs in the call; \
         write `async fn`, or leave it out"
    )
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
        "error_backoff" => "that is no pause; leave the option out",
        "hard_timeout" => "every load would be cut off; the shortest is 1ms",
        _ => "that is no window; leave the option out",
    }
}

/// `0.8`, `"xfetch"`, `"xfetch 2"`
fn refresh_ahead(lit: &Lit) -> syn::Result<Value> {
    let advice = "`refresh_ahead` is a part of the ttl, above 0 and below 1, such as 0.8, or \"xfetch\", or \"xfetch 2\" to be earlier";
    let refused = || Error::new(lit.span(), advice);
    let text = match lit {
        Lit::Str(text) => text.value(),
        Lit::Float(number) => number.base10_digits().to_owned(),
        _ => return Err(refused()),
    };
    let number = |text: &str, most: f64| {
        let number = text.trim().parse::<f64>().ok();
        number.filter(|number| *number > 0.0 && *number <= most).ok_or_else(refused)
    };
    match text.trim().strip_prefix("xfetch") {
        Some("") => Ok(Value::XFetch(1.0)),
        Some(factor) => number(factor, 100.0).map(Value::XFetch),
        None => number(&text, 1.0 - f64::EPSILON).map(Value::After),
    }
}

const BOUNDS: &str = "`adaptive` is the shortest and the longest time to live: \"10s..1h\", or a range of `Duration`s";

/// `"10s..1h"`
fn bounds(lit: &Lit) -> syn::Result<Value> {
    let refused = |message: &str| Error::new(lit.span(), message);
    let Lit::Str(text) = lit else { return Err(refused(BOUNDS)) };
    let text = text.value();
    let (shortest, longest) = text.split_once("..").ok_or_else(|| refused(BOUNDS))?;
    let time = |text: &str| from_text(text).map_err(|message| refused(&message));
    let (shortest, longest) = (time(shortest)?, time(longest)?);
    if shortest >= longest || shortest < SHORTEST || longest > LONGEST {
        return Err(refused("the bounds of `adaptive` are two, the shorter one first, from 1ms to 100 years"));
    }
    Ok(Value::Bounds(shortest, longest))
}

/// `MINUTE..HOUR`
fn bounds_of(expr: &Expr) -> syn::Result<Value> {
    match expr {
        Expr::Range(ExprRange { start: Some(start), end: Some(end), limits: RangeLimits::HalfOpen(_), .. }) => {
            Ok(Value::BoundsExpr(start.clone(), end.clone()))
        }
        _ => Err(Error::new(expr.span(), BOUNDS)),
    }
}

fn count(name: &str, lit: &Lit) -> syn::Result<()> {
    match lit {
        Lit::Int(number) if number.base10_parse::<u64>()? > 0 => Ok(()),
        Lit::Int(_) => {
            let nothing = if name == "max_loads" { "nothing could be loaded" } else { "nothing could be stored" };
            Err(Error::new(
                lit.span(),
                format!("`{name}` is zero: {nothing}; leave it out to have no bound of its own"),
            ))
        }
        _ => Err(Error::new(lit.span(), format!("`{name}` is a number"))),
    }
}

/// A variant of an enum of `cache_core`, by its name in settings.
fn variant(lit: &Lit, known: &[(&str, &'static str)], option: &str, ty: &str) -> syn::Result<&'static str> {
    let Lit::Str(text) = lit else {
        let first = known[0].0;
        let message = format!("`{option}` is a name such as \"{first}\", or an expression of type `cache_core::{ty}`");
        return Err(Error::new(lit.span(), message));
    };
    let name = text.value();
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, variant)| *variant).ok_or_else(|| {
        let known: Vec<_> = known.iter().map(|(known, _)| *known).collect();
        Error::new(lit.span(), format!("`{name}` is none that `{option}` knows; there are: {}", known.join(", ")))
    })
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
