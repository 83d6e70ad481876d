use std::time::Duration;

use hitesh_domain::ProviderId;

use crate::{Sampling, SecretString};

/// How Anthropic, or a server that speaks its Messages API, is reached and asked. It has no `Debug`: before it is
/// checked, the base URL may hold a password.
#[derive(Clone)]
pub struct AnthropicSettings {
    /// The provider's configured name.
    pub id: ProviderId,
    /// Up to and with the version, e.g. `https://api.anthropic.com/v1`. `http` or `https`, without user, query or
    /// fragment.
    pub base_url: String,
    /// Sent to `base_url` only, as `x-api-key`. The environment is never read.
    pub api_key: Option<SecretString>,
    /// The model's exact name.
    pub model: String,
    /// Sampling parameters; the temperature goes from 0 to 1. The API has to be told the longest answer: `None` is
    /// [`DEFAULT_MAX_TOKENS`](Self::DEFAULT_MAX_TOKENS).
    pub sampling: Sampling,
    /// How long opening a connection may take, TLS included.
    pub connect_timeout: Duration,
    /// The proxy that every request goes through, `http` or `https`; it may hold a user and a password. The
    /// environment's proxies are never used.
    pub proxy: Option<SecretString>,
}

impl AnthropicSettings {
    /// Anthropic's own address.
    pub const BASE_URL: &'static str = "https://api.anthropic.com/v1";

    /// The longest answer, in tokens, when none is set.
    pub const DEFAULT_MAX_TOKENS: u32 = 1_200;

    /// The settings of a server without a key: 3 s to connect and at most 1,200 tokens. The temperature is left to
    /// the model: the newer ones refuse any.
    pub fn new(id: ProviderId, base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            id,
            base_url: base_url.into(),
            api_key: None,
            model: model.into(),
            sampling: Sampling { temperature: None, top_p: None, max_tokens: Some(Self::DEFAULT_MAX_TOKENS) },
            connect_timeout: Duration::from_secs(3),
            proxy: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anthropic::AnthropicProvider;

    fn settings() -> AnthropicSettings {
        AnthropicSettings::new(ProviderId::try_from("test").unwrap(), "http://host/s3cret/v1", "claude-haiku-4-5")
    }

    type Spoil = fn(&mut AnthropicSettings);

    #[test]
    fn what_the_server_would_not_take_is_refused_when_it_is_made() {
        let rows: [(Spoil, &str); 6] = [
            (|settings| settings.base_url = "host/v1".into(), "base_url is not a URL"),
            (|settings| settings.api_key = Some("a\0b".into()), "api_key has characters that no header can carry"),
            (|settings| settings.model = " ".into(), "model is empty"),
            (|settings| settings.sampling.temperature = Some(1.1), "temperature is not between 0 and 1"),
            (|settings| settings.sampling.max_tokens = Some(0), "max_tokens is 0"),
            (|settings| settings.proxy = Some("socks5://s3cret".into()), "proxy is neither http nor https"),
        ];
        for (spoil, expected) in rows {
            let mut settings = settings();
            spoil(&mut settings);
            assert_eq!(AnthropicProvider::new(settings).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn neither_key_nor_path_nor_proxy_is_in_the_debug_form() {
        let mut settings = settings();
        settings.api_key = Some("s3cret".into());
        settings.proxy = Some("http://user:s3cret@proxy:3128".into());
        let debug = format!("{:?}", AnthropicProvider::new(settings).unwrap());
        assert!(debug.contains("host") && !debug.contains("s3cret"), "{debug}");
    }
}
