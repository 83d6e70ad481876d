use std::time::Duration;

use reqwest::{
    Method, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::{
    failure::{misconfigured, unknown_model},
    lenient::null_as_default,
    reading,
    upstream::{Upstream, complaint, is_html, refusal, web_page},
};
use crate::{Phase, ProviderError};

/// How long a probe may take.
const PROBE_TIME: Duration = Duration::from_secs(5);

/// The longest list of models that is read. OpenRouter's has about half a MiB.
const MAX_LIST: usize = 4 * 1024 * 1024;

/// What a probe asks about, without asking a question.
pub(crate) struct Probe<'a> {
    /// Where the server lists its models.
    pub(crate) models: String,
    /// Where questions go.
    pub(crate) questions: String,
    /// The model.
    pub(crate) model: &'a str,
    /// What the list says of a question that would be asked.
    pub(crate) list: List,
}

/// What a list of models says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "openai"), expect(dead_code, reason = "Anthropic's list tells"))]
pub(crate) enum List {
    /// That the key is right, and which models there are.
    Telling,
    /// Which models there are, to everybody.
    Public,
    /// That the key is right. Its names are not those that questions have.
    OtherNames,
}

#[derive(Default, Deserialize)]
struct ModelList {
    #[serde(default, deserialize_with = "null_as_default")]
    data: Vec<ListedModel>,
}

#[derive(Deserialize)]
struct ListedModel {
    #[serde(default, deserialize_with = "null_as_default")]
    id: String,
}

impl Upstream {
    /// Says whether a question would be heard: whether somebody is there, takes the key, knows the model, and takes
    /// questions at that path.
    pub(crate) async fn probe(&self, probe: &Probe<'_>) -> Result<(), ProviderError> {
        let probing = async {
            let response = self.send(self.request(Method::GET, &probe.models)).await?;
            match response.status() {
                // Not every server lists its models.
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => self.knock(probe).await,
                status if status.is_success() && is_html(&response) => Err(web_page()),
                status if status.is_success() => {
                    if probe.list != List::OtherNames {
                        self.look_for_model(probe, response).await?;
                    }
                    match probe.list {
                        List::Telling => Ok(()),
                        List::Public | List::OtherNames => self.knock(probe).await,
                    }
                }
                _ => Err(refusal(response).await),
            }
        };
        timeout(PROBE_TIME, probing)
            .await
            .unwrap_or(Err(ProviderError::Timeout { phase: Phase::Total, limit: PROBE_TIME }))
    }

    /// A model that is not in the list is asked for by name: lists leave out aliases, or go on elsewhere. Only a server
    /// that says it of the model is believed, for many know no such request.
    async fn look_for_model(&self, probe: &Probe<'_>, list: Response) -> Result<(), ProviderError> {
        let model = probe.model;
        let body = reading::whole(list.bytes_stream(), MAX_LIST).await.unwrap_or_default();
        let list: ModelList = serde_json::from_slice(&body).unwrap_or_default();
        let is_it = |id: &str| id.strip_prefix("models/").unwrap_or(id).trim_end_matches(":latest") == model;
        if list.data.is_empty() || list.data.iter().any(|listed| listed.id == model || is_it(&listed.id)) {
            return Ok(());
        }
        let Some(url) = below(&probe.models, model) else { return Ok(()) };
        let response = self.send(self.request(Method::GET, &url)).await?;
        if response.status() != StatusCode::NOT_FOUND || is_html(&response) {
            return Ok(());
        }
        if complaint(response).await.names_model() {
            return Err(misconfigured("it has no such model (check model)"));
        }
        Ok(())
    }

    /// Sends a question that is none, for it lacks the words: refused as such by whoever would take one. Only where no
    /// list says as much; should a server answer it all the same, it is with one token.
    async fn knock(&self, probe: &Probe<'_>) -> Result<(), ProviderError> {
        let request = self
            .request(Method::POST, &probe.questions)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(json!({ "model": probe.model, "max_tokens": 1 }).to_string());
        let response = self.send(request).await?;
        match response.status() {
            status if status.is_success() && is_html(&response) => Err(web_page()),
            StatusCode::METHOD_NOT_ALLOWED => Err(unknown_model()),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                Err(refusal(response).await)
            }
            status if status.is_success() => Ok(()),
            _ => match refusal(response).await {
                error @ (ProviderError::Unauthorized | ProviderError::Misconfigured { .. }) => Err(error),
                _ => Ok(()),
            },
        }
    }
}

/// The address of one thing of a list.
fn below(list: &str, name: &str) -> Option<String> {
    let mut url = Url::parse(list).ok()?;
    url.path_segments_mut().ok()?.extend(name.split('/'));
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_model_keeps_its_slashes_and_nothing_else() {
        let rows = [
            ("gpt-4o", "http://host/v1/models/gpt-4o"),
            ("meta/llama", "http://host/v1/models/meta/llama"),
            ("a?b#c", "http://host/v1/models/a%3Fb%23c"),
        ];
        for (model, expected) in rows {
            assert_eq!(below("http://host/v1/models", model).as_deref(), Some(expected));
        }
    }
}
