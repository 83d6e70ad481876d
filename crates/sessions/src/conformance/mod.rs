//! What every session store promises, as one test each. A backend's tests call
//! [`conformance_tests!`](crate::conformance_tests) with a future that makes a new empty store, and something that has
//! to live as long (a folder, a server); it is evaluated once for each test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this module is tests: its functions' names say what they check, and a panic is how they fail"
)]

mod claims;
pub mod fixtures;
mod forgetting;
mod model;
mod reading;
mod replacing;
mod turns;

use std::sync::Arc;

use hitesh_domain::{Content, End, Owner, Transcript, TurnId, TurnInfo};
use time::OffsetDateTime;

use self::fixtures::{answer, at, ended, owner, session, transcript, turn_in, turn_of, without_output};
pub use self::{claims::*, forgetting::*, model::*, reading::*, replacing::*, turns::*};
use crate::{NewTurn, Page, SessionStore, StoredTurn};

/// Makes a `#[tokio::test]` of each promise. `$make` is a future of `(Arc<dyn SessionStore>, T)`; the `T` is
/// dropped after the store.
///
/// With `in one world` it makes one test of all: `$world` is what takes long to start, and `$make` gives an empty store in it by
/// the name of a promise. Which promise was being checked stands in the test's output.
#[macro_export]
macro_rules! conformance_tests {
    (in one world $world:expr, $make:expr) => {
        #[tokio::test]
        async fn every_promise_is_kept() {
            let world = $world;
            $crate::conformance_tests! { @list @one_after_the_other (&world, $make) }
        }
    };
    ($make:expr) => {
        $crate::conformance_tests! { @list @each ($make) }
    };
    (@list @$how:ident $with:tt) => {
        $crate::conformance_tests! { @$how $with
            a_begun_turn_is_open_once_it_is_durable, a_finished_turn_reads_back_as_it_was,
            a_recorded_turn_has_ended_at_once, a_second_finish_changes_nothing,
            finishing_an_unknown_turn_makes_none, the_same_turn_twice_is_invalid, every_end_survives,
            every_text_survives_byte_for_byte, a_checkpoint_is_what_came_so_far,
            a_checkpoint_after_the_end_changes_nothing, turns_keep_the_order_in_which_they_began,
            many_turns_at_once_are_each_there_once_and_in_order, what_was_finished_is_seen_by_the_next_read,
            an_unknown_session_is_empty, owners_and_sessions_never_see_each_other,
            context_holds_ended_turns_with_output_only, context_is_the_newest_turns_oldest_first,
            pages_of_a_history_join_without_gap_or_double, a_page_before_a_foreign_turn_is_empty,
            figures_count_sessions_and_turns,
            an_erased_session_is_gone_and_the_others_stay, another_owner_erases_nothing,
            an_erased_turn_is_not_restored_by_a_later_finish, an_erased_session_can_begin_anew,
            open_turns_are_recovered_with_their_last_checkpoint, recovering_leaves_ended_turns_as_they_are,
            a_recovered_turn_keeps_its_end, sweeping_forgets_old_ended_turns_only, sweeping_takes_any_number_of_turns,
            the_first_claim_of_a_key_binds_it, a_key_whose_turn_came_to_nothing_is_bound_anew, a_key_is_bound_for_its_owner_only, of_many_claims_at_once_one_binds,
            erasing_a_session_frees_its_keys, recovering_frees_keys_whose_turn_never_began,
            a_replacement_takes_the_place_of_the_turn_that_it_replaces,
            a_replaced_turn_stays_in_the_record_as_it_was,
            a_recorded_replacement_takes_effect_at_once,
            while_a_replacement_is_open_both_are_shown_and_the_old_one_counts,
            a_replacement_without_output_leaves_all_as_it_was,
            a_part_of_an_answer_is_enough_to_replace,
            an_edit_takes_what_followed_out_of_the_context_and_not_out_of_the_record,
            a_replaced_turn_can_be_replaced_again,
            of_two_replacements_at_once_the_last_to_end_stays,
            a_replacement_that_was_itself_replaced_changes_nothing_more,
            a_second_finish_replaces_nothing,
            context_before_a_turn_ends_before_its_place,
            what_is_no_turn_of_the_session_can_not_be_replaced,
            pages_join_without_gap_or_double_where_turns_were_replaced,
            recovering_decides_about_open_replacements_too,
            erasing_forgets_replaced_turns_and_open_replacements,
            sweeping_leaves_the_places_of_those_that_stay,
            the_last_feedback_counts_and_can_be_taken_back,
            feedback_is_for_ended_turns_of_this_owner,
            any_life_of_a_session_is_as_a_list_in_memory_says,
        }
    };
    (@one_after_the_other ($world:expr, $make:expr) $($promise:ident),+ $(,)?) => {
        $(
            eprintln!("{}", stringify!($promise));
            $crate::conformance::$promise($make($world, stringify!($promise))).await;
        )+
    };
    (@each ($make:expr) $($promise:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let (store, _world) = $make.await;
                $crate::conformance::$promise(store).await;
            }
        )+
    };
}

type Store = Arc<dyn SessionStore>;

async fn begin(store: &Store, turn: &NewTurn) {
    store.begin(turn.clone()).await.unwrap().await.unwrap();
}

async fn stored(store: &Store, turn: &NewTurn) -> Option<StoredTurn> {
    store.turn(&turn.owner, turn.info.turn).await.unwrap()
}

async fn history(store: &Store, name: &str) -> Vec<StoredTurn> {
    store.history(&owner(), &session(name), Page { limit: 10_000, before: None, replaced: false }).await.unwrap()
}

fn questions(turns: &[StoredTurn]) -> Vec<&str> {
    turns.iter().map(|turn| turn.question.as_str()).collect()
}

/// Waits until a checkpoint arrived. Nobody is told when it does, so there is no event to wait for.
async fn checkpointed(store: &Store, turn: &NewTurn, partial: Transcript) {
    store.checkpoint(turn.info.turn, partial.clone()).await.unwrap();
    let started = std::time::Instant::now();
    while stored(store, turn).await.unwrap().partial.as_ref() != Some(&partial) {
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "the checkpoint does not arrive");
    }
}
