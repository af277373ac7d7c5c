//! The contract of a backend as a suite of checks.
//!
//! [`conformance!`](crate::conformance) turns each check into a test of its own; [`run`] goes through all of them.
//! Every check draws its own [`Names`](super::Names), so that they can share a server, and runs in real time: where something must
//! expire, it waits for that with a bound.
//!
//! ```
//! # async fn example() {
//! use cache_core::{backend::Memory, testing::conformance};
//!
//! conformance::run(async || Memory::new()).await;
//! # }
//! ```

mod entries;
mod expirations;
mod fills;
mod guards;
mod invalidations;
mod leases;
mod limits;
mod log;
mod steps;

pub use entries::*;
pub use expirations::*;
pub use fills::*;
pub use guards::*;
pub use invalidations::*;
pub use leases::*;
pub use limits::*;
pub use log::*;

use crate::backend::Backend;

/// Makes a test of each check. The argument is an expression that is awaited in each test and gives
/// a backend and something that is kept until the test ends, such as the server.
///
/// ```
/// mod memory {
///     use cache_core::backend::Memory;
///
///     cache_core::conformance!(async { (Memory::new(), ()) });
/// }
/// ```
#[macro_export]
macro_rules! conformance {
    ($make:expr) => {
        $crate::conformance! { @list test($make) }
    };
    (@list $how:ident($make:expr)) => {
        $crate::conformance! { @$how($make)
            missing_marks_are_none,
            a_missing_entry_is_none,
            a_lease_sets_fresh_epochs_and_keeps_them,
            a_lease_is_held_by_one_token_until_another_takes_it,
            a_lease_is_granted_again_to_its_own_token,
            a_lease_finds_an_entry_unless_it_was_seen,
            a_taken_lease_looks_at_no_entry,
            a_held_lease_tells_how_long,
            a_fill_needs_its_token_and_ends_the_lease,
            a_fill_stores_what_it_was_given,
            a_fill_without_a_lease_is_refused,
            an_entry_is_rewritten_with_nothing_of_the_old,
            an_entry_expires,
            a_lease_expires_and_its_holder_is_fenced_off,
            an_extended_lease_outlives_its_first_term,
            only_the_holder_extends_a_lease,
            only_the_holder_releases_a_lease,
            a_put_ends_the_lease_and_takes_present_epochs,
            a_put_gives_missing_marks_an_epoch,
            an_invalidation_removes_entry_and_lease,
            an_invalidation_covers_every_version_both_ways,
            an_invalidation_covers_a_version_that_was_only_put,
            more_versions_than_can_be_kept_fail_closed,
            an_invalidated_mark_is_missing_and_comes_back_fresh,
            an_invalidated_tag_takes_the_mark_of_any_tag_with_it,
            an_invalidated_cache_leaves_tags_alone,
            an_invalidation_of_nothing_is_fine,
            a_late_mark_is_stored_with_its_present_epoch,
            a_late_mark_is_refused_after_any_tag_was_invalidated,
            a_late_mark_is_refused_when_any_tag_is_missing,
            times_to_live_may_be_tiny_or_huge,
            a_frame_may_be_empty_or_large,
            ten_thousand_keys_are_invalidated_in_one_call,
            a_hundred_marks_are_in_order,
            racing_leases_are_granted_once,
            a_probe_answers,
            a_closed_backend_says_so,
            an_invalidation_appends_its_names_after_the_message_before,
            an_invalidation_of_nothing_appends_nothing,
            every_version_that_was_removed_is_announced,
            a_large_batch_is_announced_in_full,
            a_put_announces_its_entry,
            a_fill_announces_nothing,
            following_gives_what_came_after_a_position,
            following_waits_for_a_message,
            following_ends_when_its_time_is_over,
            a_dropped_wait_leaves_the_next_one_alone,
            a_wait_ends_when_the_backend_is_closed,
            a_log_that_is_not_there_has_no_messages,
            attaching_renews_the_namespace_once,
            attaching_may_keep_what_is_there,
            attaching_another_namespace_is_independent,
            attaching_raises_the_longest_staleness_and_never_lowers_it,
            a_beat_tells_the_end_and_the_server,
            racing_invalidations_form_one_chain,
            a_guard_denies_until_it_is_closed,
            a_guard_is_announced_as_what_it_removes,
            closing_one_guard_leaves_the_other,
            a_guard_expires,
            a_guard_is_prolonged_by_opening_it_again,
            a_hold_on_a_key_outlives_invalidations,
            a_hold_on_a_mark_outlives_invalidations,
            a_hold_on_a_mark_ends_by_itself,
            a_guard_does_not_hold_marks,
            a_late_mark_is_refused_while_it_is_held,
            a_guard_covers_other_versions,
            a_guard_denies_versions_that_are_not_registered,
            a_thousand_keys_are_guarded_in_one_call,
            the_head_of_an_entry_tells_its_id_and_epochs,
            an_expired_entry_is_stale_and_else_as_it_was,
            an_expired_entry_that_is_stored_anew_is_fresh,
            an_expiration_ends_leases,
            an_expiration_covers_every_version,
            an_expired_tag_has_a_fresh_epoch_and_remembers_the_one_before,
            an_expired_tag_that_is_invalidated_remembers_nothing,
            a_missing_tag_can_not_expire,
            a_late_mark_is_refused_after_any_tag_expired,
            a_load_across_an_expired_tag_is_stored_as_stale,
            a_hold_on_a_mark_outlives_expirations,
            an_expiration_is_announced_as_such,
            an_expiration_of_nothing_is_fine,
            a_thousand_keys_expire_in_one_call,
        }
    };
    (@test($make:expr) $($check:ident,)+) => {
        $(
            #[::tokio::test]
            async fn $check() {
                let (backend, _kept) = $make.await;
                $crate::testing::conformance::$check(&backend).await;
            }
        )+
    };
    (@run($make:expr) $($check:ident,)+) => {
        $( $crate::testing::conformance::$check(&$make.await).await; )+
    };
}

/// Goes through all checks, each on a backend of its own from `make`.
///
/// # Panics
/// At the first sentence of the contract that the backend does not keep.
pub async fn run<B: Backend>(make: impl AsyncFn() -> B) {
    crate::conformance! { @list run(make()) }
}
