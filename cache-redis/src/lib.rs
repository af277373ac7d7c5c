//! Redis as the shared tier of `cache-core`.
