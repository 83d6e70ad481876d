use hitesh_domain::{JournalEvent, Step, TurnEvent, TurnId};
use serde::Serialize;

use super::{
    Encoder, frame,
    whole_steps::{StepFrameBody, WholeSteps},
};
use crate::http::bodies::UsageBody;

/// The form with `"deltas": true`: every frame carries its number, and beside the unnamed events there are named ones
/// for the turn, what it waits for, each piece of text, and what it cost.
#[derive(Debug)]
pub(crate) struct DeltaFrames {
    steps: WholeSteps,
    after: Option<u64>,
    /// The number of the last event.
    last: Option<u64>,
    /// What the reader has had already, as far as it was given again.
    had: Vec<u8>,
    /// The number of the last kept event, until the reader has been told to begin anew.
    resync: Option<u64>,
}

#[derive(Serialize)]
struct TurnFrameBody<'a> {
    turn_id: String,
    session_id: &'a str,
    persona: &'a str,
    provider: &'a str,
    model: &'a str,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
}

#[derive(Serialize)]
struct ResyncFrameBody {
    turn_id: String,
    kept: u64,
    reason: &'static str,
}

#[derive(Serialize)]
struct DeltaFrameBody<'a> {
    step: &'static str,
    delta: &'a str,
}

impl DeltaFrames {
    /// For the events of `turn`, from its first.
    pub(crate) fn new(turn: TurnId) -> Self {
        Self { steps: WholeSteps::new(turn), after: None, last: None, had: Vec::new(), resync: None }
    }

    /// For a reader that has had the events up to `after` already. All events have to be given nevertheless: a step
    /// that becomes whole later is shown whole; and should the turn end, because its process died, before the reader's
    /// place, it is told as by [`resync`](Self::resync).
    pub(crate) fn after(self, after: Option<u64>) -> Self {
        Self { after, ..self }
    }

    /// For a reader that has had events which a crash took: those after number `kept`. It is told so by an event without a
    /// number, discards what it has had, and gets all events from the first.
    pub(crate) fn resync(self, kept: u64) -> Self {
        Self { after: None, resync: Some(kept), ..self }
    }
}

impl Encoder for DeltaFrames {
    fn encode(&mut self, number: u64, event: &TurnEvent, out: &mut Vec<u8>) {
        let whole = self.steps.take(number, event);
        let before = self.last.replace(number);
        if self.after.is_some_and(|after| number <= after) {
            // Should the turn end before its reader's place, this is what it gets again.
            let mut had = std::mem::take(&mut self.had);
            self.frames(number, event, whole, &mut had);
            self.had = had;
            return;
        }
        let had = std::mem::take(&mut self.had);
        if let Some(kept) = before
            && self.after.take().is_some_and(|after| after > kept)
        {
            self.lost(kept, out);
            out.extend(had);
        }
        if let Some(kept) = self.resync.take() {
            self.lost(kept, out);
        }
        self.frames(number, event, whole, out);
    }
}

impl DeltaFrames {
    fn lost(&self, kept: u64, out: &mut Vec<u8>) {
        frame::name("resync", out);
        frame::data(&ResyncFrameBody { turn_id: self.steps.turn().to_string(), kept, reason: "crashed" }, out);
    }

