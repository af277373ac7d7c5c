//! What tells bytes of one type from bytes of another before they are decoded.

use serde::de::DeserializeOwned;

/// For codecs that carry names.
pub(super) fn of_name<V: DeserializeOwned>(codec: u8) -> u64 {
    u64::from(codec)
}

/// For codecs that don't.
pub(super) fn of_shape<V: DeserializeOwned>(codec: u8) -> u64 {
    u64::from(codec)
}
