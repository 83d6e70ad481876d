//! The course of a generation: it asks the upstream itself, follows another process that does, or repeats what was found
//! after all.

use std::sync::Arc;

use hitesh_domain::{IncompleteReason, Source};
use hitesh_turnlog::Lease;
use time::OffsetDateTime;

use crate::{
    answer::CachedAnswer,
    generation::{Answerer, FAILED, Finished, Generation, Upstream},
    journal::GenerationEnd,
    logged::{Followed, Logged},
};

/// How a generation begins.
enum Departure {
    /// It asks the upstream.
    Asks,
    /// Another process does.
    Follows,
    /// The answer is there.
    Knows(CachedAnswer),
}

/// Ends the journal however its task ends, so that no turn waits for ever: also when it panics.
struct Landing<'a> {
    generation: &'a Arc<Generation>,
    upstream: &'a Upstream,
    end: GenerationEnd,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        if let Some((flights, key)) = &self.upstream.flight {
            flights.land(*key, self.generation);
        }
        self.generation.journal.end(self.end);
        self.generation.landed.cancel();
        self.generation.source.send_if_modified(|known| known.is_none() && known.replace(Source::Model).is_none());
    }
}

impl Generation {
    /// Asks the upstream and writes the journal until it ends or nobody wants it any more. A complete answer is in
    /// the cache before others can no longer join it, so an equal question is never asked twice in between. Its turns
    /// don't wait for a cache that is not in this process.
    ///
    /// With a log, an equal question that another process asks already is followed there instead.
    pub(crate) async fn run(self: Arc<Self>, upstream: Upstream) {
        let landing = Landing { generation: &self, upstream: &upstream, end: FAILED };
        let (departure, logged) = match &upstream.logged {
            None => (Departure::Asks, None),
            Some(logged) => (self.depart(&upstream, logged).await, Some(logged)),
        };
        match (departure, logged) {
            (Departure::Follows, Some(logged)) => {
                self.set_logged(true);
                self.told_source(Source::Joined);
                if let Some(landing) = self.follow(landing, logged).await {
                    self.lead(landing, &upstream).await;
                }
            }
            (departure, logged) => {
                let work = async {
                    match departure {
                        Departure::Knows(answer) => self.repeat(landing, &answer),
                        Departure::Asks | Departure::Follows => {
                            self.told_source(Source::Model);
                            self.lead(landing, &upstream).await;
                        }
                    }
                };
                match logged {
                    Some(logged) => drop(tokio::join!(work, logged.write(&self))),
                    None => work.await,
                }
            }
        }
    }

    /// Whether to ask, to follow, or neither.
    async fn depart(&self, upstream: &Upstream, logged: &Logged) -> Departure {
        if !logged.joinable {
            return Departure::Asks;
        }
        match logged.log.lease(logged.id).await {
            Ok(Lease::Follows) => Departure::Follows,
            Ok(Lease::Leads { landed: true }) => {
                let Some(((cache, _), (_, key))) = upstream.keep.as_ref().zip(upstream.flight.as_ref()) else {
                    return Departure::Asks;
                };
                let found = cache.get(key).await.ok().flatten();
                found.and_then(|bytes| CachedAnswer::decode(&bytes)).map_or(Departure::Asks, Departure::Knows)
            }
            Ok(Lease::Leads { landed: false }) => Departure::Asks,
            Err(error) => {
                tracing::warn!(%error, "equal questions of other instances can't be joined");
                Departure::Asks
            }
        }
    }

    /// Follows another process's generation. Gives the landing back if that is lost before a word of it was seen: then the
    /// question is asked here, as if it had come now.
    async fn follow<'l>(&self, mut landing: Landing<'l>, logged: &Logged) -> Option<Landing<'l>> {
        let followed = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Followed::Ended(GenerationEnd::Incomplete(IncompleteReason::ReaderLeft)),
            followed = logged.follow(self) => followed,
        };
        // What comes from here on is not what stands there.
        self.set_logged(false);
        landing.end = match followed {
            Followed::Ended(end) => end,
            Followed::Lost if self.is_visible() => GenerationEnd::Incomplete(IncompleteReason::InstanceLost),
            Followed::Lost => return Some(landing),
        };
        None
    }

    /// An answer that was found after all.
    fn repeat(&self, mut landing: Landing<'_>, answer: &CachedAnswer) {
        let outcome = answer.outcome(OffsetDateTime::now_utc());
        self.set_answerer(Answerer { provider: outcome.provider, model: outcome.model });
        self.told_source(Source::Cache);
        self.mirror(outcome.transcript.events().into_iter());
        landing.end = GenerationEnd::Complete;
    }

    async fn lead(&self, mut landing: Landing<'_>, upstream: &Upstream) {
        let end = tokio::select! {
            biased;
            () = self.unwanted(upstream) => Finished::part(GenerationEnd::Incomplete(IncompleteReason::ReaderLeft)),
            end = self.answer(upstream) => end,
        };
        landing.end = end.end;
        if end.cacheable {
            self.measure(upstream);
            // In this order: a cache in memory has it before any turn can end.
            futures::join!(self.keep(upstream), async { self.journal.end(end.end) });
        }
    }

    /// Resolves when no turn wants it any more, here or in another process.
    async fn unwanted(&self, upstream: &Upstream) {
        self.cancel.cancelled().await;
        if let Some(logged) = &upstream.logged {
            tokio::select! { () = upstream.cut_off.cancelled() => {}, () = logged.unwanted() => {} }
        }
    }

    fn told_source(&self, source: Source) {
        self.source.send_if_modified(|known| known.replace(source) != Some(source));
    }
}
