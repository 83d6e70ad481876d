use bytes::Bytes;
use hitesh_domain::{End, Outcome, ProviderId, Source, Transcript};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A complete answer as the cache keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CachedAnswer {
    pub(crate) provider: ProviderId,
    pub(crate) model: String,
    pub(crate) transcript: Transcript,
}

impl CachedAnswer {
    pub(crate) fn encode(&self) -> Option<Bytes> {
        serde_json::to_vec(self).ok().map(Bytes::from)
    }

    /// `None` for bytes that are no answer: a damaged entry is a miss.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The outcome of a turn that is answered with it at `at`.
    pub(crate) fn outcome(&self, at: OffsetDateTime) -> Outcome {
        Outcome {
            end: End::Completed,
            transcript: self.transcript.coalesced(at),
            source: Source::Cache,
            provider: self.provider.clone(),
            model: self.model.clone(),
            ended_at: at,
        }
    }
}