    fn frames(&self, number: u64, event: &TurnEvent, whole: Option<StepFrameBody>, out: &mut Vec<u8>) {
        let id = frame::event_id(self.steps.turn(), number);
        match event {
            TurnEvent::Started(info) => {
                let body = TurnFrameBody {
                    turn_id: info.turn.to_string(),
                    session_id: info.session.as_str(),
                    persona: info.persona.as_str(),
                    provider: info.provider.as_str(),
                    model: &info.model,
                    source: info.source.as_str(),
                    replaces: info.replaces.map(|replaces| replaces.turn.to_string()),
                };
                frame::head(&id, Some("turn"), out);
                frame::data(&body, out);
            }
            TurnEvent::Journal(JournalEvent::Status(status)) => {
                frame::head(&id, Some("status"), out);
                frame::data(status, out);
            }
            TurnEvent::Journal(JournalEvent::StepDelta(step, piece)) => delta(&id, *step, piece, out),
            TurnEvent::Journal(JournalEvent::ThinkReasoning(piece)) => delta(&id, Step::Think, piece, out),
            TurnEvent::Journal(JournalEvent::Usage(usage)) => {
                frame::head(&id, Some("usage"), out);
                frame::data(&UsageBody::from(*usage), out);
            }
            TurnEvent::Journal(JournalEvent::StepStarted(_) | JournalEvent::StepFinished(..))
            | TurnEvent::Ended(..) => {}
        }
        if let Some(body) = whole {
            frame::head(&id, None, out);
            frame::data(&body, out);
        }
    }
}

