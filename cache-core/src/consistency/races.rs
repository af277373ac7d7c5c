//! Every race that we know of between L1, L2, the origin and processes, what comes of it here, and what shows it.
//!
//! Most tests carry the number of their row (`race_NN_…`); some are scenarios of failure (`aNN_…`), or part of the suite that every
//! backend is held to ([`testing::conformance`](crate::testing), feature `test-util`). All of them are built from gates or a paused
//! clock. A test checks that each one named here exists. "Revoked" is what an invalidation has done that has returned.
//!
//! | # | race | what comes of it | shown by |
//! |---|---|---|---|
//! | 1 | a load that read the origin before a commit fills L2 after the invalidation | its lease is gone: refused | `race_01_a_stale_fill_is_refused` |
//! | 2 | the same load reaches L1 of its own process | its flight is superseded: not admitted | `race_02_a_stale_value_is_not_admitted_here`, `an_invalidation_of_the_key_leaves_nothing_of_a_flight_that_lands_meanwhile` |
//! | 3 | an invalidation is applied while the reply to a fill is under way | not admitted to L1 | `race_03_an_invalidation_between_a_fill_and_its_reply` |
//! | 4 | L2 answers a read, the entry is revoked, and the message is here before the answer | not admitted | `race_04_a_reply_that_is_older_than_an_invalidation_and_arrives_after_it` |
//! | 5 | an entry of L2 is promoted while it is revoked | not admitted, or dropped with the message, within X at the latest | `race_05_a_promotion_overlaps_an_invalidation` |
//! | 6 | a call that begins after an invalidation meets a load from before it | flies by itself, also where only the loader knows the tag | `race_06_a_late_reader_does_not_join_an_old_flight`, `race_06_a_late_reader_is_not_given_what_only_the_loader_knows_to_be_revoked` |
//! | 7 | the same, where this process has not heard of it | a flight is joined only while it is proven within X | `race_07_a_flight_that_is_not_proven_is_not_joined` |
//! | 8 | a reader promotes between the local drop and the step in L2 | dropped again after L2 has answered | `race_08_a_reader_promotes_between_the_local_drop_and_the_store` |
//! | 9 | a process waits for its own message | it does not: it drops before it returns | `race_09_a_process_need_not_hear_of_its_own_invalidation` |
//! | 10 | the log is silent | L1 serves for X, then asks L2 | `race_10_an_entry_that_is_not_proven_is_validated_and_not_moved` |
//! | 11 | something is revoked between the question of a heartbeat and its late answer | the proof dates from the question | `race_11_a_heartbeat_proves_what_was_so_when_it_was_sent` |
//! | 12 | a message is lost on a connection that lives | the heartbeat tells of an end that was not reached: all is revoked | `race_12_a_message_that_never_comes_is_noticed_by_the_heartbeat` |
//! | 13 | messages are sent during a cut | replayed from where it was; nothing else is dropped | `race_13_what_was_missed_during_a_cut_is_replayed_and_nothing_else_is_dropped` |
//! | 14 | a position is read before a subscription takes effect | can't arise: the log is read from a position, nothing is pushed | `a07_an_invalidation_right_after_the_build_is_heard` |
//! | 15 | messages come twice, or not in order | applied in order and once; one that does not follow the last revokes all | `messages_are_applied_in_order_and_once`, `a_gap_revokes_everything_and_reading_goes_on_behind_it` |
//! | 16 | L2 has lost what is revoked, L1 of a peer has not | announced all the same | `race_16_an_invalidation_of_what_the_store_has_lost_is_heard_all_the_same` |
//! | 17 | a tag is revoked during a load | stored with the epoch from before: dead on arrival | `race_17_a_tag_is_invalidated_during_a_load` |
//! | 18 | a mark is lost, made anew and revoked until an old state comes round | can't: epochs are random | `race_18_a_lost_mark_never_comes_round_again` |
//! | 19 | the mark of a tag is evicted | its entries miss once; a mark outlives its entries, and those who use it prolong it | `race_19_a_mark_in_use_is_not_forgotten_and_a_lost_one_costs_a_load` |
//! | 20 | clocks of two processes differ | no wall clock is read | `a11_race_20_no_wall_clock_is_read` |
//! | 21 | reader and writer declare different tags | a miss for who declares one more | `race_21_a_reader_that_names_a_tag_more_misses` |
//! | 22 | a tag that only the loader knows is revoked before its load ends | any revoked tag since the lease refuses late tags | `race_22_any_tag_invalidated_during_a_load_refuses_tags_that_come_late` |
//! | 23 | entry, mark and log are on different servers | can't arise: a cluster is refused, and an invalidation is one step | `a30_a_cluster_is_refused_with_the_reason` |
//! | 24 | an invalidation is announced before it is done | can't arise: both are one step | `racing_invalidations_form_one_chain` |
//! | 25 | a replica that lags is read | can't arise: a replica is refused | `a30_a_replica_is_refused_until_it_is_promoted` |
//! | 26 | a process reads a replica after its own invalidation | as 25 | `a30_a_beat_on_a_replica_fails` |
//! | 27 | a server that lost acknowledged invalidations takes over | the first to notice renews the namespace: nothing old is valid | `a10_what_was_invalidated_after_a_snapshot_is_not_served_from_it`, `a10_a_server_that_comes_back_with_an_older_snapshot_resurrects_nothing`, `a10_a_replica_that_lagged_and_is_promoted_resurrects_nothing` |
//! | 28 | the log is lost, and its positions begin again | the messages form no chain, or the end lies behind: all is revoked | `race_28_a_log_that_is_lost_trimmed_or_forged_empties_l1_and_no_more` |
//! | 29 | a demoted primary keeps its connections | each heartbeat asks for the role: the connection is given up | `a30_the_connection_to_a_demoted_primary_is_given_up` |
//! | 30 | a primary that was cut off goes on | not promised: see [what is not](super#what-is-not-promised) | configure the store against it |
//! | 31 | a promotion takes time, and L1 counts from its end | L1 counts from the question | `race_31_l1_ends_with_the_store_however_late_it_was_asked` |
//! | 32 | an entry is rewritten, or its key given another end, between the question for its time and that for its bytes | its own end is in its bytes, and counts unless what was told is earlier | `a25_an_entry_remains_no_longer_than_its_own_time_to_live`, `a25_an_entry_without_an_end_ends_when_its_time_is_over` |
//! | 33 | "there is none" is cached, and one is created | an entry like others: it gives way to an invalidation or an insert | `race_33_a_cached_nothing_gives_way_to_a_create` |
//! | 34 | two inserts reach the origin in one order and L2 in the other | not promised: the last one wins, in both tiers alike | `race_36_of_two_inserts_at_once_l1_keeps_what_the_store_has_or_nothing` |
//! | 35 | an insert of an older version, after the newer one was evicted | can't arise: no insert is judged by a version; a guarded write stores nothing | `race_39_nothing_is_cached_while_a_guarded_write_runs_and_nothing_old_after_it` |
//! | 36 | two inserts reach L2 in one order and L1 in the other | L1 keeps neither | `race_36_of_two_inserts_at_once_l1_keeps_what_the_store_has_or_nothing` |
//! | 37 | two guarded writes overlap | nothing is cached until both have ended | `race_37_of_two_writes_that_overlap_the_first_to_end_opens_nothing` |
//! | 38 | an invalidation comes during a guarded write | the guard stays; the write has nothing to publish | `race_38_an_invalidation_during_a_write_opens_nothing_and_the_write_publishes_nothing` |
//! | 39 | a process dies between commit and invalidation | the entry went before the commit, and is not cached before the guard ends | `race_39_a_writer_that_dies_leaves_nothing_stale_when_its_guard_has_ended` |
//! | 40 | a commit takes longer than its guard | the guard is prolonged while its process runs; one that was stopped is not promised | `a_write_that_takes_longer_than_its_guard_keeps_it_open` |
//! | 41 | invalidated first, committed after | a mistake of the caller: a reader may load in between. [`Cache::write`](crate::Cache::write) does both | `race_39_nothing_is_cached_while_a_guarded_write_runs_and_nothing_old_after_it` |
//! | 42 | the loader reads a replica of the origin that lags | a [hold-off](crate::At::hold_off) keeps what is loaded out, and no invalidation ends it | `race_42_a_hold_off_outlasts_the_lag_of_the_origins_replica`, `race_42_a_hold_off_of_a_tag_outlasts_a_later_invalidation_of_it` |
//! | 43 | an invalidation removes the entry and leaves the lease | it removes both | `race_43_an_invalidation_of_an_absent_entry_ends_its_lease` |
//! | 44 | a lease ends under a slow loader, and another takes over | the slow one is refused | `race_44_a_loader_that_lost_its_lease_is_fenced_off` |
//! | 45 | a caller is cancelled while its flight holds a lease | the flight goes on in a task of its own; with nobody left it gives the lease back | `a33_a_call_is_dropped_after_every_number_of_polls`, `a33_a_caller_leaves_while_its_flight_is_at_the_store`, `a18_when_all_have_left_the_load_is_cancelled_and_its_lease_given_back` |
//! | 46 | a request is carried out although its answer is lost, or later | a fill finds its token or nothing; an invalidation is an error and repeated; an insert is not repeated | `race_46_a_fill_without_a_reply_is_harmless_whether_or_not_it_took_effect`, `race_46_a_fill_that_takes_effect_after_its_deadline_finds_its_lease_gone`, `race_46_an_invalidation_whose_reply_is_lost_is_an_error_and_retried`, `an_insert_whose_reply_is_lost_is_told_and_leaves_nothing_here` |
//! | 47 | an invalidation fails half-way | told, queued, and L2 distrusted here until it got through; no guard, no commit | `race_47_an_invalidation_that_fails_half_way_is_made_whole`, `race_47_where_no_guard_can_be_opened_nothing_is_committed` |
//! | 48 | a cache is cleared while it is loaded | as 17: the cache and the namespace are marks of every entry | `race_48_clearing_overlaps_loads_of_many_keys` |
//! | 49 | all keys of a fleet miss at once | one load for each; how many run at once is the loader's business | `race_49_a_fleet_whose_every_entry_was_revoked_loads_each_once`, `the_loss_of_the_log_is_no_storm` |
//! | 50 | what was stored together expires together | spread by jitter | `race_50_what_was_stored_together_does_not_expire_together` |
//! | 51 | a load fails after an invalidation whose entry's bytes are still there | an error, not the old value | `race_51_a_load_that_fails_after_an_invalidation_of_its_tag_resurrects_nothing`, `a13_what_was_invalidated_answers_no_failed_load` |
//! | 52 | a machine sleeps, and its monotonic clock with it | not promised for X after it wakes: see [what is not](super#what-is-not-promised) | make the call [validated](crate::At::validated) |
//! | 53 | a cloned machine repeats the tokens of its twin | can't arise: each is drawn from the operating system | `tokens_differ_and_survive_their_bytes` |
//! | 54 | two versions of a program run, and one invalidates | live versions are registered with their cache: all are covered | `race_54_two_versions_live_side_by_side_and_an_invalidation_covers_both`, `race_54_an_invalidation_covers_both_versions_of_a_rolling_deploy`, `race_54_an_invalidation_is_one_call_or_two_when_another_version_lives`, `more_versions_than_can_be_kept_fail_closed` |
//! | 55 | others delete or write records of L2 by hand | L2 is right at once, L1 not before its time to live: others invalidate by a script | `another_program_invalidates_with_the_documented_script`, `a32_what_others_write_to_an_entry_is_a_counted_miss_and_replaced` |
//! | 56 | what a value was made from is revoked, under another key | what it was made from is a tag of it | `any_of_an_entrys_tags_revokes_it_and_no_other_tag_does` |
//! | 57 | a guard is lost while its write runs | others may store meanwhile; the end of the write revokes that | `race_57_a_write_whose_guard_was_lost_leaves_nothing_old_behind`, `whatever_redis_loses_no_revoked_entry_is_ever_valid_again_and_nothing_is_stored_past_a_guard` |
//! | 58 | a call is answered by the origin, a later one by an older flight or by L1 | not promised within X; validated calls and guarded writes together do | `a_validated_read_is_current_whatever_the_log_does`, `a_validated_read_joins_no_flight_and_loads_where_l2_can_not_be_asked` |
