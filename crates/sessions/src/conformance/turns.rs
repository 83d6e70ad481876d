//! From `begin` to the end.

use futures::future::join_all;
use hitesh_domain::{ErrorCode, IncompleteReason};

use super::*;
use crate::StoreError;

pub async fn a_begun_turn_is_open_once_it_is_durable(store: Store) {
    let turn = turn_in("s", "Docker kya hai?");
    begin(&store, &turn).await;
    let found = stored(&store, &turn).await.unwrap();
    assert_eq!(found.info, turn.info);
    assert_eq!((found.question, found.notes), (turn.question, turn.notes));
    assert_eq!((found.outcome, found.partial), (None, None));
}

pub async fn a_finished_turn_reads_back_as_it_was(store: Store) {
    let turn = turn_in("s", "Docker kya hai?");
    begin(&store, &turn).await;
    let outcome = answer("Dabba hai, bhai.");
    store.finish(turn.info.turn, outcome.clone()).await.unwrap();
    let found = stored(&store, &turn).await.unwrap();
    assert_eq!(found.info, turn.info);
    assert_eq!(found.outcome, Some(outcome));
    assert_eq!(found.partial, None);
    assert_eq!(history(&store, "s").await, [found]);
}

pub async fn a_recorded_turn_has_ended_at_once(store: Store) {
    let turn = turn_in("s", "Docker kya hai?");
    let outcome = answer("Dabba hai, bhai.");
    store.record(turn.clone(), outcome.clone()).await.unwrap();
    let found = stored(&store, &turn).await.unwrap();
    assert_eq!(found.info, turn.info);
    assert_eq!((found.question, found.notes), (turn.question, turn.notes));
    assert_eq!(found.outcome, Some(outcome));
    assert_eq!(store.context(&owner(), &session("s"), 5, None).await.unwrap().turns.len(), 1);
}

pub async fn a_second_finish_changes_nothing(store: Store) {
    let turn = turn_in("s", "Docker kya hai?");
    begin(&store, &turn).await;
    store.finish(turn.info.turn, answer("first")).await.unwrap();
    store.finish(turn.info.turn, ended(End::Stopped, without_output())).await.unwrap();
    assert_eq!(stored(&store, &turn).await.unwrap().outcome, Some(answer("first")));
    assert_eq!(store.context(&owner(), &session("s"), 5, None).await.unwrap().turns.len(), 1);
}

pub async fn finishing_an_unknown_turn_makes_none(store: Store) {
    let turn = turn_in("s", "Docker kya hai?");
    store.finish(turn.info.turn, answer("from nowhere")).await.unwrap();
    store.checkpoint(turn.info.turn, transcript("from nowhere")).await.unwrap();
    assert_eq!(stored(&store, &turn).await, None);
    assert_eq!(store.stats().await.unwrap().turns, 0);
}

pub async fn the_same_turn_twice_is_invalid(store: Store) {
    let turn = turn_in("s", "first");
    begin(&store, &turn).await;
    let again = NewTurn { question: Content::try_from("second").unwrap(), ..turn.clone() };
    let elsewhere = NewTurn { info: TurnInfo { session: session("other"), ..turn.info.clone() }, ..again.clone() };
    for double in [again.clone(), elsewhere] {
        let refused = store.begin(double).await.unwrap().await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
    let refused = store.record(again, answer("second")).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    let turns = history(&store, "s").await;
    assert_eq!(questions(&turns), ["first"]);
    assert_eq!(turns[0].outcome, None);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.sessions, stats.turns), (1, 1));
}

pub async fn every_end_survives(store: Store) {
    use IncompleteReason::*;
    let incomplete = [Cut, Length, NoOutput, Timeout, ReaderLeft, Drained, Crashed, InstanceLost].map(End::Incomplete);
    let failed = [
        ErrorCode::ProviderUnavailable,
        ErrorCode::ProviderUnauthorized,
        ErrorCode::ProviderRejected,
        ErrorCode::ProviderTimeout,
        ErrorCode::StoreUnavailable,
        ErrorCode::Overloaded,
        ErrorCode::Internal,
    ]
    .map(End::Failed);
    for end in [End::Completed, End::Stopped].into_iter().chain(incomplete).chain(failed) {
        let turn = turn_in("s", "kaise?");
        begin(&store, &turn).await;
        let outcome = ended(end, without_output());
        store.finish(turn.info.turn, outcome.clone()).await.unwrap();
        assert_eq!(stored(&store, &turn).await.unwrap().outcome, Some(outcome));
    }
}

