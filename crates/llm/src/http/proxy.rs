use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::RemoteSettingsError;

/// Checks the URL of a proxy, which may hold a user and a password. Says too whether it is spoken to over TLS.
pub(super) fn parse(url: &SecretString) -> Result<(reqwest::Proxy, bool), RemoteSettingsError> {
    let wrong = RemoteSettingsError::Proxy;
    let url = Url::parse(url.expose_secret().trim()).map_err(|_| wrong("is not a URL"))?;
    let is_https = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(wrong("is neither http nor https")),
    };
    if url.host_str().is_none() {
        return Err(wrong("has no host"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a path, a query or a fragment"));
    }
    let proxy = reqwest::Proxy::all(url).map_err(|_| wrong("can't be used"))?;
    Ok((proxy, is_https))
}

/// Checks the URL of a proxy.
///
/// # Errors
/// What is wrong with it, without any of it: it may hold a password.
pub fn check_proxy(url: &SecretString) -> Result<(), RemoteSettingsError> {
    parse(url).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_can_not_be_used_is_refused_and_not_repeated() {
        for url in ["", "s3cret:3128", "socks5://s3cret:1080", "http://s3cret/path", "http://s3cret?x=1", "http://"] {
            let error = parse(&SecretString::from(url)).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{url}: {error}");
        }
    }

    #[test]
    fn a_proxy_may_have_a_password() {
        for (url, https) in [("http://user:s3cret@proxy:3128", false), ("https://proxy/", true)] {
            assert_eq!(parse(&SecretString::from(url)).unwrap().1, https, "{url}");
        }
    }
}
