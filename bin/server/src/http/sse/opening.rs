use std::{collections::VecDeque, time::Duration};

use hitesh_chat::Reader;
use hitesh_domain::{End, JournalEvent, TurnEvent};
use tokio::time::{Instant, timeout_at};

/// A reader, and what it read before the HTTP status had to be decided.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(super) events: VecDeque<(u64, TurnEvent)>,
    pub(super) reader: Reader,
}

impl Opening {
    /// Waits for whichever comes first: the first event of a step, the end, or the end of `patience`.
    pub(crate) async fn of(mut reader: Reader, patience: Duration) -> Self {
        let deadline = Instant::now() + patience;
        let mut events = VecDeque::new();
        while let Ok(Some(event)) = timeout_at(deadline, reader.next()).await {
            let decides = decides_the_status(&event.1);
            events.push_back(event);
            if decides {
                break;
            }
        }
        Self { events, reader }
    }

    /// Without waiting: for a turn that is known to exist.
    pub(crate) fn at_once(reader: Reader) -> Self {
        Self { events: VecDeque::new(), reader }
    }

    /// Whether the turn ended badly before anything of an answer came.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.events.back(), Some((_, TurnEvent::Ended(end, _))) if *end != End::Completed)
    }
}

fn decides_the_status(event: &TurnEvent) -> bool {
    match event {
        TurnEvent::Started(_) | TurnEvent::Journal(JournalEvent::Status(_) | JournalEvent::Usage(_)) => false,
        TurnEvent::Journal(
            JournalEvent::StepStarted(_)
            | JournalEvent::StepDelta(..)
            | JournalEvent::ThinkReasoning(_)
            | JournalEvent::StepFinished(..),
        )
        | TurnEvent::Ended(..) => true,
    }
}
