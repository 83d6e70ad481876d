use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use hitesh_domain::{End, ErrorCode, IncompleteReason, LogId, Outcome, Owner, Source, Transcript, TurnEvent};
use hitesh_sessions::{Orphan, SessionStore};
use hitesh_turnlog::{LogError, TurnLog};
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};

use crate::{
    journal::GenerationEnd,
    logged::{self, LOOK_EVERY, Legacy},
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
            if tail.follows {
                seen.joined();
            }
        }
        Self { store, log, owner, seen }
    }

    /// Waits for its end. One that was erased meanwhile was stopped.
    pub(crate) async fn ended(&self) -> Snapshot {
        loop {
            sleep(ASK_EVERY).await;
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
/// what the last checkpoint held, if that is more. None while the log is away: it may have all that there is, and the turn
/// is not to be ended without it.
pub(crate) async fn orphaned(orphan: &Orphan, log: Option<&dyn TurnLog>) -> Option<Outcome> {
    let legacy = match log.zip(orphan.info.log) {
        Some((log, id)) => match logged::legacy(log, id).await {
            Ok(legacy) => legacy,
            Err(LogError::Unavailable { .. }) => return None,
            Err(LogError::Sealed | LogError::Invalid { .. }) => Legacy::default(),
        },
        None => Legacy::default(),
    };
    let is_more = legacy.transcript.event_count() >= orphan.partial.event_count();
    let partial = || Legacy { transcript: orphan.partial.clone(), ..Legacy::default() };
    let Legacy { transcript, answerer, end, follows } = if is_more { legacy } else { partial() };
    let answerer = answerer.map(|answerer| (answerer.provider, answerer.model));
    let (provider, model) = answerer.unwrap_or_else(|| (orphan.info.provider.clone(), orphan.info.model.clone()));
    Some(Outcome {
        end: match end {
            Some(GenerationEnd::Complete) => End::Completed,
            _ => End::Incomplete(IncompleteReason::InstanceLost),
        },
        transcript,
        source: if follows { Source::Joined } else { orphan.info.source },
        provider,
        model,
        ended_at: OffsetDateTime::now_utc(),
    })
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;
    use hitesh_domain::{JournalEvent, Step, TurnId, TurnInfo};
    use hitesh_turnlog::{Batch, Lease, LogTimes, MemoryTurnLog, Tail};

    use super::*;

    #[derive(Debug)]
    struct Away;

    impl Away {
        fn says<T>() -> Result<T, LogError> {
            Err(LogError::Unavailable { reason: "as the test asked".into() })
        }
    }

    #[async_trait]
    impl TurnLog for Away {
        async fn lease(&self, _: LogId) -> Result<Lease, LogError> {
            Self::says()
        }
        async fn append(&self, _: LogId, _: Batch<'_>) -> Result<(), LogError> {
            Self::says()
        }
        async fn read_from(&self, _: LogId, _: usize, _: bool) -> Result<Tail, LogError> {
            Self::says()
        }
        async fn is_wanted(&self, _: LogId) -> Result<bool, LogError> {
            Self::says()
        }
        async fn seal(&self, _: LogId) -> Result<bool, LogError> {
            Self::says()
        }
    }

    fn orphan() -> Orphan {
        let info = TurnInfo {
            turn: TurnId::now(),
            session: "s".parse().unwrap(),
            persona: "hitesh".parse().unwrap(),
            provider: "first".parse().unwrap(),
            model: "m".to_owned(),
            source: Source::Model,
            started_at: OffsetDateTime::UNIX_EPOCH,
            replaces: None,
            log: Some(LogId::alone()),
        };
        let mut partial = Transcript::default();
        partial.push(&JournalEvent::StepStarted(Step::Output));
        partial.push(&JournalEvent::StepDelta(Step::Output, "ch".into()));
        Orphan { info, partial, process: "dead".to_owned() }
    }

    /// A log whose writer is no more: the partial's events and one more.
    async fn left_log(orphan: &Orphan, end: Option<GenerationEnd>) -> MemoryTurnLog {
        let log = MemoryTurnLog::new(LogTimes { lease: Duration::ZERO, ..LogTimes::default() });
        let mut events = orphan.partial.events();
        events.push(JournalEvent::StepDelta(Step::Output, "ai".into()));
        let entries: Vec<Bytes> = events.iter().map(|event| serde_json::to_vec(event).unwrap().into()).collect();
        let ending = end.map(|end| Bytes::from(serde_json::to_vec(&end).unwrap()));
        let about = Bytes::from_static(br#"{"provider":"second","model":"n"}"#);
        let batch = Batch { from: 0, entries: &entries, about: &about, ending: ending.as_ref(), complete: false };
        log.append(orphan.info.log.unwrap(), batch).await.unwrap();
        log
    }

    #[tokio::test]
    async fn a_dead_processs_turn_is_not_ended_while_the_log_that_may_have_its_text_is_away() {
        assert_eq!(orphaned(&orphan(), Some(&Away)).await, None);
    }

    #[tokio::test]
    async fn a_dead_processs_turn_has_what_its_log_has_and_who_answered() {
        let orphan = orphan();
        for (end, expected) in [
            (None, End::Incomplete(IncompleteReason::InstanceLost)),
            (
                Some(GenerationEnd::Incomplete(IncompleteReason::ReaderLeft)),
                End::Incomplete(IncompleteReason::InstanceLost),
            ),
            (Some(GenerationEnd::Complete), End::Completed),
        ] {
            let outcome = orphaned(&orphan, Some(&left_log(&orphan, end).await)).await.unwrap();
            assert_eq!((outcome.end, outcome.transcript.output()), (expected, "chai"));
            assert_eq!((outcome.provider.as_str(), outcome.model.as_str()), ("second", "n"));
        }
    }

    #[tokio::test]
    async fn without_its_log_a_dead_processs_turn_has_what_the_last_checkpoint_held() {
        let log = MemoryTurnLog::new(LogTimes::default());
        for log in [None, Some(&log as &dyn TurnLog)] {
            let outcome = orphaned(&orphan(), log).await.unwrap();
            assert_eq!(outcome.end, End::Incomplete(IncompleteReason::InstanceLost));
            assert_eq!((outcome.transcript.output(), outcome.provider.as_str()), ("ch", "first"));
        }
    }
}