pub async fn every_text_survives_byte_for_byte(store: Store) {
    let texts = [
        "☕🍵👨‍👩‍👧 e\u{301} é",
        "चाय और कोड — क्या बात है!",
        "'; DROP TABLE turns; -- \"quoted\" \\n %s",
        "line\r\nline\ttab\u{2028}\u{feff}\u{202e}rtl\u{1}\u{7f}",
        "```python\nprint('hi')\n```",
        &"क".repeat(2000),
        &"😀".repeat(2000),
    ];
    for text in texts {
        let turn = NewTurn { notes: vec![text.to_owned(), String::new()], ..turn_in("s", text) };
        begin(&store, &turn).await;
        let outcome = answer(text);
        store.finish(turn.info.turn, outcome.clone()).await.unwrap();
        let found = stored(&store, &turn).await.unwrap();
        assert_eq!((found.question, found.notes), (turn.question, turn.notes));
        let found = found.outcome.unwrap().transcript;
        assert_eq!(found.output(), text);
        assert_eq!(found.events(), outcome.transcript.events());
    }
}

pub async fn a_checkpoint_is_what_came_so_far(store: Store) {
    let turn = turn_in("s", "Docker kya hai?");
    begin(&store, &turn).await;
    checkpointed(&store, &turn, without_output()).await;
    checkpointed(&store, &turn, transcript("more")).await;
    assert_eq!(stored(&store, &turn).await.unwrap().outcome, None);
    assert_eq!(history(&store, "s").await[0].partial, Some(transcript("more")));
    store.finish(turn.info.turn, answer("all")).await.unwrap();
    assert_eq!(stored(&store, &turn).await.unwrap().partial, None);
}

pub async fn a_checkpoint_after_the_end_changes_nothing(store: Store) {
    let turn = turn_in("s", "Docker kya hai?");
    begin(&store, &turn).await;
    store.finish(turn.info.turn, answer("all")).await.unwrap();
    store.checkpoint(turn.info.turn, without_output()).await.unwrap();
    // Whatever was asked for before is done when this is.
    store.record(turn_in("s", "next"), answer("next")).await.unwrap();
    let found = stored(&store, &turn).await.unwrap();
    assert_eq!((found.outcome, found.partial), (Some(answer("all")), None));
}

pub async fn turns_keep_the_order_in_which_they_began(store: Store) {
    let mut turns = Vec::new();
    let mut durable = Vec::new();
    for number in 0..50 {
        let mut turn = turn_in("s", &number.to_string());
        // Neither a clock that goes back nor the ids may change the order.
        turn.info.started_at = at(-number);
        durable.push(store.begin(turn.clone()).await.unwrap());
        turns.push(turn);
    }
    join_all(durable).await.into_iter().for_each(Result::unwrap);
    for turn in turns.iter().rev() {
        store.finish(turn.info.turn, answer("ok")).await.unwrap();
    }
    let expected: Vec<_> = turns.iter().map(|turn| turn.question.as_str()).collect();
    assert_eq!(questions(&history(&store, "s").await), expected);
    let context = store.context(&owner(), &session("s"), 100, None).await.unwrap();
    assert_eq!(context.turns.iter().map(|turn| turn.question.as_str()).collect::<Vec<_>>(), expected);
}

pub async fn many_turns_at_once_are_each_there_once_and_in_order(store: Store) {
    let callers = (0..40).map(|caller| {
        let store = &store;
        async move {
            let name = format!("session-{}", caller % 8);
            for number in 0..10 {
                let turn = turn_in(&name, &format!("{caller} {number}"));
                let text = format!("answer to {caller} {number}");
                if number % 3 == 0 {
                    store.record(turn, answer(&text)).await.unwrap();
                } else {
                    begin(store, &turn).await;
                    store.checkpoint(turn.info.turn, without_output()).await.unwrap();
                    store.finish(turn.info.turn, answer(&text)).await.unwrap();
                }
            }
        }
    });
    join_all(callers).await;
    for group in 0..8 {
        let turns = history(&store, &format!("session-{group}")).await;
        assert_eq!(turns.len(), 50);
        for caller in (group..40).step_by(8) {
            let own: Vec<_> = questions(&turns).into_iter().filter(|q| q.starts_with(&format!("{caller} "))).collect();
            assert_eq!(own, (0..10).map(|number| format!("{caller} {number}")).collect::<Vec<_>>());
        }
        for turn in turns {
            let text = format!("answer to {}", turn.question.as_str());
            assert_eq!(turn.outcome.unwrap().transcript.output(), text);
        }
    }
}

pub async fn what_was_finished_is_seen_by_the_next_read(store: Store) {
    for number in 1..=50 {
        let turn = turn_in("s", "kaise?");
        begin(&store, &turn).await;
        store.finish(turn.info.turn, answer("aise")).await.unwrap();
        assert!(stored(&store, &turn).await.unwrap().outcome.is_some());
        assert_eq!(store.context(&owner(), &session("s"), 100, None).await.unwrap().turns.len(), number);
    }
}
