//! Protocols with one rule less. Each must fail, or the checker proves nothing.

/// The rule that is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mutant {
    /// A fill is stored whoever holds the lease.
    NoFence,
    /// An invalidation removes the entry and leaves its lease.
    LeaseSurvives,
    /// The lease is granted although another token holds it.
    LeaseGrantedTwice,
    /// A release ends whichever lease there is.
    ForeignRelease,
    /// An insert leaves the lease of a load under way.
    LeaseSurvivesInsert,
    /// An entry is stored with the epochs of the moment it is stored, not of the moment before its load.
    EpochsCapturedLate,
    /// Epochs are counters, which start again when they were lost.
    TagCounter,
    /// Tags that only the loader knew are stored without asking whether any tag was invalidated meanwhile.
    LateTagUnchecked,
    /// A missing mark counts as unchanged.
    MissingIsUnchanged,
    /// Whatever a flight brings enters L1.
    NoAdmissionCheck,
    /// An invalidation drops the entry from L1 and leaves the flights alone.
    FlightsNotDetached,
    /// The local drop comes before the step in L2 only.
    DropOnlyBefore,
    /// There is no local drop.
    DropForgotten,
    /// L2 is believed although it has not heard of an invalidation.
    DistrustIgnored,
    /// An answer of L2 is believed if L2 knows by now, whether or not it knew when it answered.
    AnswersUndated,
    /// A failed invalidation is queued after the local drop.
    QueuedAfterDrop,
    /// A delivery confirms what is queued when it ends, not what it brought.
    ConfirmedUnsent,
    /// Flights are joined whenever they began.
    JoinedRegardless,
    /// What is there stays in L1 when its successor may not enter.
    OldOutlivesNew,
    /// Of overlapping loads and writes, each enters L1.
    WritesNotRegistered,
    /// Flights are joined although nothing proves that what they bring is fresh enough.
    JoinedUnproven,
    /// L1 serves what nothing proves to be fresh enough.
    ServedUnproven,
    /// A heartbeat proves what was so when it was answered.
    BeatDatedOnReceipt,
    /// A message is not compared with the one before it.
    GapIgnored,
    /// An invalidation is not announced.
    Unannounced,
    /// A heartbeat proves something although the log has more than was read.
    EndIgnored,
    /// Another server is attached to, and its entries live on.
    EpochOutlivesServer,
    /// The local drop comes with the message of it.
    DropWithOwnMessage,
    /// What L1 has is current if L2 has the same, whatever was invalidated.
    ValidatedById,
}

mod tests {
    use super::{
        super::{
            explorer::explore,
            property::Property,
            setting::{
                Operation::{self, Get, Insert, InvalidateKey, InvalidateTag, Refresh},
                Setting,
            },
        },
        Mutant,
    };

    /// With all rules the setting is sound; without one of them the property is broken.
    fn break_it(property: Property, setting: Setting, rule: Mutant) {
        if let Err(example) = explore(setting.clone()) {
            panic!("{:?} is broken with all rules:\n{}", example.broken, example.trace());
        }
        let example = explore(setting.without(rule, property)).err();
        let example = example.unwrap_or_else(|| panic!("{rule:?} went unnoticed"));
        assert_eq!(example.broken, property);
    }

    #[test]
    fn without_the_fence_a_load_in_flight_resurrects() {
        let setting = Setting::new(&[InvalidateKey], &[Get]);
        break_it(Property::NoResurrection, setting.clone(), Mutant::NoFence);
        break_it(Property::Fence, setting, Mutant::NoFence);
    }

    #[test]
    fn a_lease_that_survives_an_invalidation_resurrects() {
        break_it(Property::NoResurrection, Setting::new(&[InvalidateKey], &[Get]), Mutant::LeaseSurvives);
    }

    #[test]
    fn a_lease_that_survives_an_insert_overwrites_it() {
        break_it(Property::NoResurrection, Setting::new(&[Insert], &[Get]), Mutant::LeaseSurvivesInsert);
    }

