use hitesh_domain::{End, ErrorCode, JournalEvent, Step, TurnEvent, TurnId};
use serde::Serialize;
use time::OffsetDateTime;

use super::frame;
use crate::http::bodies::Timestamp;

/// The unnamed events, which both forms have: a step each, as soon as it is whole. `output` is held back until the
/// turn has its end, because it says that the answer is whole and stored.
#[derive(Debug)]
pub(super) struct WholeSteps {
    turn: TurnId,
    text: String,
    output: Option<(String, OffsetDateTime)>,
}

/// The content of an unnamed event.
#[derive(Debug, Serialize)]
pub(super) struct StepFrameBody {
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    content: String,
    timestamp: Timestamp,
    is_complete: bool,
    event_id: String,
}

impl WholeSteps {
    pub(super) fn new(turn: TurnId) -> Self {
        Self { turn, text: String::new(), output: None }
    }

    pub(super) fn turn(&self) -> TurnId {
        self.turn
    }

    /// The unnamed event that event `number` makes, if it makes one. Every event has to be given, in order.
    pub(super) fn take(&mut self, number: u64, event: &TurnEvent) -> Option<StepFrameBody> {
        match event {
            TurnEvent::Journal(JournalEvent::StepStarted(_)) => {
                self.text.clear();
                None
            }
            TurnEvent::Journal(JournalEvent::StepDelta(_, piece) | JournalEvent::ThinkReasoning(piece)) => {
                self.text.push_str(piece);
                None
            }
            TurnEvent::Journal(JournalEvent::StepFinished(Step::Output, at)) => {
                self.output = Some((std::mem::take(&mut self.text), *at));
                None
            }
            TurnEvent::Journal(JournalEvent::StepFinished(step, at)) => {
                let content = std::mem::take(&mut self.text);
                Some(self.step(*step, content, *at, number))
            }
            TurnEvent::Ended(end, at) => Some(self.end(*end, *at, number)),
            TurnEvent::Started(_) | TurnEvent::Journal(JournalEvent::Status(_) | JournalEvent::Usage(_)) => None,
        }
    }

    fn end(&mut self, end: End, ended_at: OffsetDateTime, number: u64) -> StepFrameBody {
        match (end.error(), self.output.take()) {
            (None, Some((content, at))) => {
                StepFrameBody { is_complete: true, ..self.step(Step::Output, content, at, number) }
            }
            (error, _) => {
                let code = error.unwrap_or(ErrorCode::Internal);
                StepFrameBody {
                    step: "error",
                    error: Some(code.as_str()),
                    content: code.sentence().to_owned(),
                    timestamp: Timestamp(ended_at),
                    is_complete: true,
                    event_id: frame::event_id(self.turn, number),
                }
            }
        }
    }

    fn step(&self, step: Step, content: String, at: OffsetDateTime, number: u64) -> StepFrameBody {
        StepFrameBody {
            step: step.as_str(),
            error: None,
            content,
            timestamp: Timestamp(at),
            is_complete: false,
            event_id: frame::event_id(self.turn, number),
        }
    }
}
