//! Turns in the place of others, and what learners think of answers.

use hitesh_chat::{CachePolicy, EngineError, EngineSettings, OnDisconnect, ReplaceRequest, Turn, TurnRequest};
use hitesh_domain::{End, Feedback, Owner, Rating, Source, TurnId};
use hitesh_sessions::Page;

use crate::harness::{Bench, ask, memory_store, soon};

fn again(turn: TurnId) -> ReplaceRequest {
    ReplaceRequest { owner: Owner::public(), turn, content: None, idempotency: None }
}

fn edit(turn: TurnId, question: &str) -> ReplaceRequest {
    ReplaceRequest { content: Some(question.try_into().unwrap()), ..again(turn) }
}

/// Asks in the session `s` and answers: the turn's id.
async fn answered(bench: &Bench, question: &str) -> TurnId {
    let turn = bench.engine.start(ask("s", question)).await.unwrap();
    bench.call().await.answer(&format!("jawaab: {question}"));
    soon(turn.ended()).await.info.turn
}

async fn replaced(bench: &Bench, request: ReplaceRequest, output: &str) -> Turn {
    let turn = bench.engine.start_replacement(request).await.unwrap();
    bench.call().await.answer(output);
    assert_eq!(soon(turn.ended()).await.end, Some(End::Completed));
    turn
}

/// The session's outputs, or its questions where there is none yet.
async fn outputs(bench: &Bench) -> Vec<String> {
    let text = |turn: hitesh_sessions::StoredTurn| match turn.outcome {
        Some(outcome) => outcome.transcript.output().to_owned(),
        None => format!("{}?", turn.question.as_str()),
    };
    bench.history("s").await.into_iter().map(text).collect()
}

#[tokio::test]
async fn a_regenerated_answer_takes_the_old_ones_place_and_the_old_one_can_be_read() {
    let bench = Bench::new();
    let (first, _) = (answered(&bench, "ek").await, answered(&bench, "do").await);
    let new = replaced(&bench, again(first), "behtar").await;
    assert_eq!(outputs(&bench).await, ["behtar", "jawaab: do"]);
    assert_eq!(new.info().replaces.map(|replaces| replaces.turn), Some(first));
    let old = bench.engine.turn(&Owner::public(), first).await.unwrap().unwrap().snapshot();
    assert_eq!((old.transcript.output(), old.replaced_by), ("jawaab: ek", Some(new.info().turn)));
}

#[tokio::test]
async fn it_is_asked_in_the_light_of_the_turns_before_its_place() {
    let bench = Bench::new();
    answered(&bench, "pehla").await;
    let second = answered(&bench, "doosra").await;
    answered(&bench, "teesra").await;
    let _turn = bench.engine.start_replacement(again(second)).await.unwrap();
    let request = bench.call().await.request;
    let after: String = request.messages[request.stable..].iter().map(|message| message.content.as_str()).collect();
    assert!(after.contains("jawaab: pehla") && after.contains("doosra"), "{after}");
    assert!(!after.contains("jawaab: doosra") && !after.contains("teesra"), "{after}");
}

#[tokio::test]
async fn the_next_question_is_asked_in_the_light_of_the_new_answer() {
    let bench = Bench::new();
    let first = answered(&bench, "ek").await;
    answered(&bench, "do").await;
    replaced(&bench, edit(first, "kuch aur"), "behtar").await;
    assert_eq!(outputs(&bench).await, ["behtar"]);
    let _turn = bench.engine.start(ask("s", "aur?")).await.unwrap();
    let request = bench.call().await.request;
    let after: String = request.messages[request.stable..].iter().map(|message| message.content.as_str()).collect();
    assert!(after.contains("kuch aur") && after.contains("behtar") && !after.contains("jawaab"), "{after}");
    let page = Page { limit: 100, before: None, replaced: true };
    assert_eq!(bench.engine.history(&Owner::public(), &"s".parse().unwrap(), page).await.unwrap().len(), 4);
}

#[tokio::test]
async fn it_reads_no_cache_joins_nobody_and_keeps_its_answer() {
    let bench = Bench::new();
    let first = answered(&bench, "ek").await;
    let running = bench.engine.start_replacement(again(first)).await.unwrap();
    let call = bench.call().await;
    let alone = replaced(&bench, again(first), "y").await;
    assert_eq!(alone.snapshot().source, Source::Model);
    call.answer("z");
    soon(running.ended()).await;
    let cached = bench.engine.start(ask("t", "ek")).await.unwrap();
    let cached = soon(cached.ended()).await;
    assert_eq!((cached.source, cached.transcript.output()), (Source::Cache, "z"));
    assert_eq!(bench.upstream_calls(), 3);
}

