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
mod reading;
mod turns;

use std::sync::Arc;

use hitesh_domain::{Content, End, Owner, Transcript, TurnId, TurnInfo};
use time::OffsetDateTime;

use self::fixtures::{answer, at, ended, owner, session, transcript, turn_in, turn_of, without_output};
pub use self::{claims::*, forgetting::*, reading::*, turns::*};
use crate::{NewTurn, Page, SessionStore, StoredTurn};

/// Makes a `#[tokio::test]` of each promise. `$make` is a future of `(Arc<dyn SessionStore>, T)`; the `T` is
/// dropped after the store.
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests! { @each $make;
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
        }
    };
    (@each $make:expr; $($promise:ident),+ $(,)?) => {
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
    store.history(&owner(), &session(name), Page { limit: 10_000, before: None }).await.unwrap()
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
