//! stand-in
use tokio::time::Instant;
#[derive(Clone, Copy, Debug, Default)]
pub struct BreakerSettings;
impl BreakerSettings {
    pub(crate) fn check(&self) -> crate::Result<()> {
        Ok(())
    }
}
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BreakerState {
    Closed,
}
pub(crate) struct Breaker;
pub(crate) struct Permit;
impl Breaker {
    pub(crate) fn new(_: BreakerSettings) -> Self {
        Self
    }
    pub(crate) fn admit(&self, _: Instant) -> Option<Permit> {
        Some(Permit)
    }
    pub(crate) fn state(&self, _: Instant) -> BreakerState {
        BreakerState::Closed
    }
    pub(crate) fn openings(&self) -> u64 {
        0
    }
}
impl Permit {
    pub(crate) fn succeeded(self) -> bool {
        false
    }
    pub(crate) fn failed(self, _: Instant) -> bool {
        false
    }
}
