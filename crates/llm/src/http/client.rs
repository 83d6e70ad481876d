use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;

use super::{RemoteSettingsError, proxy};
use crate::SecretString;

/// A client that does one request when it is told to do one: no retry, no redirect (a key must not follow one), and
/// of proxies only the one that is given, never one of the environment.
///
/// # Errors
/// If the proxy is no URL of one, there are no certificates to trust (only for `https`), or the client can't be made.
pub fn build(
    is_https: bool,
    connect_timeout: Duration,
    proxy: Option<&SecretString>,
) -> Result<reqwest::Client, RemoteSettingsError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("hitesh-ai/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        // Or a token waits for the acknowledgement of the one before it.
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false);
    let (builder, is_https) = match proxy {
        None => (builder, is_https),
        Some(proxy) => {
            let (proxy, to_proxy) = proxy::parse(proxy)?;
            (builder.proxy(proxy), is_https || to_proxy)
        }
    };
    builder
        .tls_backend_preconfigured(tls(is_https)?)
        .build()
        .map_err(|error| RemoteSettingsError::Client(error.without_url().to_string()))
}

/// TLS with ring, stated here, so that no process-wide default has to be installed first.
fn tls(is_https: bool) -> Result<ClientConfig, RemoteSettingsError> {
    let untrusted = |error: rustls::Error| RemoteSettingsError::Certificates(error.to_string());
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
