use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;

use super::settings::OpenAiSettingsError;

/// A client that does one request when it is told to do one: no retry, no redirect (a key must not follow one), no
/// proxy of the environment.
///
/// # Errors
/// If there are no certificates to trust (only for `https`), or the client can't be made.
pub fn build(is_https: bool, connect_timeout: Duration) -> Result<reqwest::Client, OpenAiSettingsError> {
    reqwest::Client::builder()
        .user_agent(concat!("hitesh-ai/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        // Or a token waits for the acknowledgement of the one before it.
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .tls_backend_preconfigured(tls(is_https)?)
        .build()
        .map_err(|error| OpenAiSettingsError::Client(error.without_url().to_string()))
}

/// TLS with ring, stated here, so that no process-wide default has to be installed first.
fn tls(is_https: bool) -> Result<ClientConfig, OpenAiSettingsError> {
    let untrusted = |error: rustls::Error| OpenAiSettingsError::Certificates(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(untrusted)?;
    // A plain server needs no certificates: one on a machine without any must still be usable.
    let trusting = if is_https {
        builder.with_platform_verifier().map_err(untrusted)?
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    Ok(trusting.with_no_client_auth())
}
