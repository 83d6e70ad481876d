//! The log of a generation, for the processes that share its sessions.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hitesh_domain::{IncompleteReason, JournalEvent, LogId, Transcript};
use hitesh_turnlog::{Batch, Ending, LogError, TurnLog};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    generation::{Answerer, Generation},
    journal::{GenerationEnd, Progress},
};

/// What came is written at the latest after so long,
const FLUSH_AFTER: Duration = Duration::from_millis(25);
/// or when it is so long, in bytes.
const FLUSH_BYTES: usize = 2048;
/// A writer that has nothing to write gives a sign of life so often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How often a log that is away is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// How long the end of a journal waits for a log that is away.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How often a follower looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(40);
/// How long a log that nobody seems to write is followed: its writer may only have been without the log.
const SILENT: Duration = Duration::from_secs(2);
/// How long a log that is away is followed.
const BLIND: Duration = Duration::from_secs(10);

/// A generation's log, and its name there.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) log: Arc<dyn TurnLog>,
    pub(crate) id: LogId,
    /// Whether equal questions that come to other processes may follow it.
    pub(crate) joinable: bool,
}

/// What became of a generation that is written elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// It ended there.
    Ended(GenerationEnd),
    /// Its writer is no more, or gave up: there will be no end.
    Lost,
}

impl Logged {
    /// Writes the journal as it grows, until it has ended or the log takes nothing more.
    pub(crate) async fn write(&self, generation: &Generation) {
        let mut progress = generation.journal.watch();
        let (mut written, mut ended) = (0, None);
        loop {
            let seen = *progress.borrow_and_update();
            // Without a change it is a sign of life that is written.
            if (seen.len == written && seen.end.is_none()) && timeout(SIGN_OF_LIFE, progress.changed()).await.is_ok()
                || seen.len > written
            {
                let is_due = |now: &Progress| {
                    now.end.is_some() || generation.journal.text_bytes(written, now.len) >= FLUSH_BYTES
                };
                let _ = timeout(FLUSH_AFTER, progress.wait_for(is_due)).await;
            }
            let now = *progress.borrow_and_update();
            if now.end.is_some() {
                // Who finds the log ended looks for the answer in the cache.
                generation.landed.cancelled().await;
            }
            let events = generation.journal.slice(written, now.len);
            let entries: Vec<_> = events.iter().map(encoded).collect();
            let ending = now.end.map(|end| encoded(&end));
            let batch = Batch {
                from: written,
                entries: &entries,
                about: &encoded(&generation.answerer()),
                ending: ending.as_ref(),
                complete: now.end == Some(GenerationEnd::Complete),
            };
            match self.log.append(self.id, batch).await {
                Ok(()) => {
                    written = now.len;
                    generation.set_logged(true);
                    if now.end.is_some() {
                        return;
                    }
                }
                Err(LogError::Unavailable { .. }) => {
                    generation.set_logged(false);
                    if now.end.is_some() && ended.get_or_insert_with(Instant::now).elapsed() > END_PATIENCE {
                        return;
                    }
                    sleep(TRY_AGAIN).await;
                    continue;
                }
                Err(error @ (LogError::Sealed | LogError::Invalid { .. })) => {
                    tracing::warn!(%error, "the answer is no longer logged for other instances");
                    return generation.set_logged(false);
                }
            }
        }
    }

