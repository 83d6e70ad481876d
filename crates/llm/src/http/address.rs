use reqwest::{Url, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::RemoteSettingsError;

/// The root of a server's API, checked. It may hold a secret path, so it has no `Debug`; its host has none.
#[derive(Clone)]
pub(crate) struct BaseUrl {
    base: String,
    host: String,
    is_https: bool,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, RemoteSettingsError> {
        let wrong = RemoteSettingsError::BaseUrl;
        let url = Url::parse(text.trim()).map_err(|_| wrong("is not a URL"))?;
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
        Ok(Self { base: url.as_str().trim_end_matches('/').to_owned(), host, is_https })
    }

    /// Without a slash at the end.
    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }
}

/// The value of the header that carries a key, after `scheme`; `None` for a key that is empty.
pub(crate) fn key_header(scheme: &str, key: &SecretString) -> Result<Option<HeaderValue>, RemoteSettingsError> {
    // A key that was read from a file ends with a line break.
    let key = key.expose_secret().trim();
    if key.is_empty() {
        return Ok(None);
    }
    let mut value = HeaderValue::try_from(format!("{scheme}{key}"))
        .map_err(|_| RemoteSettingsError::ApiKey("has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> Option<RemoteSettingsError> {
        BaseUrl::parse(url).err()
    }

    #[test]
    fn a_base_url_that_can_not_be_asked_is_refused() {
        for url in ["", "localhost:8000", "ftp://host/v1", "file:///etc/passwd", "http://", "http://h/v1?key=x", "x"] {
            assert!(matches!(error(url), Some(RemoteSettingsError::BaseUrl(_))), "{url}");
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
            assert_eq!(BaseUrl::parse(url).unwrap().as_str(), "http://host/v1");
        }
    }

    #[test]
    fn a_key_is_trimmed_and_marked_sensitive() {
        let value = key_header("Bearer ", &SecretString::from("sk-1\n")).unwrap().unwrap();
        assert_eq!(value, "Bearer sk-1");
        assert!(value.is_sensitive());
    }

    #[test]
    fn a_key_of_nothing_is_no_key() {
        for key in ["", " \n"] {
            assert_eq!(key_header("Bearer ", &SecretString::from(key)).unwrap(), None);
        }
    }

    #[test]
    fn a_key_that_would_split_the_header_is_refused() {
        let key = SecretString::from("sk-1\r\nx-evil: 1");
        assert!(matches!(key_header("Bearer ", &key), Err(RemoteSettingsError::ApiKey(_))));
    }
}
