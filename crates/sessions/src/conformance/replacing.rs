//! Turns that take the place of others, and what learners think of answers.

use hitesh_domain::{Comment, Feedback, Rating, Replaces};

use super::*;
use crate::StoreError;

/// The same question once more, in the place of `turn`.
fn again(turn: &NewTurn, question: &str) -> NewTurn {
    replacing(turn, question, false)
}

/// Another question in the place of `turn`.
fn edit(turn: &NewTurn, question: &str) -> NewTurn {
    replacing(turn, question, true)
}

fn replacing(turn: &NewTurn, question: &str, with_followers: bool) -> NewTurn {
    let mut new = turn_of(&turn.owner, turn.info.session.as_str(), question);
    new.info.replaces = Some(Replaces { turn: turn.info.turn, with_followers });
    new
}

fn nothing() -> hitesh_domain::Outcome {
    ended(End::Stopped, without_output())
}

/// Whole turns in the session `s`, in this order.
async fn asked<const N: usize>(store: &Store, questions: [&str; N]) -> [NewTurn; N] {
    let turns = questions.map(|question| turn_in("s", question));
    for turn in &turns {
        store.record(turn.clone(), answer("ok")).await.unwrap();
    }
    turns
}

async fn finish(store: &Store, turn: &NewTurn, outcome: hitesh_domain::Outcome) {
    store.finish(turn.info.turn, outcome).await.unwrap();
}

async fn whole_history(store: &Store) -> Vec<StoredTurn> {
    store.history(&owner(), &session("s"), Page { limit: 10_000, before: None, replaced: true }).await.unwrap()
}

async fn context(store: &Store, before: Option<&NewTurn>) -> Vec<String> {
    let before = before.map(|turn| turn.info.turn);
    let context = store.context(&owner(), &session("s"), 100, before).await.unwrap();
    context.turns.into_iter().map(|turn| turn.question.as_str().to_owned()).collect()
}

async fn replaced_by(store: &Store, turn: &NewTurn) -> Option<TurnId> {
    stored(store, turn).await.unwrap().replaced_by
}

pub async fn a_replacement_takes_the_place_of_the_turn_that_it_replaces(store: Store) {
    let [_, b, _] = asked(&store, ["a", "b", "c"]).await;
    let new = again(&b, "b again");
    begin(&store, &new).await;
    finish(&store, &new, answer("better")).await;
    assert_eq!(questions(&history(&store, "s").await), ["a", "b again", "c"]);
    assert_eq!(context(&store, None).await, ["a", "b again", "c"]);
    assert_eq!(replaced_by(&store, &b).await, Some(new.info.turn));
    let found = stored(&store, &new).await.unwrap();
    assert_eq!((found.info, found.replaced_by), (new.info, None));
}

pub async fn a_replaced_turn_stays_in_the_record_as_it_was(store: Store) {
    let [_, b] = asked(&store, ["a", "b"]).await;
    store.record(again(&b, "b again"), answer("better")).await.unwrap();
    let found = stored(&store, &b).await.unwrap();
    assert_eq!((found.info, found.outcome), (b.info, Some(answer("ok"))));
    assert_eq!(questions(&whole_history(&store).await), ["a", "b", "b again"]);
}

pub async fn a_recorded_replacement_takes_effect_at_once(store: Store) {
    let [a, b] = asked(&store, ["a", "b"]).await;
    store.record(again(&a, "a again"), answer("better")).await.unwrap();
    store.record(again(&b, "b again"), nothing()).await.unwrap();
    assert_eq!(questions(&history(&store, "s").await), ["a again", "b"]);
}

pub async fn while_a_replacement_is_open_both_are_shown_and_the_old_one_counts(store: Store) {
    let [_, b, _] = asked(&store, ["a", "b", "c"]).await;
    let new = edit(&b, "b instead");
    begin(&store, &new).await;
    checkpointed(&store, &new, transcript("half an ans")).await;
    assert_eq!(questions(&history(&store, "s").await), ["a", "b", "b instead", "c"]);
    assert_eq!(context(&store, None).await, ["a", "b", "c"]);
    assert_eq!(replaced_by(&store, &b).await, None);
}