    /// Makes the journal what the log is, as it grows, until that has ended or its writer is no more.
    pub(crate) async fn follow(&self, generation: &Generation) -> Followed {
        let mut next = 0;
        let (mut silent, mut blind) = (None, None);
        loop {
            match self.log.read_from(self.id, next, true).await {
                Ok(tail) => {
                    // While the log was away nobody could renew a lease: silence counts from now on.
                    if blind.take().is_some() {
                        silent = None;
                    }
                    next += tail.entries.len();
                    if let Some(answerer) = tail.about.as_deref().and_then(decoded) {
                        generation.set_answerer(answerer);
                    }
                    generation.mirror(tail.entries.iter().filter_map(|entry| decoded(entry)));
                    match tail.ending.as_ref().map(end_of) {
                        Some(Some(end)) => return Followed::Ended(end),
                        Some(None) => return Followed::Lost,
                        None if tail.alive => silent = None,
                        None if silent.get_or_insert_with(Instant::now).elapsed() > SILENT => return Followed::Lost,
                        None => {}
                    }
                }
                Err(_) if blind.get_or_insert_with(Instant::now).elapsed() > BLIND => return Followed::Lost,
                Err(_) => {}
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Resolves when no other process wants the generation, or can't say so.
    pub(crate) async fn unwanted(&self) {
        while self.joinable && self.log.is_wanted(self.id).await.unwrap_or(false) {
            sleep(SIGN_OF_LIFE).await;
        }
    }
}

/// What a log holds.
#[derive(Debug, Default)]
pub(crate) struct Legacy {
    pub(crate) transcript: Transcript,
    pub(crate) answerer: Option<Answerer>,
    /// How its writer said that it ended.
    pub(crate) end: Option<GenerationEnd>,
    /// Whether another process wrote it.
    pub(crate) follows: bool,
}

/// All that a log has, after it has been sealed, so that its writer adds nothing any more.
pub(crate) async fn legacy(log: &dyn TurnLog, id: LogId) -> Result<Legacy, LogError> {
    log.seal(id).await?;
    let mut transcript = Transcript::default();
    let mut next = 0;
    loop {
        let tail = log.read_from(id, next, false).await?;
        next += tail.entries.len();
        events(&tail.entries).iter().for_each(|event| transcript.push(event));
        if tail.entries.is_empty() || tail.ending.is_some() {
            return Ok(Legacy {
                transcript,
                answerer: tail.about.as_deref().and_then(decoded),
                end: tail.ending.as_ref().and_then(end_of),
                follows: tail.follows,
            });
        }
    }
}

/// The journal's events that these entries are.
pub(crate) fn events(entries: &[Bytes]) -> Vec<JournalEvent> {
    entries.iter().filter_map(|entry| decoded(entry)).collect()
}

/// How the writer said that it ended; none if it gave up or was given up.
fn end_of(ending: &Ending) -> Option<GenerationEnd> {
    match ending {
        Ending::Written(end) => {
            decoded(end).filter(|end| *end != GenerationEnd::Incomplete(IncompleteReason::ReaderLeft))
        }
        Ending::Sealed => None,
    }
}

fn encoded(value: &impl serde::Serialize) -> Bytes {
    // What is written here always has a form in JSON.
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use hitesh_domain::Step;
    use hitesh_turnlog::{Lease, Tail};

    use super::*;

    /// A log that is read while a test's clock goes on, and says what is the case then.
    #[derive(Debug)]
    struct Scripted {
        began: Instant,
        says: fn(Duration) -> Result<Tail, LogError>,
    }

    #[async_trait]
    impl TurnLog for Scripted {
        async fn lease(&self, _: LogId) -> Result<Lease, LogError> {
            Ok(Lease::Follows)
        }
        async fn append(&self, _: LogId, _: Batch<'_>) -> Result<(), LogError> {
            Err(LogError::Sealed)
        }
        async fn read_from(&self, _: LogId, _: usize, _: bool) -> Result<Tail, LogError> {
            (self.says)(self.began.elapsed())
        }
        async fn is_wanted(&self, _: LogId) -> Result<bool, LogError> {
            Ok(false)
        }
        async fn seal(&self, _: LogId) -> Result<bool, LogError> {
            Ok(false)
        }
    }

    async fn followed(says: fn(Duration) -> Result<Tail, LogError>) -> (Followed, Duration) {
        let began = Instant::now();
        let logged = Logged { log: Arc::new(Scripted { began, says }), id: LogId::alone(), joinable: true };
        let answerer = Answerer { provider: "p".parse().unwrap(), model: "m".to_owned() };
        let generation = Generation::new(answerer, Some(&logged));
        (logged.follow(&generation).await, began.elapsed())
    }

    fn alive() -> Tail {
        Tail { alive: true, ..Tail::default() }
    }

    fn ended() -> Tail {
        let end = Ending::Written(encoded(&GenerationEnd::Complete));
        Tail { entries: vec![encoded(&JournalEvent::StepStarted(Step::Output))], ending: Some(end), ..Tail::default() }
    }

    fn away() -> Result<Tail, LogError> {
        Err(LogError::Unavailable { reason: "as the test asked".into() })
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_could_not_renew_its_lease_while_the_log_was_away_is_waited_for() {
        let (followed, _) = followed(|at| match at.as_millis() {
            0..500 => Ok(alive()),
            500..6_000 => away(),
            6_000..7_000 => Ok(Tail::default()),
            _ => Ok(ended()),
        })
        .await;
        assert_eq!(followed, Followed::Ended(GenerationEnd::Complete));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_writer_is_given_up_after_a_grace() {
        let (followed, after) = followed(|_| Ok(Tail::default())).await;
        assert_eq!(followed, Followed::Lost);
        assert!((SILENT..2 * SILENT).contains(&after), "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_stays_away_is_given_up() {
        let (followed, after) = followed(|_| away()).await;
        assert_eq!(followed, Followed::Lost);
        assert!((BLIND..2 * BLIND).contains(&after), "{after:?}");
    }
}