#[tokio::test]
async fn until_it_ends_both_are_shown_and_one_that_comes_to_nothing_is_not() {
    let bench = Bench::new();
    let first = answered(&bench, "ek").await;
    let new = bench.engine.start_replacement(again(first)).await.unwrap();
    let _call = bench.call().await;
    assert_eq!(outputs(&bench).await, ["jawaab: ek", "ek?"]);
    bench.engine.stop(&Owner::public(), new.info().turn).await.unwrap();
    assert_eq!(outputs(&bench).await, ["jawaab: ek"]);
}

#[tokio::test]
async fn a_turn_that_runs_has_to_be_stopped_first() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "ek")).await.unwrap();
    let id = turn.info().turn;
    let _call = bench.call().await;
    assert!(matches!(bench.engine.start_replacement(again(id)).await, Err(EngineError::TurnRunning)));
    assert!(matches!(bench.engine.feedback(&Owner::public(), id, None).await, Err(EngineError::TurnRunning)));
    bench.engine.stop(&Owner::public(), id).await.unwrap();
    replaced(&bench, again(id), "x").await;
    assert_eq!(outputs(&bench).await, ["x"]);
}

#[tokio::test]
async fn what_is_not_the_callers_or_not_stored_is_not_found() {
    let bench = Bench::new();
    let mine = answered(&bench, "ek").await;
    let request = TurnRequest { store: false, cache: CachePolicy::Off, ..ask("s", "chupke") };
    let unstored = bench.engine.start(request).await.unwrap();
    bench.call().await.answer("x");
    let unstored = soon(unstored.ended()).await.info.turn;
    let other: Owner = "other".parse().unwrap();
    for (owner, turn) in [(other, mine), (Owner::public(), TurnId::now()), (Owner::public(), unstored)] {
        let request = ReplaceRequest { owner: owner.clone(), ..again(turn) };
        assert!(matches!(bench.engine.start_replacement(request).await, Err(EngineError::TurnNotFound)));
        assert!(matches!(bench.engine.feedback(&owner, turn, None).await, Err(EngineError::TurnNotFound)));
    }
    assert_eq!(bench.upstream_calls(), 2);
}

#[tokio::test]
async fn the_same_key_is_the_same_replacement_and_another_one_is_a_conflict() {
    let bench = Bench::new();
    let (first, second) = (answered(&bench, "ek").await, answered(&bench, "do").await);
    let keyed = |request| ReplaceRequest { idempotency: Some("key-1".parse().unwrap()), ..request };
    let new = replaced(&bench, keyed(again(first)), "x").await;
    let same = bench.engine.start_replacement(keyed(again(first))).await.unwrap();
    assert_eq!(same.info().turn, new.info().turn);
    for other in [edit(first, "ek"), edit(first, "kuch aur"), again(second)] {
        assert!(matches!(bench.engine.start_replacement(keyed(other)).await, Err(EngineError::IdempotencyConflict)));
    }
    let plain = TurnRequest { idempotency: Some("key-1".parse().unwrap()), ..ask("s", "ek") };
    assert!(matches!(bench.engine.start(plain).await, Err(EngineError::IdempotencyConflict)));
    assert_eq!(bench.upstream_calls(), 3);
}

#[tokio::test]
async fn the_limit_of_a_session_counts_replacements() {
    let bench = Bench::new();
    let first = answered(&bench, "ek").await;
    let mut running = Vec::new();
    for _ in 0..4 {
        running.push(bench.engine.start_replacement(again(first)).await.unwrap());
    }
    assert!(matches!(bench.engine.start_replacement(again(first)).await, Err(EngineError::SessionBusy { limit: 4 })));
}

#[tokio::test]
async fn feedback_is_kept_with_its_turn() {
    let bench = Bench::new();
    let turn = answered(&bench, "ek").await;
    for feedback in [Feedback::new(Some(Rating::Up), None), None] {
        bench.engine.feedback(&Owner::public(), turn, feedback.clone()).await.unwrap();
        let shown = bench.engine.turn(&Owner::public(), turn).await.unwrap().unwrap().snapshot();
        assert_eq!(shown.feedback, feedback);
    }
}

#[tokio::test]
async fn a_turn_that_is_to_finish_goes_on_without_readers() {
    let settings = EngineSettings {
        disconnect_grace: std::time::Duration::ZERO,
        on_disconnect: OnDisconnect::Finish,
        ..EngineSettings::default()
    };
    let bench = Bench::with(settings, memory_store());
    let turn = bench.engine.start(ask("s", "ek")).await.unwrap();
    let id = turn.info().turn;
    let call = bench.call().await;
    drop(turn);
    // Nothing happens, and that is what is waited for: with a reader's leave as a reason, it would be over at once.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    call.answer("poora");
    let turn = bench.engine.turn(&Owner::public(), id).await.unwrap().unwrap();
    assert_eq!(soon(turn.ended()).await.transcript.output(), "poora");
}
