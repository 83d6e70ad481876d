use serde::Deserialize;

/// What the chat page offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSettings {
    /// Whether the page makes links to chats, and follows them. A session's id is all that it takes to read a chat and to go
    /// on with it, and a link gives it away.
    pub sharing: bool,
}
