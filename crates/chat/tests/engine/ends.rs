use std::time::Duration;

use hitesh_chat::EngineError;
use hitesh_domain::{End, ErrorCode, IncompleteReason, Owner, Step};
use hitesh_llm::{FinishReason, Phase, ProviderError};

use crate::harness::{Bench, Call, all, ask, ends, next_delta, soon};

type Play = Box<dyn FnOnce(Call)>;

async fn end_of(play: impl FnOnce(Call)) -> (End, Bench) {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    play(bench.call().await);
    let ended = all(turn.follow(0));
    let events = tokio::select! {
        events = ended => events,
        // Whatever is tried again fails for good.
        () = async { loop { drop(bench.call().await) } } => unreachable!(),
    };
    let ends = ends(&events);
    assert_eq!(ends.len(), 1);
    (ends[0], bench)
}

#[tokio::test]
async fn only_a_whole_answer_completes_and_is_cached() {
    let timeout = || ProviderError::Timeout { phase: Phase::Silence, limit: Duration::from_secs(1) };
    let whole = "<analyze>a</analyze><think>t</think><output>o</output>";
    let cut = "<analyze>a</analyze><think>t</think><output>o";
    let cases: Vec<(&str, Play, End, u64)> = vec![
        (
            "whole",
            Box::new(move |c| {
                c.say(whole);
                c.finish(FinishReason::Stop)
            }),
            End::Completed,
            1,
        ),
        (
            "a refusal",
            Box::new(|c| {
                c.say("<output>no</output>");
                c.finish(FinishReason::Refusal)
            }),
            End::Completed,
            0,
        ),
        ("closed without a finish reason", Box::new(move |c| c.say(whole)), End::Incomplete(IncompleteReason::Cut), 0),
        ("closed in the output", Box::new(move |c| c.say(cut)), End::Incomplete(IncompleteReason::Cut), 0),
        ("closed at once", Box::new(drop), End::Failed(ErrorCode::Incomplete), 0),
        (
            "too long",
            Box::new(move |c| {
                c.say(cut);
                c.finish(FinishReason::Length)
            }),
            End::Incomplete(IncompleteReason::Length),
            0,
        ),
        (
            "filtered in the output",
            Box::new(move |c| {
                c.say(cut);
                c.finish(FinishReason::Filtered)
            }),
            End::Incomplete(IncompleteReason::Cut),
            0,
        ),
        (
            "filtered at once",
            Box::new(|c| c.finish(FinishReason::Filtered)),
            End::Failed(ErrorCode::ProviderRejected),
            0,
        ),
        (
            "refused without a word",
            Box::new(|c| c.finish(FinishReason::Refusal)),
            End::Failed(ErrorCode::ProviderRejected),
            0,
        ),
        (
            "no output",
            Box::new(|c| {
                c.say("<analyze>a</analyze>");
                c.finish(FinishReason::Stop)
            }),
            End::Incomplete(IncompleteReason::NoOutput),
            0,
        ),
        ("nothing said", Box::new(|c| c.finish(FinishReason::Stop)), End::Failed(ErrorCode::Incomplete), 0),
        (
            "silent in the middle",
            Box::new(move |c| {
                c.say(cut);
                c.fail(timeout())
            }),
            End::Incomplete(IncompleteReason::Timeout),
            0,
        ),
        ("silent from the start", Box::new(move |c| c.fail(timeout())), End::Failed(ErrorCode::ProviderTimeout), 0),
        (
            "error after the finish reason",
            Box::new(move |c| {
                c.say(whole);
                c.finish_then_fail(FinishReason::Stop, timeout())
            }),
            End::Completed,
            1,
        ),
    ];
    for (name, play, expected, cached) in cases {
        let (end, bench) = end_of(play).await;
        assert_eq!(end, expected, "{name}");
        assert_eq!(bench.cached().await, cached, "{name}");
        let stored = bench.history("s").await;
        assert_eq!(stored[0].outcome.as_ref().map(|outcome| outcome.end), Some(expected), "{name}");
    }
}

#[tokio::test]
async fn a_provider_that_refuses_the_key_is_an_error_of_that_name() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "refuse the key")).await.unwrap();
    assert_eq!(soon(turn.ended()).await.end, Some(End::Failed(ErrorCode::ProviderUnauthorized)));
}

#[tokio::test]
async fn a_panic_of_a_provider_still_ends_the_turn() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "panic now")).await.unwrap();
    assert_eq!(soon(turn.ended()).await.end, Some(End::Failed(ErrorCode::Internal)));
    let again = bench.engine.start(ask("s", "normal")).await.unwrap();
    bench.call().await.answer("x");
    assert_eq!(soon(again.ended()).await.end, Some(End::Completed));
}

#[tokio::test]
async fn stop_keeps_the_part_that_came() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    let mut reader = turn.follow(0);
    call.say("<output>a part ");
    next_delta(&mut reader, Step::Output).await;
    let snapshot = bench.engine.stop(&Owner::public(), turn.info().turn).await.unwrap().unwrap();
    assert_eq!((snapshot.end, snapshot.transcript.output()), (Some(End::Stopped), "a part"));
    assert_eq!(ends(&all(reader).await), [End::Stopped]);
    call.dropped().await;
}

#[tokio::test]
async fn a_drain_lets_turns_end_and_ends_those_that_do_not() {
    let bench = Bench::new();
    let quick = bench.engine.start(ask("one", "quick")).await.unwrap();
    let quick_call = bench.call().await;
    let slow = bench.engine.start(ask("two", "slow")).await.unwrap();
    let slow_call = bench.call().await;
    slow_call.say("<output>so far ");
    let engine = bench.engine.clone();
    let drain = async {
        engine.begin_drain();
        let refused = engine.start(ask("three", "q")).await;
        assert!(matches!(refused, Err(EngineError::Draining)));
        quick_call.answer("done");
        engine.drain(Duration::from_millis(300)).await;
    };
    soon(drain).await;
    assert_eq!(quick.snapshot().end, Some(End::Completed));
    assert_eq!(slow.snapshot().end, Some(End::Incomplete(IncompleteReason::Drained)));
    assert_eq!(bench.history("two").await[0].outcome.as_ref().unwrap().transcript.output(), "so far");
}
