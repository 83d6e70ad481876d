//! What several replies are made of.

use hitesh_domain::{StepRecord, Transcript, Usage};
use serde::{Serialize, Serializer, ser::Error as _};
use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};
use utoipa::ToSchema;

/// Milliseconds, and always three digits: what every client's parser takes.
const RFC3339: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A time as every reply writes it: RFC 3339 in UTC, with `Z`.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2025-01-31T12:00:00.000Z")]
pub(super) struct Timestamp(pub(super) OffsetDateTime);

impl Timestamp {
    pub(super) fn now() -> Self {
        Self(OffsetDateTime::now_utc())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_offset(UtcOffset::UTC).format(RFC3339).map_err(S::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

/// One step of an answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct StepBody {
    /// `analyze`, `think` or `output`.
    #[schema(example = "analyze")]
    step: &'static str,
    content: String,
    /// When the step was whole; null if it was cut.
    timestamp: Option<Timestamp>,
}

impl StepBody {
    /// The steps of a transcript, whole or not.
    pub(super) fn all(transcript: &Transcript) -> Vec<Self> {
        transcript.steps.iter().map(Self::from).collect()
    }
}

impl From<&StepRecord> for StepBody {
    fn from(record: &StepRecord) -> Self {
        Self {
            step: record.step.as_str(),
            content: record.content.clone(),
            timestamp: record.finished_at.map(Timestamp),
        }
    }
}

/// Tokens of the upstream call.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct UsageBody {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.total_tokens(),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_utc_with_three_digits_and_a_z() {
        let time = Timestamp(datetime!(2025-01-31 17:30:00.0059 +05:30));
        assert_eq!(serde_json::to_string(&time).unwrap(), r#""2025-01-31T12:00:00.005Z""#);
    }
}
