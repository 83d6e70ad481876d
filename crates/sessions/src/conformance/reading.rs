//! What is read, and by whom.

use super::*;

pub async fn an_unknown_session_is_empty(store: Store) {
    assert_eq!(history(&store, "s").await, []);
    assert_eq!(store.context(&owner(), &session("s"), 5, None).await.unwrap().turns, []);
    assert_eq!(store.turn(&owner(), TurnId::now()).await.unwrap(), None);
}

pub async fn owners_and_sessions_never_see_each_other(store: Store) {
    let other = Owner::try_from("key-2").unwrap();
    let mine = turn_in("s", "mine");
    let theirs = turn_of(&other, "s", "theirs");
    store.record(mine.clone(), answer("to me")).await.unwrap();
    store.record(theirs.clone(), answer("to them")).await.unwrap();
    store.record(turn_in("t", "elsewhere"), answer("there")).await.unwrap();

    assert_eq!(questions(&history(&store, "s").await), ["mine"]);
    assert_eq!(questions(&history(&store, "t").await), ["elsewhere"]);
    let page = Page { limit: 10, before: None, replaced: false };
    assert_eq!(questions(&store.history(&other, &session("s"), page).await.unwrap()), ["theirs"]);
    assert_eq!(store.history(&other, &session("t"), page).await.unwrap(), []);
    let context = store.context(&other, &session("s"), 10, None).await.unwrap();
    assert_eq!(context.turns.iter().map(|turn| turn.question.as_str()).collect::<Vec<_>>(), ["theirs"]);
    assert_eq!(store.turn(&other, mine.info.turn).await.unwrap(), None);
    assert_eq!(store.turn(&owner(), theirs.info.turn).await.unwrap(), None);
}

pub async fn context_holds_ended_turns_with_output_only(store: Store) {
    use hitesh_domain::{ErrorCode, IncompleteReason};
    let ends = [
        ("whole", answer("a")),
        ("failed", ended(End::Failed(ErrorCode::ProviderTimeout), Transcript::default())),
        ("cut after output", ended(End::Incomplete(IncompleteReason::Cut), transcript("b"))),
        ("cut before output", ended(End::Incomplete(IncompleteReason::NoOutput), without_output())),
        ("stopped after output", ended(End::Stopped, transcript("c"))),
        ("stopped at an empty output", ended(End::Stopped, transcript(""))),
    ];
    for (question, outcome) in ends {
        let turn = turn_in("s", question);
        begin(&store, &turn).await;
        store.finish(turn.info.turn, outcome).await.unwrap();
    }
    let open = turn_in("s", "open");
    begin(&store, &open).await;
    checkpointed(&store, &open, transcript("partial")).await;

    let context = store.context(&owner(), &session("s"), 100, None).await.unwrap();
    let found: Vec<_> = context.turns.iter().map(|turn| turn.question.as_str()).collect();
    assert_eq!(found, ["whole", "cut after output", "stopped after output"]);
    let first = &context.turns[0];
    assert_eq!(first.persona, open.info.persona);
    assert_eq!(first.notes, open.notes);
    assert_eq!(first.transcript, transcript("a"));
    assert_eq!(history(&store, "s").await.len(), 7);
}

pub async fn context_is_the_newest_turns_oldest_first(store: Store) {
    for number in 0..20 {
        let turn = turn_in("s", &number.to_string());
        // Every other turn has no output: they take no place.
        let outcome = if number % 2 == 0 { answer("ok") } else { ended(End::Stopped, without_output()) };
        store.record(turn, outcome).await.unwrap();
    }
    for (turns, expected) in [(0, vec![]), (1, vec!["18"]), (3, vec!["14", "16", "18"])] {
        let context = store.context(&owner(), &session("s"), turns, None).await.unwrap();
        assert_eq!(context.turns.iter().map(|turn| turn.question.as_str()).collect::<Vec<_>>(), expected);
    }
    assert_eq!(store.context(&owner(), &session("s"), usize::MAX, None).await.unwrap().turns.len(), 10);
}

pub async fn pages_of_a_history_join_without_gap_or_double(store: Store) {
    let mut expected = Vec::new();
    for number in 0..23 {
        let turn = turn_in("s", &number.to_string());
        // An open turn has its place too.
        begin(&store, &turn).await;
        if number % 4 != 0 {
            store.finish(turn.info.turn, answer("ok")).await.unwrap();
        }
        begin(&store, &turn_in("other", "noise")).await;
        expected.push(turn.info.turn);
    }
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = store.history(&owner(), &session("s"), Page { limit: 5, before, replaced: false }).await.unwrap();
        let Some(first) = page.first() else { break };
        before = Some(first.info.turn);
        let ids: Vec<_> = page.iter().map(|turn| turn.info.turn).collect();
        found.splice(0..0, ids);
    }
    assert_eq!(found, expected);
    assert_eq!(
        store.history(&owner(), &session("s"), Page { limit: 0, before: None, replaced: false }).await.unwrap(),
        []
    );
}

pub async fn a_page_before_a_foreign_turn_is_empty(store: Store) {
    let other = Owner::try_from("key-2").unwrap();
    let foreign = [turn_in("t", "another session's"), turn_of(&other, "s", "another owner's")];
    store.record(turn_in("s", "mine"), answer("ok")).await.unwrap();
    for turn in &foreign {
        store.record(turn.clone(), answer("ok")).await.unwrap();
    }
    for before in foreign.iter().map(|turn| turn.info.turn).chain([TurnId::now()]) {
        let page = Page { limit: 10, before: Some(before), replaced: false };
        assert_eq!(store.history(&owner(), &session("s"), page).await.unwrap(), []);
    }
}

pub async fn figures_count_sessions_and_turns(store: Store) {
    let figures = async || {
        let stats = store.stats().await.unwrap();
        (stats.sessions, stats.turns)
    };
    assert_eq!(figures().await, (0, 0));
    begin(&store, &turn_in("s", "one")).await;
    store.record(turn_in("s", "two"), answer("ok")).await.unwrap();
    store.record(turn_in("t", "three"), answer("ok")).await.unwrap();
    store.record(turn_of(&Owner::try_from("key-2").unwrap(), "s", "four"), answer("ok")).await.unwrap();
    assert_eq!(figures().await, (3, 4));
    store.erase(&owner(), &session("s")).await.unwrap();
    assert_eq!(figures().await, (2, 2));
    store.sweep(at(1)).await.unwrap();
    assert_eq!(figures().await, (0, 0));
}
