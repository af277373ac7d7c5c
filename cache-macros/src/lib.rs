//! The `#[cached]` attribute of `cache-core`.
