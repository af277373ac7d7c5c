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
    /// A message of the log was applied.
    Revoked,
    /// Everything was revoked: a message did not follow the one before it.
    Gap,
    /// The same, because the end of the log was not reached in time.
    Behind,
    /// The same, because the log ended before our position.
    Rewound,
    /// The same, because the store was attached to anew.
    Reattached,
    /// L1 had it, and could not serve it without proof.
    Unproven,
    /// A flight was not joined for want of proof.
    JoinRefused,
    /// L2 had what L1 had.
    Validated,
    /// L1 served what it had no proof of before a heartbeat.
    Proven,
}

/// A set of witnesses.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Witnesses(u32);

impl Witnesses {
    pub(super) fn note(&mut self, witness: Witness) {
        self.0 |= 1 << witness as u32;
    }

    pub(super) fn note_if(&mut self, happened: bool, witness: Witness) {
        if happened {
            self.note(witness);
        }
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(super) fn has(self, witness: Witness) -> bool {
        self.0 & 1 << witness as u32 != 0
    }
}
