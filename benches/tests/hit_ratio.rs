//! moka is told of a sample of the hits alone, and must keep what it would keep if it were told of all.

use benches::{Workload, ratios};

#[test]
fn a_sample_of_the_hits_serves_moka_as_well_as_all_of_them() {
    for workload in Workload::ALL {
        let of = ratios(workload, 1_000, 60_000);
        // moka draws its hasher by chance: in a loop, that alone moves its ratio by some points from one run to the next.
        let tolerance = if workload == Workload::Loop { 6.0 } else { 1.5 };
        assert!(of.ours > of.moka - tolerance, "{workload:?}: {of:?}");
    }
}
