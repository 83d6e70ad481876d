use async_openai::config::Config;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use secrecy::SecretString;

use crate::http::{BaseUrl, RemoteSettingsError, key_header};

/// Azure's header for a key.
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// Where requests go, and with which key. Made here and not by `OpenAIConfig` or `AzureConfig`, which take what is
/// missing from `OPENAI_API_KEY`, `OPENAI_ORG_ID` and others of the environment and would send it to any base URL.
#[derive(Clone)]
pub(super) struct Endpoint {
    base: BaseUrl,
    azure: Option<Azure>,
    api_key: SecretString,
    headers: HeaderMap,
}

/// What Azure needs to be told in the address.
#[derive(Clone)]
struct Azure {
    deployment: String,
    api_version: String,
}

impl Endpoint {
    /// A server that speaks the API as OpenAI does.
    pub(super) fn new(base_url: &str, api_key: Option<&SecretString>) -> Result<Self, RemoteSettingsError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = api_key.map(|key| key_header("Bearer ", key)).transpose()?.flatten() {
            headers.insert(AUTHORIZATION, value);
        }
        let api_key = api_key.cloned().unwrap_or_default();
        Ok(Self { base: BaseUrl::parse(base_url)?, azure: None, api_key, headers })
    }

    /// A resource of Azure: the deployment is in the path, the version in the query, the key in a header of its own.
    pub(super) fn azure(
        base_url: &str,
        api_key: Option<&SecretString>,
        deployment: &str,
        api_version: &str,
    ) -> Result<Self, RemoteSettingsError> {
        if !is_name(deployment) {
            return Err(RemoteSettingsError::Model(
                "is not the name of a deployment: those have letters, digits, `-`, `_` and `.`",
            ));
        }
        if !is_name(api_version) {
            return Err(RemoteSettingsError::ApiVersion("is not a version like 2024-10-21"));
        }
        let mut headers = HeaderMap::new();
        if let Some(value) = api_key.map(|key| key_header("", key)).transpose()?.flatten() {
            headers.insert(API_KEY, value);
        }
        let azure = Azure { deployment: deployment.to_owned(), api_version: api_version.to_owned() };
        let api_key = api_key.cloned().unwrap_or_default();
        Ok(Self { base: BaseUrl::parse(base_url)?, azure: Some(azure), api_key, headers })
    }

    pub(super) fn host(&self) -> &str {
        self.base.host()
    }

    pub(super) fn is_https(&self) -> bool {
        self.base.is_https()
    }

    /// Where questions go.
    pub(super) fn completions(&self) -> String {
        self.with_query(self.url("/chat/completions"))
    }

    /// Where the server lists its models. Azure lists what its resource could deploy.
    pub(super) fn models(&self) -> String {
        match &self.azure {
            Some(_) => self.with_query(format!("{}/openai/models", self.base.as_str())),
            None => self.url("/models"),
        }
    }

    /// The values are names, which need no escaping.
    fn with_query(&self, url: String) -> String {
        let query: Vec<_> = self.query().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { url } else { format!("{url}?{}", query.join("&")) }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        match &self.azure {
            Some(azure) => format!("{}/openai/deployments/{}{path}", self.base.as_str(), azure.deployment),
            None => format!("{}{path}", self.base.as_str()),
        }
    }

    fn query(&self) -> Vec<(&str, &str)> {
        self.azure.iter().map(|azure| ("api-version", azure.api_version.as_str())).collect()
    }

    fn api_base(&self) -> &str {
        self.base.as_str()
    }

    fn api_key(&self) -> &SecretString {
        &self.api_key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_key_there_is_no_authorization() {
        for key in [None, Some(SecretString::from("")), Some(SecretString::from(" \n"))] {
            assert!(Endpoint::new("http://host", key.as_ref()).unwrap().headers().is_empty());
        }
    }

    #[test]
    fn azure_has_the_deployment_in_the_path_and_the_key_in_a_header_of_its_own() {
        let key = SecretString::from("k-1\n");
        let endpoint = Endpoint::azure("https://mine.openai.azure.com/", Some(&key), "chai-4o", "2024-10-21").unwrap();
        assert_eq!(
            endpoint.completions(),
            "https://mine.openai.azure.com/openai/deployments/chai-4o/chat/completions?api-version=2024-10-21"
        );
        assert_eq!(endpoint.models(), "https://mine.openai.azure.com/openai/models?api-version=2024-10-21");
        let headers = endpoint.headers();
        assert_eq!((headers.len(), headers.get(API_KEY).unwrap().as_bytes()), (1, b"k-1".as_slice()));
        assert!(headers.get(API_KEY).unwrap().is_sensitive());
    }

    #[test]
    fn a_name_that_would_change_the_address_is_refused() {
        for name in ["", "a/b", "a?b", "a b", "..", "../x", "a&b"] {
            let model = Endpoint::azure("https://host", None, name, "2024-10-21").err();
            assert!(matches!(model, Some(RemoteSettingsError::Model(_))), "{name}");
            let version = Endpoint::azure("https://host", None, "chai", name).err();
            assert!(matches!(version, Some(RemoteSettingsError::ApiVersion(_))), "{name}");
        }
    }
}
