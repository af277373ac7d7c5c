//! Documents to values, with errors that say where.

use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result};

pub(super) fn json<T: DeserializeOwned>(document: &str) -> Result<T> {
    // serde_json appends line and column itself.
    serde_json::from_str(document).map_err(|error| unreadable("JSON", &error.to_string()))
}

#[cfg(feature = "toml")]
pub(super) fn toml<T: DeserializeOwned>(document: &str) -> Result<T> {
    toml::from_str(document).map_err(|error| {
        let message = error.message().trim_end();
        let Some(span) = error.span() else {
            return unreadable("TOML", message);
        };
        let (line, column) = position(document, span.start);
        let place = field_at(document, span.start).map(|path| format!("{path}: ")).unwrap_or_default();
        unreadable("TOML", &format!("{place}{message} at line {line} column {column}"))
    })
}

fn unreadable(language: &str, message: &str) -> Error {
    Error::new(ErrorKind::Config, "policy").context(format!("{language}: {message}"))
}

/// Line and column of a byte, both from 1, the column in characters.
#[cfg(feature = "toml")]
fn position(document: &str, offset: usize) -> (usize, usize) {
    let before = document.get(..offset).unwrap_or(document);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The path of the field that is written at a byte, such as `kinds.plan.ttl`.
#[cfg(feature = "toml")]
fn field_at(document: &str, offset: usize) -> Option<String> {
    let table = toml::de::DeTable::parse(document).ok()?;
    path_to(table.get_ref(), offset)
}

#[cfg(feature = "toml")]
fn path_to(table: &toml::de::DeTable<'_>, offset: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let below = value.get_ref().as_table().and_then(|table| path_to(table, offset));
        match below {
            Some(path) => Some(format!("{}.{path}", key.get_ref())),
            None if key.span().contains(&offset) || value.span().contains(&offset) => Some(key.get_ref().to_string()),
            None => None,
        }
    })
}
