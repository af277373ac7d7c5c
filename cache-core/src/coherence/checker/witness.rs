//! What happened at all. A checker that never sees a flight joined has proved nothing about joining.

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Witness {
    HitInL1,
    Joined,
    /// A call left a flight that it had joined, because its value was invalidated before the call began.
    JoinedInVain,
    Promoted,
    KeptOutOfL1,
    Filled,
    FillRefused,
    Waited,
    LoadedWithoutLease,
    Distrusted,
    Delivered,
    Cancelled,
    StrayExecuted,
}

/// A set of witnesses.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Witnesses(u32);

impl Witnesses {
    pub(super) fn note(&mut self, witness: Witness) {
        self.0 |= 1 << witness as u32;
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(super) fn has(self, witness: Witness) -> bool {
        self.0 & 1 << witness as u32 != 0
    }
}
