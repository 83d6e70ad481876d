use std::time::Duration;

use serde::Deserialize;

use super::values;

/// What becomes of a turn whose last reader has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// It is stopped after the grace time.
    Stop,
    /// It goes on to its end.
    Finish,
}

/// How a turn goes on and what it is asked in the light of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnsSettings {
    /// What becomes of a turn whose last reader has left.
    pub on_disconnect: OnDisconnect,
    /// How long a turn that is to be stopped goes on before that, so that a reader may come back.
    #[serde(rename = "disconnect_grace_seconds", deserialize_with = "values::seconds::<_, 0, 3_600_000>")]
    pub disconnect_grace: Duration,
    /// Messages of the session that go into a prompt; all are stored.
    #[serde(deserialize_with = "values::within::<_, _, 0, 1_000>")]
    pub max_history_messages: usize,
}
