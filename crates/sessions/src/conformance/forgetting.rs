//! Erasing, recovering, sweeping.

use hitesh_domain::IncompleteReason;

use super::*;

pub async fn an_erased_session_is_gone_and_the_others_stay(store: Store) {
    let turn = turn_in("s", "forget me");
    store.record(turn.clone(), answer("ok")).await.unwrap();
    begin(&store, &turn_in("s", "open")).await;
    store.record(turn_in("t", "keep me"), answer("ok")).await.unwrap();
    assert!(store.erase(&owner(), &session("s")).await.unwrap());
    assert_eq!(history(&store, "s").await, []);
    assert_eq!(stored(&store, &turn).await, None);
    assert_eq!(store.context(&owner(), &session("s"), 5, None).await.unwrap().turns, []);
    assert_eq!(questions(&history(&store, "t").await), ["keep me"]);
    assert!(!store.erase(&owner(), &session("s")).await.unwrap(), "there is nothing left to erase");
}

pub async fn another_owner_erases_nothing(store: Store) {
    store.record(turn_in("s", "mine"), answer("ok")).await.unwrap();
    assert!(!store.erase(&Owner::try_from("key-2").unwrap(), &session("s")).await.unwrap());
    assert_eq!(questions(&history(&store, "s").await), ["mine"]);
}

pub async fn an_erased_turn_is_not_restored_by_a_later_finish(store: Store) {
    let turn = turn_in("s", "forget me");
    begin(&store, &turn).await;
    store.erase(&owner(), &session("s")).await.unwrap();
    store.checkpoint(turn.info.turn, transcript("late")).await.unwrap();
    store.finish(turn.info.turn, answer("late")).await.unwrap();
    assert_eq!(stored(&store, &turn).await, None);
    assert_eq!(history(&store, "s").await, []);
    assert_eq!(store.recover().await.unwrap(), 0);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.sessions, stats.turns), (0, 0));
}

pub async fn an_erased_session_can_begin_anew(store: Store) {
    let old = turn_in("s", "old");
    begin(&store, &old).await;
    store.erase(&owner(), &session("s")).await.unwrap();
    store.record(turn_in("s", "new"), answer("ok")).await.unwrap();
    store.finish(old.info.turn, answer("late")).await.unwrap();
    assert_eq!(questions(&history(&store, "s").await), ["new"]);
}

pub async fn open_turns_are_recovered_with_their_last_checkpoint(store: Store) {
    let silent = turn_in("s", "silent");
    let talking = turn_in("t", "talking");
    begin(&store, &silent).await;
    begin(&store, &talking).await;
    checkpointed(&store, &talking, transcript("half an ans")).await;
    let before = OffsetDateTime::now_utc();
    assert_eq!(store.recover().await.unwrap(), 2);
    for (turn, partial) in [(silent, Transcript::default()), (talking, transcript("half an ans"))] {
        let found = stored(&store, &turn).await.unwrap();
        assert_eq!(found.partial, None);
        let outcome = found.outcome.unwrap();
        assert_eq!(outcome.end, End::Incomplete(IncompleteReason::Crashed));
        assert_eq!(outcome.transcript, partial);
        assert_eq!(
            (outcome.source, &outcome.provider, &outcome.model),
            (turn.info.source, &turn.info.provider, &turn.info.model)
        );
        assert!(outcome.ended_at >= before && outcome.ended_at <= OffsetDateTime::now_utc());
    }
    let context = async |name| store.context(&owner(), &session(name), 5, None).await.unwrap().turns.len();
    assert_eq!((context("s").await, context("t").await), (0, 1), "only what has output text is context");
    assert_eq!(store.recover().await.unwrap(), 0);
}

pub async fn recovering_leaves_ended_turns_as_they_are(store: Store) {
    let turn = turn_in("s", "whole");
    store.record(turn.clone(), answer("ok")).await.unwrap();
    assert_eq!(store.recover().await.unwrap(), 0);
    assert_eq!(stored(&store, &turn).await.unwrap().outcome, Some(answer("ok")));
}

pub async fn a_recovered_turn_keeps_its_end(store: Store) {
    let turn = turn_in("s", "open");
    begin(&store, &turn).await;
    store.recover().await.unwrap();
    store.finish(turn.info.turn, answer("too late")).await.unwrap();
    let outcome = stored(&store, &turn).await.unwrap().outcome.unwrap();
    assert_eq!(outcome.end, End::Incomplete(IncompleteReason::Crashed));
}

pub async fn sweeping_forgets_old_ended_turns_only(store: Store) {
    let turn = |name, question, seconds| {
        let mut turn = turn_in(name, question);
        turn.info.started_at = at(seconds);
        turn
    };
    store.record(turn("s", "old", 0), answer("ok")).await.unwrap();
    store.record(turn("gone", "old too", 5), answer("ok")).await.unwrap();
    begin(&store, &turn("s", "old but open", 1)).await;
    store.record(turn("s", "at the limit", 10), answer("ok")).await.unwrap();
    store.record(turn("s", "new", 11), answer("ok")).await.unwrap();
    assert_eq!(store.sweep(at(10)).await.unwrap(), 2);
    assert_eq!(questions(&history(&store, "s").await), ["old but open", "at the limit", "new"]);
    assert_eq!(history(&store, "gone").await, []);
    assert!(!store.erase(&owner(), &session("gone")).await.unwrap(), "a session left empty is forgotten");
    assert_eq!(store.sweep(at(10)).await.unwrap(), 0);
}

pub async fn sweeping_takes_any_number_of_turns(store: Store) {
    let records = (0..450).map(|number| {
        let mut turn = turn_in(&format!("s{}", number % 7), "old");
        turn.info.started_at = at(number);
        store.record(turn, ended(End::Stopped, without_output()))
    });
    futures::future::join_all(records).await.into_iter().for_each(Result::unwrap);
    assert_eq!(store.sweep(at(400)).await.unwrap(), 400);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.sessions, stats.turns), (7, 50));
}
