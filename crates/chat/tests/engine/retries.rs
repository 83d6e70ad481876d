use std::sync::Arc;

use futures::future::select;
use hitesh_chat::{EngineError, EngineSettings, Personas};
use hitesh_domain::{End, IncompleteReason, JournalEvent, Status, Step, TurnEvent};
use hitesh_llm::{FinishReason, Listed, Provider};
use hitesh_persona::Persona;

use crate::harness::{Bench, all, ask, by_hand, memory_store, next_delta, soon};

#[tokio::test]
async fn what_failed_before_it_was_seen_is_asked_again_and_leaves_no_trace() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let first = bench.call().await;
    first.say("<analy");
    drop(first);
    bench.call().await.answer("chai ready");
    let events = all(turn.follow(0)).await;
    let statuses: Vec<_> = events
        .iter()
        .filter_map(|(_, event)| match event {
            TurnEvent::Journal(JournalEvent::Status(status)) => Some(status.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [Status::Retrying { provider: Some("hand".parse().unwrap()) }]);
    let snapshot = turn.snapshot();
    assert_eq!((snapshot.end, snapshot.transcript.output()), (Some(End::Completed), "chai ready"));
    assert_eq!(bench.upstream_calls(), 2);
    let figures = bench.engine.performance();
    assert_eq!((figures.providers[0].requests, figures.providers[0].errors), (2, 1));
    let stored = bench.history("s").await;
    assert_eq!(stored[0].outcome.as_ref().unwrap().transcript.events().len() + 2, events.len());
}

#[tokio::test]
async fn an_attempt_that_failed_is_counted_before_the_next_one_begins() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    drop(bench.call().await);
    let mut reader = turn.follow(0);
    soon(async { while !matches!(reader.next().await, Some((_, TurnEvent::Journal(JournalEvent::Status(_))))) {} })
        .await;
    let figures = bench.engine.performance();
    assert_eq!((figures.providers[0].requests, figures.providers[0].errors), (1, 1));
}

#[tokio::test]
async fn what_was_seen_is_kept_and_nobody_else_is_asked() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    call.say("<output>half ");
    drop(call);
    assert_eq!(soon(turn.ended()).await.end, Some(End::Incomplete(IncompleteReason::Cut)));
    assert_eq!(bench.upstream_calls(), 1);
}

#[tokio::test]
async fn an_orderly_end_without_an_answer_is_a_failed_attempt() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    bench.call().await.finish(FinishReason::Stop);
    bench.call().await.answer("now");
    assert_eq!(soon(turn.ended()).await.end, Some(End::Completed));
    let tokens = bench.engine.performance().tokens;
    assert_eq!(tokens.prompt_tokens, 200, "both calls cost something");
}

#[tokio::test]
async fn a_new_setup_is_for_new_turns_and_drops_none() {
    let bench = Bench::new();
    let old = bench.engine.start(ask("s", "old")).await.unwrap();
    let old_call = bench.call().await;
    let (other, mut calls) = by_hand("other");
    let persona = Persona::builtin("reviewer").unwrap();
    let id = persona.id().clone();
    let personas = Personas::new(vec![persona], &id).unwrap();
    bench.engine.reconfigure(personas, vec![Listed::unlimited(other as Arc<dyn Provider>)]);
    let new = bench.engine.start(ask("t", "new")).await.unwrap();
    soon(calls.recv()).await.unwrap().answer("from the other");
    old_call.answer("from the old");
    let (old, new) = (soon(old.ended()).await, soon(new.ended()).await);
    assert_eq!(
        (old.transcript.output(), old.provider.as_str(), old.info.persona.as_str()),
        ("from the old", "hand", "hitesh")
    );
    assert_eq!(new.transcript.output(), "from the other");
    assert_eq!((new.provider.as_str(), new.info.persona.as_str()), ("other", "reviewer"));
}

#[tokio::test]
async fn past_the_queue_a_question_is_refused_at_once_and_a_queued_one_is_answered() {
    let settings = EngineSettings { max_in_flight: 1, max_queued: 1, ..EngineSettings::default() };
    let bench = Bench::with(settings, memory_store());
    let running = bench.engine.start(ask("one", "q1")).await.unwrap();
    let call = bench.call().await;
    let (two, three) = (Box::pin(bench.engine.start(ask("two", "q"))), Box::pin(bench.engine.start(ask("three", "q"))));
    // Which of them comes to the queue first is not known.
    let (refused, queued) = soon(select(two, three)).await.factor_first();
    assert!(matches!(refused, Err(EngineError::Overloaded { .. })), "{refused:?}");
    let mut reader = running.follow(0);
    call.say("<output>x ");
    next_delta(&mut reader, Step::Output).await;
    call.say("y</output>");
    call.finish(FinishReason::Stop);
    let queued = soon(queued).await.unwrap();
    bench.call().await.answer("z");
    assert_eq!(soon(queued.ended()).await.end, Some(End::Completed));
}