pub async fn a_replacement_without_output_leaves_all_as_it_was(store: Store) {
    let [_, b, _] = asked(&store, ["a", "b", "c"]).await;
    let before = history(&store, "s").await;
    for new in [again(&b, "b again"), edit(&b, "b instead")] {
        begin(&store, &new).await;
        finish(&store, &new, nothing()).await;
        assert_eq!(history(&store, "s").await, before);
        assert_eq!(context(&store, None).await, ["a", "b", "c"]);
        assert_eq!(replaced_by(&store, &new).await, Some(b.info.turn));
    }
    assert_eq!(whole_history(&store).await.len(), 5);
}

pub async fn a_part_of_an_answer_is_enough_to_replace(store: Store) {
    let [a] = asked(&store, ["a"]).await;
    let new = again(&a, "a again");
    begin(&store, &new).await;
    finish(&store, &new, ended(End::Stopped, transcript("half an ans"))).await;
    assert_eq!(questions(&history(&store, "s").await), ["a again"]);
}

pub async fn an_edit_takes_what_followed_out_of_the_context_and_not_out_of_the_record(store: Store) {
    let [_, b, c] = asked(&store, ["a", "b", "c"]).await;
    let open = turn_in("s", "open");
    begin(&store, &open).await;
    let new = edit(&b, "b instead");
    begin(&store, &new).await;
    let later = turn_in("s", "later");
    store.record(later.clone(), answer("ok")).await.unwrap();
    finish(&store, &new, answer("better")).await;
    assert_eq!(questions(&history(&store, "s").await), ["a", "b instead", "later"]);
    // It was asked before the edit, and ends after it.
    finish(&store, &open, answer("too late")).await;
    assert_eq!(context(&store, None).await, ["a", "b instead", "later"]);
    for replaced in [&b, &c, &open] {
        assert_eq!(replaced_by(&store, replaced).await, Some(new.info.turn));
    }
    assert_eq!(stored(&store, &open).await.unwrap().outcome, Some(answer("too late")));
    assert_eq!(questions(&whole_history(&store).await), ["a", "b", "b instead", "c", "open", "later"]);
}

pub async fn a_replaced_turn_can_be_replaced_again(store: Store) {
    let [a, b] = asked(&store, ["a", "b"]).await;
    let first = again(&a, "first");
    store.record(first.clone(), answer("ok")).await.unwrap();
    let second = again(&a, "second");
    store.record(second.clone(), answer("ok")).await.unwrap();
    assert_eq!(replaced_by(&store, &a).await, Some(first.info.turn), "it stays as it was told");
    assert_eq!(replaced_by(&store, &first).await, Some(second.info.turn));
    store.record(edit(&first, "third"), answer("ok")).await.unwrap();
    assert_eq!(questions(&history(&store, "s").await), ["third"]);
    // What an edit took out comes back only where it was.
    store.record(again(&b, "b again"), answer("ok")).await.unwrap();
    assert_eq!(questions(&history(&store, "s").await), ["third", "b again"]);
}

pub async fn of_two_replacements_at_once_the_last_to_end_stays(store: Store) {
    let [a, _] = asked(&store, ["a", "b"]).await;
    let (first, second) = (again(&a, "first"), edit(&a, "second"));
    begin(&store, &first).await;
    begin(&store, &second).await;
    finish(&store, &second, answer("ok")).await;
    assert_eq!(questions(&history(&store, "s").await), ["first", "second"], "an open one waits for its end");
    finish(&store, &first, answer("ok")).await;
    assert_eq!(questions(&history(&store, "s").await), ["first"]);
    assert_eq!(replaced_by(&store, &second).await, Some(first.info.turn));
}

pub async fn a_replacement_that_was_itself_replaced_changes_nothing_more(store: Store) {
    let [a, b] = asked(&store, ["a", "b"]).await;
    let late = again(&b, "late");
    begin(&store, &late).await;
    store.record(edit(&a, "a instead"), answer("ok")).await.unwrap();
    let back = again(&b, "b again");
    store.record(back.clone(), answer("ok")).await.unwrap();
    finish(&store, &late, answer("ok")).await;
    assert_eq!(questions(&history(&store, "s").await), ["a instead", "b again"]);
    assert_eq!(replaced_by(&store, &back).await, None);
}