    #[test]
    fn a_lease_that_is_granted_twice_is_no_lock() {
        break_it(Property::OneLoad, Setting::new(&[Get], &[Get]), Mutant::LeaseGrantedTwice);
    }

    #[test]
    fn a_release_of_what_another_holds_unlocks_a_load() {
        break_it(Property::OneLoad, Setting::new(&[Get, Refresh], &[Get]).faults(1), Mutant::ForeignRelease);
    }

    #[test]
    fn epochs_captured_when_the_load_ends_hide_an_invalidation() {
        break_it(Property::NoResurrection, Setting::new(&[InvalidateTag], &[Get]), Mutant::EpochsCapturedLate);
    }

    #[test]
    fn a_tag_counter_that_was_lost_comes_round_again() {
        break_it(Property::NoResurrection, Setting::new(&[InvalidateTag], &[Get]).losses(1), Mutant::TagCounter);
    }

    #[test]
    fn a_late_tag_that_is_not_checked_hides_an_invalidation() {
        break_it(Property::NoResurrection, Setting::new(&[InvalidateTag], &[Get]).late(), Mutant::LateTagUnchecked);
    }

    #[test]
    fn a_missing_mark_that_counts_as_unchanged_resurrects() {
        break_it(Property::NoResurrection, Setting::new(&[InvalidateTag], &[Get]), Mutant::MissingIsUnchanged);
    }

    #[test]
    fn without_the_admission_check_l1_takes_what_was_invalidated() {
        break_it(Property::Admission, Setting::new(&[InvalidateKey, Get], &[]), Mutant::NoAdmissionCheck);
        let setting = Setting::new(&[InvalidateKey, Get, Get], &[]);
        break_it(Property::ReadYourOwnInvalidations, setting, Mutant::NoAdmissionCheck);
    }

    #[test]
    fn flights_that_are_not_detached_serve_what_was_invalidated() {
        let setting = Setting::new(&[InvalidateKey, Get, Get], &[]);
        break_it(Property::JoiningIsServing, setting.clone(), Mutant::FlightsNotDetached);
        break_it(Property::ReadYourOwnInvalidations, setting, Mutant::FlightsNotDetached);
    }

    #[test]
    fn flights_that_are_joined_regardless_serve_what_was_invalidated() {
        let setting = Setting::new(&[InvalidateTag, Get, Get], &[]);
        break_it(Property::JoiningIsServing, setting.clone(), Mutant::JoinedRegardless);
        break_it(Property::ReadYourOwnInvalidations, setting.clone(), Mutant::JoinedRegardless);
        break_it(Property::JoiningIsServing, setting.late(), Mutant::JoinedRegardless);
    }

    #[test]
    fn a_local_drop_before_the_step_in_l2_is_undone_by_a_reader() {
        let setting = Setting::new(&[InvalidateKey, Get, Get], &[]).warm();
        break_it(Property::ReadYourOwnInvalidations, setting, Mutant::DropOnlyBefore);
    }

    #[test]
    fn without_a_local_drop_l1_goes_on() {
        for operation in [InvalidateKey, InvalidateTag] {
            let setting = Setting::new(&[operation, Get, Get], &[]);
            break_it(Property::ReadYourOwnInvalidations, setting, Mutant::DropForgotten);
        }
    }

    #[test]
    fn without_distrust_a_failed_invalidation_is_forgotten() {
        let by_key = Setting::new(&[InvalidateKey, Get], &[]).warm().failures(1);
        break_it(Property::Distrust, by_key, Mutant::DistrustIgnored);
        let by_late_tag = Setting::new(&[InvalidateTag, Get], &[]).warm().late().failures(1);
        break_it(Property::Distrust, by_late_tag, Mutant::DistrustIgnored);
    }

