use std::time::Duration;

use hitesh_chat::{CachePolicy, EngineError, EngineSettings};
use hitesh_domain::{End, IncompleteReason, Owner, Role, SessionId, Source, Step, TurnEvent};

use crate::harness::{Bench, all, ask, ends, memory_store, next_delta, soon};

fn grace(millis: u64) -> EngineSettings {
    EngineSettings { disconnect_grace: Duration::from_millis(millis), ..EngineSettings::default() }
}

#[tokio::test]
async fn a_question_gets_three_steps_and_is_stored_when_its_end_is_told() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "kya hai API?")).await.unwrap();
    bench.call().await.answer("API ek waiter hai");
    let events = all(turn.follow(0)).await;
    assert!(matches!(events[0], (0, TurnEvent::Started(_))));
    assert!(events.iter().enumerate().all(|(index, (number, _))| index as u64 == *number));
    assert_eq!(ends(&events), [End::Completed]);
    let stored = bench.history("s").await;
    let outcome = stored[0].outcome.as_ref().unwrap();
    assert_eq!(outcome.transcript.output(), "API ek waiter hai");
    assert_eq!(outcome.transcript.step(Step::Think).unwrap().content, "t1 t2");
    assert_eq!(outcome.usage().unwrap().total_tokens(), 110);
}

#[tokio::test]
async fn a_piece_reaches_the_reader_while_the_upstream_still_talks() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    let mut reader = turn.follow(0);
    call.say("<output>chai ");
    assert_eq!(next_delta(&mut reader, Step::Output).await, "chai");
    call.say("peete ");
    assert_eq!(next_delta(&mut reader, Step::Output).await, " peete");
}

#[tokio::test]
async fn a_finished_turn_replays_from_the_store_with_its_numbers() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let live = turn.follow(0);
    bench.call().await.answer("ek do teen");
    let live = all(live).await;
    let id = turn.info().turn;
    drop(turn);
    let stored = bench.engine.turn(&Owner::public(), id).await.unwrap().unwrap();
    let replayed = all(stored.follow(0)).await;
    assert_eq!(replayed.len(), live.len());
    assert_eq!(replayed[1..], live[1..]);
    assert_eq!(all(stored.follow(4)).await, live[4..]);
}

#[tokio::test]
async fn a_reader_that_comes_back_with_its_cursor_gets_the_rest() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    call.say("<output>one ");
    let mut first = turn.follow(0);
    next_delta(&mut first, Step::Output).await;
    drop(first);
    let whole = turn.follow(0);
    let rest = turn.follow(3);
    call.say("two</output>");
    call.finish(hitesh_llm::FinishReason::Stop);
    assert_eq!(all(rest).await, all(whole).await[3..]);
}

#[tokio::test]
async fn the_turn_of_readers_who_all_left_stops_after_its_grace_time() {
    let bench = Bench::with(grace(50), memory_store());
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let id = turn.info().turn;
    let call = bench.call().await;
    call.say("<output>half an ans ");
    let mut reader = turn.follow(0);
    next_delta(&mut reader, Step::Output).await;
    drop(turn);
    drop(reader);
    call.dropped().await;
    let turn = bench.engine.turn(&Owner::public(), id).await.unwrap().unwrap();
    let snapshot = soon(turn.ended()).await;
    assert_eq!(snapshot.end, Some(End::Incomplete(IncompleteReason::ReaderLeft)));
    assert_eq!(snapshot.transcript.output(), "half an ans");
    assert_eq!(bench.cached().await, 0);
}

#[tokio::test]
async fn a_reader_who_comes_back_within_the_grace_time_keeps_the_turn_going() {
    let bench = Bench::with(grace(1000), memory_store());
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let id = turn.info().turn;
    let call = bench.call().await;
    drop(turn);
    let turn = bench.engine.turn(&Owner::public(), id).await.unwrap().unwrap();
    // Nothing happens, and that is what is waited for: the grace time passes.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    call.answer("whole");
    assert_eq!(soon(turn.ended()).await.end, Some(End::Completed));
}

#[tokio::test]
async fn a_second_question_is_asked_in_the_light_of_the_first_alone() {
    let bench = Bench::new();
    for (session, question) in [("one", "pehla sawaal"), ("two", "kuch aur")] {
        let turn = bench.engine.start(ask(session, question)).await.unwrap();
        bench.call().await.answer("jawaab");
        soon(turn.ended()).await;
    }
    let _turn = bench.engine.start(ask("one", "aur iska code?")).await.unwrap();
    let request = bench.call().await.request;
    let after: Vec<_> = request.messages[request.stable..].to_vec();
    assert_eq!(after.iter().map(|m| m.role).collect::<Vec<_>>(), [Role::User, Role::Assistant, Role::User]);
    assert!(after[0].content.contains("pehla sawaal") && after[1].content.contains("jawaab"));
    assert!(request.messages.iter().all(|message| !message.content.contains("kuch aur")));
}

#[tokio::test]
async fn a_cached_answer_is_a_turn_of_its_own_in_the_history() {
    let bench = Bench::new();
    let first = bench.engine.start(ask("one", "what is an API?")).await.unwrap();
    bench.call().await.answer("a waiter");
    soon(first.ended()).await;
    let second = bench.engine.start(ask("two", " what  is an API? ")).await.unwrap();
    let snapshot = soon(second.ended()).await;
    assert_eq!((snapshot.source, snapshot.transcript.output()), (Source::Cache, "a waiter"));
    assert_ne!(second.info().turn, first.info().turn);
    assert_eq!(bench.upstream_calls(), 1);
    assert_eq!(bench.history("two").await.len(), 1);
    assert_eq!(bench.engine.performance().tokens.prompt_tokens, 100);
}