pub async fn a_second_finish_replaces_nothing(store: Store) {
    let [a] = asked(&store, ["a"]).await;
    let (first, second) = (again(&a, "first"), again(&a, "second"));
    begin(&store, &first).await;
    finish(&store, &first, answer("ok")).await;
    store.record(second, answer("ok")).await.unwrap();
    finish(&store, &first, answer("once more")).await;
    assert_eq!(questions(&history(&store, "s").await), ["second"]);
}

pub async fn context_before_a_turn_ends_before_its_place(store: Store) {
    let [a, b, c] = asked(&store, ["a", "b", "c"]).await;
    let new = again(&b, "b again");
    store.record(new.clone(), answer("ok")).await.unwrap();
    let open = again(&a, "open");
    begin(&store, &open).await;
    assert_eq!(context(&store, Some(&a)).await, [""; 0]);
    assert_eq!(context(&store, Some(&open)).await, [""; 0]);
    assert_eq!(context(&store, Some(&b)).await, ["a"], "also of a turn that was replaced");
    assert_eq!(context(&store, Some(&new)).await, ["a"]);
    assert_eq!(context(&store, Some(&c)).await, ["a", "b again"]);
    assert_eq!(context(&store, Some(&turn_in("s", "unknown"))).await, [""; 0]);
    let newest = store.context(&owner(), &session("s"), 1, Some(c.info.turn)).await.unwrap();
    assert_eq!(newest.turns[0].question.as_str(), "b again");
}

pub async fn what_is_no_turn_of_the_session_can_not_be_replaced(store: Store) {
    let [a] = asked(&store, ["a"]).await;
    let other = Owner::try_from("key-2").unwrap();
    let theirs = turn_of(&other, "s", "theirs");
    store.record(theirs.clone(), answer("ok")).await.unwrap();
    let elsewhere = again(&NewTurn { info: TurnInfo { session: session("t"), ..a.info.clone() }, ..a.clone() }, "x");
    let foreign = again(&NewTurn { owner: owner(), ..theirs.clone() }, "x");
    for wrong in [elsewhere, foreign, again(&turn_in("s", "unknown"), "x"), again(&turn_in("new", "unknown"), "x")] {
        let refused = store.begin(wrong.clone()).await.unwrap().await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
        let refused = store.record(wrong.clone(), answer("ok")).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
        assert_eq!(stored(&store, &wrong).await, None);
    }
    assert_eq!(replaced_by(&store, &a).await, None);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.sessions, stats.turns), (2, 2));
}

pub async fn pages_join_without_gap_or_double_where_turns_were_replaced(store: Store) {
    let mut turns = Vec::new();
    for number in 0..12 {
        let turn = turn_in("s", &number.to_string());
        store.record(turn.clone(), answer("ok")).await.unwrap();
        turns.push(turn);
    }
    for (number, turn) in turns.iter().enumerate().filter(|(number, _)| number % 3 != 2) {
        for attempt in 0..number % 4 {
            let new = again(turn, &format!("{number}.{attempt}"));
            begin(&store, &new).await;
            // The last of one stays open, the last of another comes to nothing.
            match (number, attempt) {
                (7, 2) => {}
                (3, 2) => finish(&store, &new, nothing()).await,
                _ => finish(&store, &new, answer("ok")).await,
            }
        }
    }
    for replaced in [false, true] {
        let whole = Page { limit: 10_000, before: None, replaced };
        let expected = store.history(&owner(), &session("s"), whole).await.unwrap();
        let mut found = Vec::new();
        let mut before = None;
        loop {
            let page = Page { limit: 2, before, replaced };
            let page = store.history(&owner(), &session("s"), page).await.unwrap();
            let Some(first) = page.first() else { break };
            before = Some(first.info.turn);
            found.splice(0..0, page);
        }
        assert_eq!(found, expected);
        assert_eq!(found.len(), if replaced { 24 } else { 13 });
    }
}