fn delta(id: &str, step: Step, piece: &str, out: &mut Vec<u8>) {
    frame::head(id, Some("delta"), out);
    frame::data(&DeltaFrameBody { step: step.as_str(), delta: piece }, out);
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use hitesh_domain::{End, ErrorCode, IncompleteReason, Replaces, Source, Status, TurnInfo, Usage};
    use time::{OffsetDateTime, macros::datetime};

    use super::*;

    const ENDED_AT: OffsetDateTime = datetime!(2025-01-31 12:00:09 UTC);

    pub(in crate::http::sse) fn turn_id() -> TurnId {
        "0190a0f0-0000-7000-8000-000000000001".parse().unwrap()
    }

    fn started() -> TurnEvent {
        TurnEvent::Started(Arc::new(TurnInfo {
            turn: turn_id(),
            session: "s-1".parse().unwrap(),
            persona: "hitesh".parse().unwrap(),
            provider: "openai".parse().unwrap(),
            model: "gpt-4o-mini".to_owned(),
            source: Source::Model,
            started_at: datetime!(2025-01-31 12:00:00 UTC),
            replaces: None,
            log: None,
        }))
    }

    fn step(step: Step, pieces: &[&str]) -> Vec<TurnEvent> {
        let deltas = pieces.iter().map(|piece| JournalEvent::StepDelta(step, Arc::from(*piece)));
        std::iter::once(JournalEvent::StepStarted(step)).chain(deltas).map(TurnEvent::Journal).collect()
    }

    fn finished(step: Step) -> TurnEvent {
        TurnEvent::Journal(JournalEvent::StepFinished(step, datetime!(2025-01-31 12:00:05.25 UTC)))
    }

    fn usage() -> TurnEvent {
        TurnEvent::Journal(JournalEvent::Usage(Usage { prompt_tokens: 900, completion_tokens: 80, cached_tokens: 0 }))
    }

    pub(in crate::http::sse) fn whole_turn() -> Vec<TurnEvent> {
        let mut events = vec![
            started(),
            TurnEvent::Journal(JournalEvent::Status(Status::Queued { position: 2, wait_seconds: None })),
        ];
        events.extend(step(Step::Analyze, &["Acha", " sawaal"]));
        events.push(finished(Step::Analyze));
        events.extend(step(Step::Think, &["Chai ☕\n"]));
        events.push(finished(Step::Think));
        events.extend(step(Step::Output, &["print(\"", "chai\")"]));
        events.extend([finished(Step::Output), usage(), TurnEvent::Ended(End::Completed, ENDED_AT)]);
        events
    }

    pub(in crate::http::sse) fn cut_turn() -> Vec<TurnEvent> {
        let mut events = vec![started()];
        events.extend(step(Step::Analyze, &["Acha"]));
        events.push(finished(Step::Analyze));
        events.extend(step(Step::Output, &["half an ans"]));
        events.push(TurnEvent::Ended(End::Incomplete(IncompleteReason::Cut), ENDED_AT));
        events
    }

    pub(in crate::http::sse) fn failed_turn() -> Vec<TurnEvent> {
        vec![TurnEvent::Ended(End::Failed(ErrorCode::StoreUnavailable), ENDED_AT)]
    }

    pub(in crate::http::sse) fn encoded(mut encoder: impl Encoder, events: &[TurnEvent]) -> String {
        let mut out = Vec::new();
        for (number, event) in (0..).zip(events) {
            encoder.encode(number, event, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_whole_answer_shows_every_piece_with_its_number() {
        insta::assert_snapshot!(encoded(DeltaFrames::new(turn_id()), &whole_turn()));
    }

    #[test]
    fn a_cut_answer_ends_with_one_error() {
        insta::assert_snapshot!(encoded(DeltaFrames::new(turn_id()), &cut_turn()));
    }

    #[test]
    fn a_turn_that_replaces_another_says_so() {
        let TurnEvent::Started(info) = started() else { panic!("it is the first event") };
        let replaces = Some(Replaces { turn: turn_id(), with_followers: true });
        let event = TurnEvent::Started(Arc::new(TurnInfo { replaces, ..TurnInfo::clone(&info) }));
        insta::assert_snapshot!(encoded(DeltaFrames::new(turn_id()), &[event]));
    }

    #[test]
    fn a_reader_that_saw_what_a_crash_took_is_told_and_gets_all() {
        let all = encoded(DeltaFrames::new(turn_id()), &cut_turn());
        let resynced = encoded(DeltaFrames::new(turn_id()).after(Some(7)).resync(5), &cut_turn());
        let (told, rest) = resynced.split_once("\n\n").unwrap();
        assert_eq!(
            told,
            format!("event: resync\ndata: {{\"turn_id\":\"{}\",\"kept\":5,\"reason\":\"crashed\"}}", turn_id())
        );
        assert_eq!(rest, all);
    }

    #[test]
    fn a_reader_whose_turn_ends_before_its_place_is_told_and_gets_all() {
        let all = encoded(DeltaFrames::new(turn_id()), &cut_turn());
        let beyond = cut_turn().len() as u64;
        // The end of such a turn is numbered far beyond its last kept event.
        let mut encoder = DeltaFrames::new(turn_id()).after(Some(beyond));
        let (mut out, last) = (Vec::new(), beyond - 1);
        for (number, event) in (0..).zip(&cut_turn()) {
            encoder.encode(if number == last { number + End::CRASH_GAP } else { number }, event, &mut out);
        }
        let told = String::from_utf8(out).unwrap().replace(&format!(":{}", last + End::CRASH_GAP), &format!(":{last}"));
        let (resync, rest) = told.split_once("\n\n").unwrap();
        assert!(resync.contains(&format!("\"kept\":{}", last - 1)), "{resync}");
        assert_eq!(rest, all);
    }

    #[test]
    fn reasoning_that_is_shown_is_the_beginning_of_think() {
        let mut events = vec![started(), TurnEvent::Journal(JournalEvent::StepStarted(Step::Think))];
        events.push(TurnEvent::Journal(JournalEvent::ThinkReasoning("Hm.\n\n".into())));
        events.push(TurnEvent::Journal(JournalEvent::StepDelta(Step::Think, "Chai".into())));
        events.push(finished(Step::Think));
        let text = encoded(DeltaFrames::new(turn_id()), &events);
        for shown in [r#"{"step":"think","delta":"Hm.\n\n"}"#, r#"{"step":"think","content":"Hm.\n\nChai""#] {
            assert!(text.contains(shown), "{text}");
        }
    }

    #[test]
    fn a_reader_that_comes_back_anywhere_gets_exactly_the_rest() {
        for turn in [whole_turn(), cut_turn(), failed_turn()] {
            let all = encoded(DeltaFrames::new(turn_id()), &turn);
            for after in 0..turn.len() as u64 {
                let rest = encoded(DeltaFrames::new(turn_id()).after(Some(after)), &turn);
                let until_there = encoded(DeltaFrames::new(turn_id()), &turn[..=after as usize]);
                assert_eq!(until_there + &rest, all, "after {after}");
            }
        }
    }
}
