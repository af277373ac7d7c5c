//! The settings in which everything holds.

use std::env;

use super::{
    explorer::explore,
    setting::{
        Operation::{Get, Insert, InvalidateKey, InvalidateTag, Lookup, Refresh},
        Setting,
    },
    witness::{
        Witness::{
            self, Behind, Cancelled, Delivered, Distrusted, FillRefused, Filled, Gap, HitInL1, JoinRefused, Joined,
            JoinedInVain, KeptOutOfL1, LoadedWithoutLease, Promoted, Proven, Reattached, Revoked, StrayExecuted,
            Unproven, Validated, Waited,
        },
        Witnesses,
    },
};

/// Explores the settings, and wants to have seen all that they are there for.
fn hold(settings: impl IntoIterator<Item = Setting>, wanted: &[Witness]) {
    let mut witnesses = Witnesses::default();
    for setting in settings.into_iter().filter(|setting| setting.depth <= depth()) {
        match explore(setting.deeper(depth())) {
            Ok(seen) => witnesses.add(seen),
            Err(example) => panic!("{:?} is broken:\n{}", example.broken, example.trace()),
        }
    }
    for witness in wanted {
        assert!(witnesses.has(*witness), "{witness:?} was never seen");
    }
}

fn depth() -> u8 {
    env::var("CHECK_DEPTH").map_or(0, |depth| depth.parse().expect("CHECK_DEPTH is a small number"))
}

#[test]
fn readers_next_to_an_invalidation_of_their_key() {
    let setting = Setting::new(&[InvalidateKey, Get, Get], &[Get]);
    hold([setting], &[HitInL1, Joined, Promoted, Filled, FillRefused, KeptOutOfL1, Waited]);
}

#[test]
fn readers_next_to_an_invalidation_of_their_tag() {
    let setting = Setting::new(&[InvalidateTag, Get, Get], &[Get]);
    hold([setting], &[HitInL1, Joined, Promoted, Filled, KeptOutOfL1, Waited]);
}

#[test]
fn readers_next_to_an_invalidation_of_a_tag_that_only_the_loader_knows() {
    let swept = Setting::new(&[InvalidateTag, Get, Get], &[]).late().sweeps(2);
    let shared = Setting::new(&[InvalidateTag, Get, Get], &[Get]).late();
    hold([swept, shared], &[JoinedInVain, FillRefused, KeptOutOfL1, Promoted]);
}

#[test]
fn invalidations_in_two_processes() {
    let declared = Setting::new(&[InvalidateKey, Get], &[InvalidateTag]).commits(2);
    let late = Setting::new(&[InvalidateKey], &[InvalidateTag, Get]).late().warm().commits(2);
    let wide = Setting::new(&[InvalidateKey, Get], &[InvalidateTag, Get]).commits(2);
    let five = Setting::new(&[InvalidateKey, InvalidateTag, Get], &[Get, Get]).late().at_depth(3);
    hold([declared, late, wide.at_depth(1), five], &[Promoted, FillRefused, KeptOutOfL1]);
}

#[test]
fn records_that_l2_loses() {
    let by_key = Setting::new(&[InvalidateKey, Get], &[Get]).losses(2);
    let by_tag = Setting::new(&[InvalidateTag, Get], &[Get]).losses(2);
    let wide = Setting::new(&[InvalidateKey, Get, Get], &[Get]).losses(1).at_depth(1);
    hold([by_key, by_tag.clone(), by_tag.late(), wide], &[FillRefused, Promoted]);
}

#[test]
fn requests_that_are_lost_delayed_or_unanswered() {
    let by_key = Setting::new(&[InvalidateKey, Get], &[Get]).faults(2);
    let by_tag = Setting::new(&[InvalidateTag, Get], &[Get]).late().faults(1);
    let lossy = Setting::new(&[InvalidateTag, Get], &[Get]).late().faults(1).losses(1).at_depth(1);
    let wide = Setting::new(&[InvalidateKey, Get, Get], &[Get]).faults(1).at_depth(1);
    hold([by_key, by_tag, lossy, wide], &[StrayExecuted, LoadedWithoutLease, Waited]);
}

#[test]
fn invalidations_that_fail_and_are_delivered_later() {
    let readers = Setting::new(&[InvalidateKey, Get, Get], &[]).warm().failures(1);
    let peer = Setting::new(&[InvalidateTag, Get], &[Get]).failures(1);
    let late = Setting::new(&[InvalidateTag, Get], &[Get]).late().warm().failures(1);
    let twice = Setting::new(&[InvalidateKey, InvalidateTag], &[Get]).failures(2);
    let faulty = Setting::new(&[InvalidateTag, Get], &[Get]).late().failures(1).faults(1).at_depth(1);
    hold([readers, peer, late, twice, faulty], &[Distrusted, Delivered, LoadedWithoutLease, StrayExecuted]);
}

