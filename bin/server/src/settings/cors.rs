use serde::{Deserialize, Deserializer, de::Error};
use url::Url;

use super::{resolve::Resolve, values};

/// Which web pages may call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsSettings {
    /// Pages of which origins.
    #[serde(deserialize_with = "origins")]
    pub allowed_origins: AllowedOrigins,
    /// Whether they may send cookies and the like. Only with listed origins.
    pub credentials: bool,
}

/// Origins that may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// All.
    Any,
    /// Just these, each as a browser writes it: `https://example.com`, `http://localhost:3000`.
    Listed(Vec<String>),
}

impl CorsSettings {
    pub(super) fn check(&self, at: &mut Resolve<'_>) {
        if self.credentials && self.allowed_origins == AllowedOrigins::Any {
            at.mistake(&["cors", "credentials"], "needs a list of allowed_origins: browsers refuse it for any origin");
        }
    }
}

fn origins<'de, D: Deserializer<'de>>(reader: D) -> Result<AllowedOrigins, D::Error> {
    let entries: Vec<Entry> = values::list(reader)?;
    let mut listed = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry {
            Entry::Star => return Ok(AllowedOrigins::Any),
            Entry::Origin(origin) => listed.push(origin),
        }
    }
    Ok(if listed.is_empty() { AllowedOrigins::Any } else { AllowedOrigins::Listed(listed) })
}

enum Entry {
    Star,
    Origin(String),
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        if text.trim() == "*" {
            return Ok(Entry::Star);
        }
        let wrong = || D::Error::custom("expected origins, like https://example.com or http://localhost:3000, or *");
        let url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if bare && matches!(url.scheme(), "http" | "https") {
            Ok(Entry::Origin(url.origin().ascii_serialization()))
        } else {
            Err(wrong())
        }
    }
}
