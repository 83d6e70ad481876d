use std::time::Duration;

use serde::Deserialize;

use super::values;

/// How a turn goes on and what it is asked in the light of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnsSettings {
    /// How long a turn goes on after its last reader has left, so that one may come back.
    #[serde(rename = "disconnect_grace_seconds", deserialize_with = "values::seconds::<_, 0, 3_600_000>")]
    pub disconnect_grace: Duration,
    /// Messages of the session that go into a prompt; all are stored.
    #[serde(deserialize_with = "values::within::<_, _, 0, 1_000>")]
    pub max_history_messages: usize,
}