#[test]
fn callers_that_leave() {
    let by_key = Setting::new(&[InvalidateKey, Get, Get], &[]).leavers(2);
    let by_tag = Setting::new(&[InvalidateTag, Get, Get], &[]).late().leavers(2);
    let shared = Setting::new(&[Get, Get], &[Get]).leavers(1);
    let wide = Setting::new(&[InvalidateKey, Get, Get], &[Get]).leavers(1).at_depth(1);
    hold([by_key, by_tag, shared, wide], &[Cancelled, Joined, Waited]);
}

#[test]
fn refreshes_and_lookups_next_to_readers() {
    let rivals = Setting::new(&[Refresh, Get], &[Refresh]).faults(1);
    let refresh = Setting::new(&[InvalidateKey, Refresh, Get], &[Get]);
    let lookup = Setting::new(&[InvalidateTag, Lookup, Get], &[Get]).warm();
    let five = Setting::new(&[InvalidateKey, Refresh, Get], &[Get, Lookup]).at_depth(3);
    hold([rivals, refresh, lookup, five], &[FillRefused, Joined, Promoted]);
}

#[test]
fn inserts_next_to_readers_and_invalidations() {
    let readers = Setting::new(&[Insert, Get, Get], &[Get]);
    let rivals = Setting::new(&[Insert, Insert, Get], &[Get]);
    let by_key = Setting::new(&[Insert, InvalidateKey, Get], &[]).warm().failures(1);
    let by_tag = Setting::new(&[Insert, InvalidateTag, Get], &[]).warm();
    let peer = Setting::new(&[Insert, Get], &[InvalidateTag]);
    let wide = Setting::new(&[Insert, Get], &[InvalidateTag, Get]).at_depth(1);
    let busy = Setting::new(&[Insert, InvalidateTag, Get], &[Get]).failures(1).at_depth(2);
    hold([readers, rivals, by_key, by_tag, peer, wide, busy], &[HitInL1, KeptOutOfL1, FillRefused, Delivered]);
}

#[test]
fn peers_that_serve_from_l1_across_an_invalidation() {
    let by_key = Setting::new(&[InvalidateKey], &[Get, Get]).warm().followed(2, 1);
    let by_tag = Setting::new(&[InvalidateTag], &[Get]).held().followed(3, 2);
    let late = Setting::new(&[InvalidateTag], &[Get, Get]).late().held().followed(2, 1);
    let insert = Setting::new(&[Insert], &[Get, Get]).held().followed(2, 1);
    let both = Setting::new(&[InvalidateKey, Get], &[Get]).held().followed(2, 1).at_depth(1);
    hold([by_key, by_tag, late, insert, both], &[HitInL1, Revoked, Behind, Unproven, Validated, Proven]);
}

#[test]
fn loads_that_peers_join_across_an_invalidation() {
    let cold = Setting::new(&[InvalidateKey], &[Get, Get]).followed(2, 1);
    let faulty = Setting::new(&[InvalidateKey], &[Get, Get]).held().faults(1).followed(2, 0);
    hold([cold, faulty], &[Joined, JoinRefused, Proven, KeptOutOfL1, LoadedWithoutLease]);
}

#[test]
fn invalidations_that_reach_the_log_late() {
    let failing = Setting::new(&[InvalidateKey], &[Get]).held().failures(1).followed(2, 1);
    hold([failing], &[Delivered, Revoked, Proven]);
}

#[test]
fn logs_that_lose_messages() {
    let setting = Setting::new(&[InvalidateKey], &[Get]).held().followed(2, 2).log_losses(1);
    hold([setting], &[Gap, Behind, Reattached, Proven]);
}

#[test]
fn servers_that_lack_what_their_predecessors_had() {
    let by_key = Setting::new(&[InvalidateKey], &[Get]).held().followed(2, 2).failovers(1);
    let by_tag = Setting::new(&[InvalidateTag], &[Get]).warm().followed(2, 2).failovers(1);
    let wide = Setting::new(&[InvalidateKey], &[Get, Get]).warm().followed(2, 1).failovers(1).at_depth(1);
    hold([by_key, by_tag, wide], &[Promoted, Gap, Reattached, Validated, Proven]);
}

/// A stack is built although its store can't be reached. What comes to its L1 before it is attached to must not be taken for
/// current as of the attachment: what was invalidated in between never reaches it.
#[test]
fn processes_that_attach_late() {
    hold([Setting::new(&[InvalidateKey], &[Get, Get]).warm().followed(2, 1).detached()], &[Revoked]);
}
