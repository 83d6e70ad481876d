use std::{collections::VecDeque, fmt, sync::Arc};

use futures::{StreamExt, stream::BoxStream};
use hitesh_domain::{JournalEvent, TurnEvent};
use tokio::sync::watch;

use crate::{
    figures::{Figures, OpenReader},
    live::{Lease, Shown},
    turn::State,
};

/// A reader of one turn: a cursor. It slows nobody, and dropping it at any time loses nothing.
pub struct Reader {
    next: u64,
    source: EventSource,
    _open: OpenReader,
}

enum EventSource {
    Live { lease: Lease, shown: watch::Receiver<Shown>, ahead: VecDeque<JournalEvent>, over: bool },
    Over(VecDeque<(u64, TurnEvent)>),
    Elsewhere(BoxStream<'static, (u64, TurnEvent)>),
}

impl Reader {
    pub(crate) fn new(state: &State, from: u64, figures: &Arc<Figures>) -> Self {
        let source = match state {
            State::Live(lease) => EventSource::Live {
                shown: lease.0.shown.subscribe(),
                lease: lease.clone(),
                ahead: VecDeque::new(),
                over: false,
            },
            State::Over(snapshot) => EventSource::Over(snapshot.events_from(from).into()),
            State::Elsewhere(elsewhere) => EventSource::Elsewhere(Arc::clone(elsewhere).events(from)),
        };
        Self { next: from, source, _open: OpenReader::new(figures) }
    }

    /// The next event with its number; `None` after the end. Cancel safe.
    pub async fn next(&mut self) -> Option<(u64, TurnEvent)> {
        match &mut self.source {
            EventSource::Over(events) => events.pop_front(),
            EventSource::Elsewhere(events) => events.next().await,
            EventSource::Live { lease, shown, ahead, over } => {
                let number = self.next;
                let event = next_live(lease, shown, ahead, over, number).await?;
                self.next += 1;
                Some((number, event))
            }
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Event `number` of a live turn: `Started` is 0, entry `i` of the journal is `i + 1`, the end is the last.
async fn next_live(
    lease: &Lease,
    shown: &mut watch::Receiver<Shown>,
    ahead: &mut VecDeque<JournalEvent>,
    over: &mut bool,
    number: u64,
) -> Option<TurnEvent> {
    let number = usize::try_from(number).ok()?;
    loop {
        if let Some(event) = ahead.pop_front() {
            return Some(TurnEvent::Journal(event));
        }
        if *over {
            return None;
        }
        let now = *shown.borrow_and_update();
        if now.begun && number == 0 {
            return Some(TurnEvent::Started(Arc::clone(lease.0.told())));
        }
        if now.begun && number <= now.events {
            ahead.extend(lease.0.generation().journal.slice(number - 1, now.events));
            continue;
        }
        if let Some((end, at)) = now.end {
            *over = true;
            // A turn that never became durable shows its end only; a cursor beyond the end shows nothing.
            let last = if now.begun { now.events + 1 } else { 0 };
            return (number <= last).then_some(TurnEvent::Ended(end, at));
        }
        shown.changed().await.ok()?;
    }
}
