use hitesh_domain::{End, JournalEvent, Source, Status, Step, TurnEvent};
use hitesh_llm::FinishReason;

use crate::harness::{Bench, Call, all, ask, soon};

/// A whole answer after reasoning of both kinds: beside the text and in it.
fn answer_after_reasoning(call: Call) {
    call.reason("secret ");
    call.reason("one");
    for piece in ["<thi", "nk>secret two</th", "ink><analyze>a</analyze>"] {
        call.say(piece);
    }
    call.reason("secret three");
    call.say("<think>t</think><output>o</output>");
    call.finish(FinishReason::Stop);
}

fn statuses(events: &[(u64, TurnEvent)]) -> usize {
    let status = |event: &TurnEvent| matches!(event, TurnEvent::Journal(JournalEvent::Status(Status::Reasoning)));
    events.iter().filter(|(_, event)| status(event)).count()
}

#[tokio::test]
async fn reasoning_is_told_as_a_status_and_otherwise_dropped() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    answer_after_reasoning(bench.call().await);
    let events = all(turn.follow(0)).await;
    assert_eq!(statuses(&events), 1);
    assert_eq!(events[1].1, TurnEvent::Journal(JournalEvent::Status(Status::Reasoning)));
    assert!(!format!("{events:?}").contains("secret"), "{events:?}");
}

#[tokio::test]
async fn a_leading_block_alone_is_told_too() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    call.say("<think>secret");
    call.say("</think><output>o</output>");
    call.finish(FinishReason::Stop);
    assert_eq!(statuses(&all(turn.follow(0)).await), 1);
}

#[tokio::test]
async fn no_status_comes_after_a_step_has_begun() {
    let bench = Bench::new();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    call.say("<analyze>a");
    call.reason("secret");
    call.say("</analyze><output>o</output>");
    call.finish(FinishReason::Stop);
    assert_eq!(statuses(&all(turn.follow(0)).await), 0);
}

#[tokio::test]
async fn shown_reasoning_stands_in_think_for_every_reader_and_no_model_is_told_it() {
    let bench = Bench::showing_reasoning();
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    answer_after_reasoning(bench.call().await);
    let live = all(turn.follow(0)).await;

    let stored = bench.history("s").await[0].outcome.clone().unwrap();
    assert_eq!(stored.end, End::Completed);
    let think = stored.transcript.step(Step::Think).unwrap();
    assert_eq!(think.content, "secret one\n\nsecret two\n\nsecret three\n\nt");
    assert_eq!(think.own_text(), "t");
    let journal = live.into_iter().filter_map(|(_, event)| match event {
        TurnEvent::Journal(event) => Some(event),
        TurnEvent::Started(_) | TurnEvent::Ended(..) => None,
    });
    assert_eq!(stored.transcript.events(), journal.collect::<Vec<_>>(), "the replay is what was live");

    let again = bench.engine.start(ask("other", "q")).await.unwrap();
    let from_cache = soon(again.ended()).await;
    assert_eq!(from_cache.source, Source::Cache);
    assert_eq!(from_cache.transcript.step(Step::Think).unwrap().content, think.content);

    for session in ["s", "other"] {
        let _next = bench.engine.start(ask(session, &format!("aur {session}?"))).await.unwrap();
        let call = bench.call().await;
        let prompt: Vec<_> = call.request.messages.iter().map(|message| message.content.as_str()).collect();
        assert!(prompt.iter().any(|text| text.contains("<think>t</think>")), "{session}: {prompt:?}");
        assert!(!prompt.iter().any(|text| text.contains("secret")), "{session}: {prompt:?}");
        call.answer("o");
    }
}