#[tokio::test]
async fn bypass_asks_again_and_off_keeps_nothing() {
    let bench = Bench::new();
    for (policy, entries) in [(CachePolicy::Off, 0), (CachePolicy::Bypass, 1), (CachePolicy::Bypass, 1)] {
        let turn = bench.engine.start(hitesh_chat::TurnRequest { cache: policy, ..ask("s", "q") }).await.unwrap();
        bench.call().await.answer("x");
        soon(turn.ended()).await;
        // Another session: the history must not make the question another one.
        bench.engine.erase(&Owner::public(), &"s".parse().unwrap()).await.unwrap();
        assert_eq!(bench.cached().await, entries);
    }
    assert_eq!(bench.upstream_calls(), 3);
}

#[tokio::test]
async fn a_turn_that_is_not_stored_leaves_no_history() {
    let bench = Bench::new();
    let turn = bench.engine.start(hitesh_chat::TurnRequest { store: false, ..ask("s", "q") }).await.unwrap();
    bench.call().await.answer("x");
    assert_eq!(soon(turn.ended()).await.end, Some(End::Completed));
    assert!(bench.history("s").await.is_empty());
    assert_eq!(bench.store.stats().await.unwrap().turns, 0);
}

#[tokio::test]
async fn a_session_has_four_turns_at_once_and_the_server_as_many_as_set() {
    let settings = EngineSettings { max_in_flight: 5, ..EngineSettings::default() };
    let bench = Bench::with(settings, memory_store());
    let mut turns = Vec::new();
    for index in 0..4 {
        turns.push(bench.engine.start(ask("s", &format!("question {index}"))).await.unwrap());
    }
    let fifth = bench.engine.start(ask("s", "question 5")).await;
    assert!(matches!(fifth, Err(EngineError::SessionBusy { limit: 4 })));
    turns.push(bench.engine.start(ask("other", "question 6")).await.unwrap());
    assert!(matches!(bench.engine.start(ask("third", "q")).await, Err(EngineError::Overloaded { .. })));
    for turn in turns {
        bench.engine.stop(&Owner::public(), turn.info().turn).await.unwrap();
    }
    assert!(bench.engine.start(ask("s", "question 7")).await.is_ok());
}

#[tokio::test]
async fn the_same_idempotency_key_is_the_same_turn() {
    let bench = Bench::new();
    let request = || hitesh_chat::TurnRequest { idempotency: Some("key-1".parse().unwrap()), ..ask("s", "q") };
    let (one, two) = tokio::join!(bench.engine.start(request()), bench.engine.start(request()));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.info().turn, two.info().turn);
    bench.call().await.answer("x");
    soon(one.ended()).await;
    assert_eq!(bench.engine.start(request()).await.unwrap().info().turn, one.info().turn);
    assert_eq!(bench.upstream_calls(), 1);
    let mut other = request();
    other.content = "something else".try_into().unwrap();
    assert!(matches!(bench.engine.start(other).await, Err(EngineError::IdempotencyConflict)));
}

#[tokio::test]
async fn a_request_that_came_to_nothing_is_asked_anew_under_its_key() {
    let bench = Bench::new();
    let request = || hitesh_chat::TurnRequest { idempotency: Some("key-1".parse().unwrap()), ..ask("s", "q") };
    let failed = bench.engine.start(request()).await.unwrap();
    for _ in 0..2 {
        drop(bench.call().await);
    }
    assert!(matches!(soon(failed.ended()).await.end, Some(End::Failed(_))));
    let again = bench.engine.start(request()).await.unwrap();
    assert_ne!(again.info().turn, failed.info().turn);
    bench.call().await.answer("x");
    assert_eq!(soon(again.ended()).await.end, Some(End::Completed));
    assert_eq!(bench.engine.start(request()).await.unwrap().info().turn, again.info().turn);
}

#[tokio::test]
async fn a_cached_answer_that_is_not_stored_can_be_followed_for_the_grace_time() {
    let bench = Bench::new();
    let first = bench.engine.start(ask("s", "q")).await.unwrap();
    bench.call().await.answer("x");
    soon(first.ended()).await;
    let hit = bench.engine.start(hitesh_chat::TurnRequest { store: false, ..ask("t", "q") }).await.unwrap();
    let id = hit.info().turn;
    let again = bench.engine.turn(&Owner::public(), id).await.unwrap().unwrap();
    assert_eq!(all(again.follow(0)).await, all(hit.follow(0)).await);
    assert!(bench.engine.turn(&"other".parse().unwrap(), id).await.unwrap().is_none());
}

#[tokio::test]
async fn an_erased_session_stays_erased_when_its_turn_ends_later() {
    let bench = Bench::new();
    let session: SessionId = "s".parse().unwrap();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    call.say("<output>x");
    assert!(bench.engine.erase(&Owner::public(), &session).await.unwrap());
    assert_eq!(soon(turn.ended()).await.end, Some(End::Stopped));
    assert!(bench.history("s").await.is_empty());
    assert!(!bench.engine.erase(&Owner::public(), &session).await.unwrap());
}

#[tokio::test]
async fn another_owners_turn_and_session_do_not_exist() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let other: Owner = "other".parse().unwrap();
    let id = turn.info().turn;
    assert!(bench.engine.turn(&other, id).await.unwrap().is_none());
    assert!(bench.engine.stop(&other, id).await.unwrap().is_none());
    assert!(!bench.engine.erase(&other, &"s".parse().unwrap()).await.unwrap());
    bench.call().await.answer("x");
    soon(turn.ended()).await;
    assert!(bench.engine.turn(&other, id).await.unwrap().is_none());
}
