use async_openai::config::Config;
use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};

use super::settings::OpenAiSettingsError;

/// Where requests go, and with which key. Made here and not by `OpenAIConfig`, which takes what is missing from
/// `OPENAI_API_KEY`, `OPENAI_ORG_ID` and others of the environment and would send it to any base URL.
#[derive(Clone)]
pub(super) struct Endpoint {
    base: String,
    host: String,
    is_https: bool,
    api_key: SecretString,
    headers: HeaderMap,
}

impl Endpoint {
    pub(super) fn new(base_url: &str, api_key: Option<&SecretString>) -> Result<Self, OpenAiSettingsError> {
        let wrong = OpenAiSettingsError::BaseUrl;
        let url = Url::parse(base_url.trim()).map_err(|_| wrong("is not a URL"))?;
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("is neither http nor https")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds a user or a password: use api_key"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a query or a fragment"));
        }
        let host = url.host_str().ok_or(wrong("has no host"))?.to_owned();

        let mut headers = HeaderMap::new();
        // A key that was read from a file ends with a line break.
        let api_key = api_key.map(|key| key.expose_secret().trim()).unwrap_or_default();
        if !api_key.is_empty() {
            let mut value = HeaderValue::try_from(format!("Bearer {api_key}"))
                .map_err(|_| OpenAiSettingsError::ApiKey("has characters that no header can carry"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base, host, is_https, api_key: SecretString::from(api_key), headers })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn is_https(&self) -> bool {
        self.is_https
    }
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.api_key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> Option<OpenAiSettingsError> {
        Endpoint::new(url, None).err()
    }

    #[test]
    fn a_base_url_that_can_not_be_asked_is_refused() {
        for url in ["", "localhost:8000", "ftp://host/v1", "file:///etc/passwd", "http://", "http://h/v1?key=x", "x"] {
            assert!(matches!(error(url), Some(OpenAiSettingsError::BaseUrl(_))), "{url}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        let error = error("https://user:s3cret@host/v1").unwrap();
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        for url in ["http://host/v1", "http://host/v1/", " http://host/v1\n"] {
            assert_eq!(Endpoint::new(url, None).unwrap().url("/models"), "http://host/v1/models");
        }
    }

    #[test]
    fn a_key_is_trimmed_and_marked_sensitive() {
        let endpoint = Endpoint::new("http://host", Some(&SecretString::from("sk-1\n"))).unwrap();
        let headers = endpoint.headers();
        let value = headers.get(AUTHORIZATION).unwrap();
        assert_eq!(value, "Bearer sk-1");
        assert!(value.is_sensitive());
    }

    #[test]
    fn without_a_key_there_is_no_authorization() {
        for key in [None, Some(SecretString::from("")), Some(SecretString::from(" \n"))] {
            assert!(Endpoint::new("http://host", key.as_ref()).unwrap().headers().is_empty());
        }
    }

    #[test]
    fn a_key_that_would_split_the_header_is_refused() {
        let key = SecretString::from("sk-1\r\nx-evil: 1");
        assert!(matches!(Endpoint::new("http://host", Some(&key)), Err(OpenAiSettingsError::ApiKey(_))));
    }
}
