use std::time::Duration;

use hitesh_domain::{ProviderId, StepFormat};

use super::{
    Preset,
    known::{self, MaxTokensField},
};
use crate::{Sampling, SecretString, http::BaseUrl};

/// How an OpenAI-compatible server is reached and asked. It has no `Debug`: before it is checked, the base URL may
/// hold a password.
#[derive(Clone)]
pub struct OpenAiSettings {
    /// The provider's configured name.
    pub id: ProviderId,
    /// Up to and with the version, e.g. `https://api.openai.com/v1`. `http` or `https`, without user, query or
    /// fragment.
    pub base_url: String,
    /// Sent to `base_url` only. Without one no `Authorization` header is sent. The environment is never read.
    pub api_key: Option<SecretString>,
    /// The model's exact name at that server.
    pub model: String,
    /// What the server is known for; `None`: by the host of `base_url`.
    pub preset: Option<&'static Preset>,
    /// How the steps are marked; `None`: as the server is known for, else by tags.
    pub step_format: Option<StepFormat>,
    /// Sampling parameters.
    pub sampling: Sampling,
    /// Under which name the longest answer is sent; `None`: as the server is known for, else `max_tokens`.
    pub max_tokens_field: Option<MaxTokensField>,
    /// The version of Azure's API, for a resource of Azure: then `base_url` is the resource's endpoint, `model` the
    /// name of a deployment, and the key is sent as Azure takes it. `None`: any other server.
    pub azure_api_version: Option<String>,
    /// How long opening a connection may take, TLS included.
    pub connect_timeout: Duration,
    /// The proxy that every request goes through, `http` or `https`; it may hold a user and a password. The
    /// environment's proxies are never used.
    pub proxy: Option<SecretString>,
}

impl OpenAiSettings {
    /// The settings of a server without a key: 3 s to connect, temperature 0.7 and at most 1,200 tokens (8,000 where
    /// reasoning counts as completion; a reasoning model of OpenAI: no temperature either).
    pub fn new(id: ProviderId, base_url: impl Into<String>, model: impl Into<String>) -> Self {
        let (base_url, model) = (base_url.into(), model.into());
        let known = BaseUrl::parse(&base_url).ok().and_then(|url| Preset::at(url.host()));
        Self {
            id,
            base_url,
            api_key: None,
            preset: None,
            step_format: None,
            sampling: known::default_sampling(known, &model),
            model,
            max_tokens_field: None,
            azure_api_version: None,
            connect_timeout: Duration::from_secs(3),
            proxy: None,
        }
    }

    /// The same of a server that is known by name.
    #[must_use]
    pub fn of_preset(mut self, preset: &'static Preset) -> Self {
        self.sampling = known::default_sampling(Some(preset), &self.model);
        self.preset = Some(preset);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::OpenAiProvider;

    fn settings() -> OpenAiSettings {
        OpenAiSettings::new(ProviderId::try_from("test").unwrap(), "http://host/s3cret/v1", "gpt-4o-mini")
    }

    type Spoil = fn(&mut OpenAiSettings);

    #[test]
    fn what_no_server_takes_is_refused_when_it_is_made() {
        let rows: [(Spoil, &str); 8] = [
            (|settings| settings.base_url = "host/v1".into(), "base_url is not a URL"),
            (|settings| settings.api_key = Some("a\0b".into()), "api_key has characters that no header can carry"),
            (|settings| settings.model = " ".into(), "model is empty"),
            (|settings| settings.sampling.temperature = Some(f32::NAN), "temperature is not between 0 and 2"),
            (|settings| settings.sampling.top_p = Some(1.1), "top_p is not between 0 and 1"),
            (|settings| settings.sampling.max_tokens = Some(0), "max_tokens is 0"),
            (|settings| settings.azure_api_version = Some("?".into()), "api_version is not a version like 2024-10-21"),
            (|settings| settings.proxy = Some("s3cret".into()), "proxy is not a URL"),
        ];
        for (spoil, expected) in rows {
            let mut settings = settings();
            spoil(&mut settings);
            assert_eq!(OpenAiProvider::new(settings).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn neither_key_nor_path_nor_proxy_is_in_the_debug_form() {
        let mut settings = settings();
        settings.proxy = Some("http://user:s3cret@proxy:3128".into());
        settings.api_key = Some("s3cret".into());
        let debug = format!("{:?}", OpenAiProvider::new(settings).unwrap());
        assert!(debug.contains("host") && !debug.contains("s3cret"), "{debug}");
    }
}