pub async fn recovering_decides_about_open_replacements_too(store: Store) {
    let [_, b, c] = asked(&store, ["a", "b", "c"]).await;
    let (silent, talking) = (edit(&b, "silent"), again(&c, "talking"));
    begin(&store, &silent).await;
    begin(&store, &talking).await;
    checkpointed(&store, &talking, transcript("half an ans")).await;
    assert_eq!(store.recover().await.unwrap(), 2);
    assert_eq!(questions(&history(&store, "s").await), ["a", "b", "talking"]);
    assert_eq!(context(&store, None).await, ["a", "b", "talking"]);
    assert_eq!(replaced_by(&store, &silent).await, Some(b.info.turn));
    assert_eq!(replaced_by(&store, &c).await, Some(talking.info.turn));
}

pub async fn erasing_forgets_replaced_turns_and_open_replacements(store: Store) {
    let [a] = asked(&store, ["a"]).await;
    store.record(again(&a, "again"), answer("ok")).await.unwrap();
    let open = edit(&a, "open");
    begin(&store, &open).await;
    assert!(store.erase(&owner(), &session("s")).await.unwrap());
    finish(&store, &open, answer("late")).await;
    assert_eq!(whole_history(&store).await, []);
    assert_eq!(store.stats().await.unwrap().turns, 0);
}

pub async fn sweeping_leaves_the_places_of_those_that_stay(store: Store) {
    let [mut a, mut b, c] = ["a", "b", "c"].map(|question| turn_in("s", question));
    a.info.started_at = at(-20);
    b.info.started_at = at(-20);
    for turn in [&a, &b, &c] {
        store.record(turn.clone(), answer("ok")).await.unwrap();
    }
    let (new, failed, open) = (again(&b, "b again"), again(&a, "failed"), edit(&a, "a instead"));
    store.record(new.clone(), answer("ok")).await.unwrap();
    store.record(failed.clone(), nothing()).await.unwrap();
    begin(&store, &open).await;
    assert_eq!(store.sweep(at(-10)).await.unwrap(), 2);
    assert_eq!(questions(&history(&store, "s").await), ["a instead", "b again", "c"]);
    assert_eq!(questions(&whole_history(&store).await), ["failed", "a instead", "b again", "c"]);
    assert_eq!(context(&store, Some(&c)).await, ["b again"]);
    // They name turns that are no more.
    assert_eq!(stored(&store, &new).await.unwrap().info, new.info);
    assert_eq!(replaced_by(&store, &failed).await, Some(a.info.turn));
    finish(&store, &open, answer("ok")).await;
    assert_eq!(questions(&history(&store, "s").await), ["a instead"]);
    store.record(again(&new, "b once more"), answer("ok")).await.unwrap();
    assert_eq!(questions(&history(&store, "s").await), ["a instead", "b once more"]);
}

fn thought(rating: Option<Rating>, comment: Option<&str>) -> Option<Feedback> {
    Feedback::new(rating, comment.map(|text| Comment::try_from(text.to_owned()).unwrap()))
}

pub async fn the_last_feedback_counts_and_can_be_taken_back(store: Store) {
    let [a, b] = asked(&store, ["a", "b"]).await;
    let all = [
        thought(Some(Rating::Up), None),
        thought(Some(Rating::Down), Some("चाय ☕ 'quoted'")),
        thought(None, Some("only words")),
        None,
        thought(Some(Rating::Up), None),
    ];
    for feedback in all {
        assert!(store.feedback(&owner(), a.info.turn, feedback.clone()).await.unwrap());
        assert_eq!(stored(&store, &a).await.unwrap().feedback, feedback);
    }
    assert_eq!(stored(&store, &b).await.unwrap().feedback, None);
    store.record(again(&a, "again"), answer("ok")).await.unwrap();
    assert!(store.feedback(&owner(), a.info.turn, None).await.unwrap(), "a replaced turn has its feedback too");
}

pub async fn feedback_is_for_ended_turns_of_this_owner(store: Store) {
    let [ended] = asked(&store, ["ended"]).await;
    let open = turn_in("s", "open");
    begin(&store, &open).await;
    let up = || thought(Some(Rating::Up), None);
    assert!(!store.feedback(&owner(), open.info.turn, up()).await.unwrap());
    assert!(!store.feedback(&owner(), TurnId::now(), up()).await.unwrap());
    let other = Owner::try_from("key-2").unwrap();
    assert!(!store.feedback(&other, ended.info.turn, up()).await.unwrap());
    for turn in [&ended, &open] {
        assert_eq!(stored(&store, turn).await.unwrap().feedback, None);
    }
}
