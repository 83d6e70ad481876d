use hitesh_chat::CachePolicy;
use hitesh_domain::{End, Owner, Source};

use crate::harness::{Bench, all, ask, ends, soon};

#[tokio::test]
async fn equal_questions_at_once_are_one_upstream_call() {
    let bench = Bench::new();
    let mut turns = Vec::new();
    for index in 0..100 {
        turns.push(bench.engine.start(ask(&format!("s{index}"), "same question")).await.unwrap());
    }
    bench.call().await.answer("same answer");
    for turn in &turns {
        assert_eq!(soon(turn.ended()).await.transcript.output(), "same answer");
    }
    assert_eq!(bench.upstream_calls(), 1);
    assert_eq!(turns.iter().filter(|turn| turn.info().source == Source::Joined).count(), 99);
    for index in 0..100 {
        assert_eq!(bench.history(&format!("s{index}")).await.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_is_measured_once_however_many_turns_it_answers() {
    let bench = Bench::new();
    let mut turns = Vec::new();
    for session in ["one", "two"] {
        turns.push(bench.engine.start(ask(session, "docker kya hota hai?")).await.unwrap());
    }
    bench.call().await.answer("It is a tool that packs your app with everything that it needs to run.");
    for turn in &turns {
        soon(turn.ended()).await;
    }
    let cached = bench.engine.start(ask("three", "docker kya hota hai?")).await.unwrap();
    assert_eq!(soon(cached.ended()).await.source, Source::Cache);
    let figures = bench.engine.performance().fidelity;
    assert_eq!(figures.len(), 1);
    assert_eq!((figures[0].persona.as_str(), figures[0].answers), ("hitesh", 1));
    assert!(figures[0].avg_score > 0.0 && figures[0].avg_score < 0.6, "{figures:?}");
    assert!(figures[0].findings.contains(&(hitesh_persona::DepartureKind::WrongLanguage, 1)), "{figures:?}");
}

#[tokio::test]
async fn an_answer_that_is_cut_is_not_measured() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("one", "docker kya hota hai?")).await.unwrap();
    let call = bench.call().await;
    call.say("<output>Docker ek ");
    call.finish(hitesh_llm::FinishReason::Length);
    soon(turn.ended()).await;
    assert_eq!(bench.engine.performance().fidelity, []);
}

#[tokio::test]
async fn a_late_joiner_gets_the_answer_from_its_first_word() {
    let bench = Bench::new();
    let first = bench.engine.start(ask("one", "q")).await.unwrap();
    let call = bench.call().await;
    call.say("<output>one two ");
    let second = bench.engine.start(ask("two", "q")).await.unwrap();
    call.say("three</output>");
    call.finish(hitesh_llm::FinishReason::Stop);
    let (one, two) = (all(first.follow(0)).await, all(second.follow(0)).await);
    // Each turn has a beginning and an end of its own.
    assert_eq!(one[1..one.len() - 1], two[1..two.len() - 1]);
    assert_eq!((ends(&one), ends(&two)), (vec![End::Completed], vec![End::Completed]));
}

#[tokio::test]
async fn the_upstream_call_ends_when_no_turn_wants_it_any_more() {
    let bench = Bench::new();
    let owner = Owner::public();
    let first = bench.engine.start(ask("one", "q")).await.unwrap();
    let second = bench.engine.start(ask("two", "q")).await.unwrap();
    let call = bench.call().await;
    call.say("<output>a ");
    let stopped = bench.engine.stop(&owner, first.info().turn).await.unwrap().unwrap();
    assert_eq!(stopped.end, Some(End::Stopped));
    call.say("b ");
    assert!(second.snapshot().end.is_none());
    bench.engine.stop(&owner, second.info().turn).await.unwrap();
    call.dropped().await;
}

#[tokio::test]
async fn a_question_after_a_stopped_one_is_asked_anew() {
    let bench = Bench::new();
    let first = bench.engine.start(ask("one", "q")).await.unwrap();
    let _call = bench.call().await;
    bench.engine.stop(&Owner::public(), first.info().turn).await.unwrap();
    let second = bench.engine.start(ask("two", "q")).await.unwrap();
    assert_eq!(second.info().source, Source::Model);
    bench.call().await.answer("x");
    assert_eq!(ends(&all(second.follow(0)).await), [End::Completed]);
}

#[tokio::test]
async fn who_bypasses_the_cache_joins_nobody() {
    let bench = Bench::new();
    let _first = bench.engine.start(ask("one", "q")).await.unwrap();
    for policy in [CachePolicy::Bypass, CachePolicy::Off] {
        let request = hitesh_chat::TurnRequest { cache: policy, ..ask("two", "q") };
        assert_eq!(bench.engine.start(request).await.unwrap().info().source, Source::Model);
    }
    for _ in 0..3 {
        bench.call().await;
    }
}

#[tokio::test]
async fn another_owner_shares_nothing() {
    let bench = Bench::new();
    let _first = bench.engine.start(ask("one", "q")).await.unwrap();
    let request = hitesh_chat::TurnRequest { owner: "other".parse().unwrap(), ..ask("one", "q") };
    assert_eq!(bench.engine.start(request).await.unwrap().info().source, Source::Model);
}
