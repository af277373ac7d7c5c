//! `ttl = 300`, `ttl = 0.5`, `ttl = "1h 30m"` or `ttl = LIFETIME`, checked as far as it can be at compile time.

use std::time::Duration;

use syn::{Error, Expr, ExprLit, Lit, parse::ParseStream};

use crate::args::bare;

/// A time to live as it was written.
pub(crate) enum Ttl {
    Fixed(Duration),
    /// An expression of type `Duration`, evaluated once.
    Expr(Expr),
}

impl Ttl {
    pub(crate) fn parse(input: ParseStream) -> syn::Result<Self> {
        let value = bare(input.parse()?);
        let Expr::Lit(ExprLit { lit, .. }) = &value else {
            return Ok(Self::Expr(value));
        };
        let ttl = match lit {
            Lit::Int(seconds) if seconds.suffix().is_empty() => Duration::from_secs(seconds.base10_parse()?),
            Lit::Float(seconds) if seconds.suffix().is_empty() => {
                Duration::try_from_secs_f64(seconds.base10_parse()?).map_err(|error| Error::new(lit.span(), error))?
            }
            Lit::Str(text) => from_text(&text.value()).map_err(|error| Error::new(lit.span(), error))?,
            _ => return Err(Error::new(lit.span(), SHAPES)),
        };
        if ttl.is_zero() {
            return Err(Error::new(lit.span(), "a `ttl` of zero would cache nothing; remove `#[cached]` instead"));
        }
        Ok(Self::Fixed(ttl))
    }
}

const SHAPES: &str = "a `ttl` is a number of seconds, a text such as \"5m\", or an expression of type `Duration`";

/// Numbers, each with its unit: `"1h 30m"`.
fn from_text(text: &str) -> Result<Duration, String> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(SHAPES.into());
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
