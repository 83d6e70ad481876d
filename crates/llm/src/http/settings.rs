use crate::Sampling;

/// What is wrong with the settings of a provider behind HTTP. Never holds a URL or a key: either may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteSettingsError {
    /// Not a URL of a form that can be asked.
    #[error("base_url {0}")]
    BaseUrl(&'static str),
    /// Not a key that a header can carry.
    #[error("api_key {0}")]
    ApiKey(&'static str),
    /// There is no model's name, or none that this kind of server has.
    #[error("model {0}")]
    Model(&'static str),
    /// Not a version that Azure has.
    #[error("api_version {0}")]
    ApiVersion(&'static str),
    /// Not the URL of a proxy.
    #[error("proxy {0}")]
    Proxy(&'static str),
    /// A number that the server does not take.
    #[error("{0}")]
    Sampling(String),
    /// The system's certificates can't be loaded, and without them no `https` server can be trusted.
    #[error("no certificates to trust: install the system's (package ca-certificates): {0}")]
    Certificates(String),
    /// The HTTP client can't be made.
    #[error("the HTTP client can't be made: {0}")]
    Client(String),
}

/// Sampling that no server takes; the temperature goes to `hottest`.
pub(crate) fn check_sampling(sampling: &Sampling, hottest: u8) -> Result<(), RemoteSettingsError> {
    let Sampling { temperature, top_p, max_tokens } = sampling;
    let wrong = |words: String| Err(RemoteSettingsError::Sampling(words));
    if temperature.is_some_and(|value| !(0.0..=f32::from(hottest)).contains(&value)) {
        return wrong(format!("temperature is not between 0 and {hottest}"));
    }
    if top_p.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
        return wrong("top_p is not between 0 and 1".to_owned());
    }
    if *max_tokens == Some(0) {
        return wrong("max_tokens is 0".to_owned());
    }
    Ok(())
}
