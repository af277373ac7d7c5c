//! Redis as it behaves in front of a real server, which each test starts for itself.

mod conformance;
mod equal;
mod gather;
mod layout;
mod log;
mod recovery;
mod refusals;
mod support;
#[cfg(feature = "tls")]
mod tls;
