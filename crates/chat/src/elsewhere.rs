use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use hitesh_domain::{End, ErrorCode, IncompleteReason, LogId, Outcome, Owner, Transcript, TurnEvent};
use hitesh_sessions::{Orphan, SessionStore};
use hitesh_turnlog::TurnLog;
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};

use crate::{
    journal::GenerationEnd,
    logged::{self, LOOK_EVERY},
    turn::Snapshot,
};

/// How often the store is asked whether the turn has ended.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// The same once its log has ended: its end is about to be stored.
const ASK_SOON: Duration = Duration::from_millis(50);
/// How long one answer of the store is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a store may be away before a reader is let go.
const STORE_PATIENCE: Duration = Duration::from_secs(30);

/// A turn that runs in another process: what is known of it is what the log of its generation tells, and the store. It ends
/// there, or, should its process die, as one of the store's [`orphans`](SessionStore::orphans).
#[derive(Debug)]
pub(crate) struct Elsewhere {
    store: Arc<dyn SessionStore>,
    log: Option<(Arc<dyn TurnLog>, LogId)>,
    owner: Owner,
    pub(crate) seen: Snapshot,
}

/// What the store says.
enum Look {
    Seen(Box<Snapshot>),
    /// It was erased.
    Gone,
    /// The store does not answer, and has not for too long.
    Blind,
}

/// How far a reader has come.
struct Cursor {
    ahead: VecDeque<(u64, TurnEvent)>,
    next: u64,
    over: bool,
    ask_at: Instant,
}

impl Elsewhere {
    /// The turn of which the store has said `seen`, as far as its log tells it now.
    pub(crate) async fn new(
        store: Arc<dyn SessionStore>,
        log: Option<Arc<dyn TurnLog>>,
        owner: Owner,
        mut seen: Snapshot,
    ) -> Self {
        let log = log.zip(seen.info.log);
        if let Some((log, id)) = &log
            && let Ok(tail) = log.read_from(*id, 0, false).await
        {
            let mut transcript = Transcript::default();
            logged::events(&tail.entries).iter().for_each(|event| transcript.push(event));
            if transcript.event_count() > seen.transcript.event_count() {
                seen.transcript = transcript;
            }
        }
        Self { store, log, owner, seen }
    }

    /// Waits for its end. One that was erased meanwhile was stopped.
    pub(crate) async fn ended(&self) -> Snapshot {
        loop {
            sleep(ASK_SOON).await;
            let end = match self.look().await {
                Look::Seen(snapshot) if snapshot.end.is_some() => return *snapshot,
                Look::Seen(_) => continue,
                Look::Gone => End::Stopped,
                Look::Blind => End::Failed(ErrorCode::StoreUnavailable),
            };
            return Snapshot { end: Some(end), ended_at: Some(OffsetDateTime::now_utc()), ..self.seen.clone() };
        }
    }

    /// Its events from number `from` on, to the end. Without one if it was erased, or the store is away for too long:
    /// whoever reads may come back.
    pub(crate) fn events(self: Arc<Self>, from: u64) -> BoxStream<'static, (u64, TurnEvent)> {
        let cursor = Cursor {
            ahead: self.seen.events_from(from).into(),
            next: from,
            over: self.seen.end.is_some(),
            ask_at: Instant::now() + ASK_EVERY,
        };
        stream::unfold((self, cursor), |(turn, mut cursor)| async move {
            loop {
                if let Some((number, event)) = cursor.ahead.pop_front() {
                    cursor.next = number.saturating_add(1);
                    return Some(((number, event), (turn, cursor)));
                }
                if cursor.over {
                    return None;
                }
                turn.go_on(&mut cursor).await?;
            }
        })
        .boxed()
    }

    /// Looks into the log, and from time to time into the store. None if there is nothing more to be had.
    async fn go_on(&self, cursor: &mut Cursor) -> Option<()> {
        sleep(LOOK_EVERY).await;
        if let Some((log, id)) = &self.log
            && let Some(entry) = cursor.next.checked_sub(1).and_then(|entry| usize::try_from(entry).ok())
            && let Ok(tail) = log.read_from(*id, entry, false).await
        {
            let events = logged::events(&tail.entries).into_iter().map(TurnEvent::Journal);
            cursor.ahead.extend((cursor.next..).zip(events));
            if tail.ending.is_some() {
                cursor.ask_at = cursor.ask_at.min(Instant::now() + ASK_SOON);
            }
        }
        if !cursor.ahead.is_empty() || cursor.ask_at > Instant::now() {
            return Some(());
        }
        cursor.ask_at = Instant::now() + ASK_EVERY;
        let Look::Seen(snapshot) = self.look().await else { return None };
        cursor.over = snapshot.end.is_some();
        cursor.ahead = snapshot.events_from(cursor.next).into();
        // It was stopped, and the log went on for others: the reader has seen what is not the turn's.
        if cursor.over && cursor.ahead.is_empty() && snapshot.end_number().is_some_and(|end| end < cursor.next) {
            cursor.ahead = snapshot.events_from(snapshot.end_number()?).into();
        }
        Some(())
    }

    async fn look(&self) -> Look {
        let started = Instant::now();
        loop {
            match timeout(PATIENCE, self.store.turn(&self.owner, self.seen.info.turn)).await {
                Ok(Ok(Some(turn))) => return Look::Seen(Box::new(Snapshot::of_stored(turn))),
                Ok(Ok(None)) => return Look::Gone,
                Ok(Err(_)) | Err(_) if started.elapsed() > STORE_PATIENCE => return Look::Blind,
                Ok(Err(_)) | Err(_) => sleep(ASK_EVERY).await,
            }
        }
    }
}

/// How a turn ends whose process is no more: with what its log has, which is whole if only its end was not stored, or with
/// what the last checkpoint held.
pub(crate) async fn orphaned(orphan: &Orphan, log: Option<&dyn TurnLog>) -> Outcome {
    let legacy = match log.zip(orphan.info.log) {
        Some((log, id)) => logged::legacy(log, id).await,
        None => None,
    };
    let more = legacy.filter(|(transcript, ..)| transcript.event_count() >= orphan.partial.event_count());
    let (transcript, answerer, end) = more.unwrap_or_else(|| (orphan.partial.clone(), None, None));
    let answerer = answerer.map(|answerer| (answerer.provider, answerer.model));
    let (provider, model) = answerer.unwrap_or_else(|| (orphan.info.provider.clone(), orphan.info.model.clone()));
    Outcome {
        end: match end {
            Some(GenerationEnd::Complete) => End::Completed,
            _ => End::Incomplete(IncompleteReason::InstanceLost),
        },
        transcript,
        source: orphan.info.source,
        provider,
        model,
        ended_at: OffsetDateTime::now_utc(),
    }
}