    #[test]
    fn an_answer_that_is_not_dated_outlives_the_delivery() {
        let setting = Setting::new(&[InvalidateTag, Get], &[]).warm().late().failures(1);
        break_it(Property::Distrust, setting, Mutant::AnswersUndated);
    }

    #[test]
    fn a_failure_that_is_queued_after_the_local_drop_lets_a_reader_in_between() {
        let setting = Setting::new(&[InvalidateKey, Get, Get], &[]).warm().failures(1);
        break_it(Property::Distrust, setting, Mutant::QueuedAfterDrop);
    }

    #[test]
    fn a_delivery_that_confirms_what_it_did_not_bring_loses_it() {
        let setting = Setting::new(&[InvalidateKey, InvalidateKey], &[Get]).failures(2);
        break_it(Property::Distrust, setting, Mutant::ConfirmedUnsent);
    }

    #[test]
    fn what_an_insert_replaces_must_go_even_if_the_insert_may_not_stay() {
        let setting = Setting::new(&[Insert, InvalidateTag, Get], &[]).warm();
        break_it(Property::Admission, setting, Mutant::OldOutlivesNew);
    }

    #[test]
    fn a_write_that_is_not_registered_lets_an_older_load_into_l1() {
        let setting = Setting::new(&[Insert, Get, Get], &[]);
        break_it(Property::ReadYourOwnInvalidations, setting, Mutant::WritesNotRegistered);
    }

    /// A peer that has the entry in L1 calls once, at any of three ticks.
    fn peer(invalidation: Operation, beats: u8) -> Setting {
        Setting::new(&[invalidation], &[Get]).held().followed(2, beats)
    }

    #[test]
    fn a_flight_that_is_joined_without_proof_serves_what_others_invalidated() {
        let setting = Setting::new(&[InvalidateKey], &[Get, Get]).warm().followed(2, 0);
        break_it(Property::BoundedStaleness, setting, Mutant::JoinedUnproven);
    }

    #[test]
    fn l1_that_serves_without_proof_serves_what_others_invalidated() {
        break_it(Property::BoundedStaleness, peer(InvalidateKey, 0), Mutant::ServedUnproven);
    }

    #[test]
    fn a_heartbeat_that_is_dated_on_receipt_proves_too_much() {
        break_it(Property::BoundedStaleness, peer(InvalidateKey, 1), Mutant::BeatDatedOnReceipt);
    }

    #[test]
    fn a_heartbeat_that_ignores_where_the_log_ends_proves_too_much() {
        break_it(Property::BoundedStaleness, peer(InvalidateTag, 1), Mutant::EndIgnored);
    }

    #[test]
    fn a_gap_that_is_ignored_hides_an_invalidation() {
        break_it(Property::BoundedStaleness, peer(InvalidateKey, 2).log_losses(1), Mutant::GapIgnored);
    }

    #[test]
    fn an_invalidation_that_is_not_announced_is_not_heard_of() {
        break_it(Property::BoundedStaleness, peer(InvalidateKey, 1), Mutant::Unannounced);
    }

    #[test]
    fn an_epoch_that_outlives_its_server_resurrects() {
        break_it(Property::NoResurrection, peer(InvalidateKey, 1).failovers(1), Mutant::EpochOutlivesServer);
        break_it(Property::BoundedStaleness, peer(InvalidateKey, 1).failovers(1), Mutant::EpochOutlivesServer);
    }

    #[test]
    fn a_local_drop_that_waits_for_its_own_message_comes_late() {
        let setting = Setting::new(&[InvalidateKey, Get], &[]).held().followed(0, 0);
        break_it(Property::ReadYourOwnInvalidations, setting, Mutant::DropWithOwnMessage);
    }

    #[test]
    fn an_entry_that_is_validated_by_its_name_alone_may_have_been_invalidated() {
        break_it(Property::BoundedStaleness, peer(InvalidateTag, 0), Mutant::ValidatedById);
    }
}
