use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

/// Where a Redis server is, and who asks. User and password are never shown.
#[derive(Clone)]
pub struct Address {
    info: ConnectionInfo,
    shown: String,
}

/// A text is no [`Address`]. It never quotes the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected redis://host:port, or rediss://host:port for TLS, with USER:PASSWORD@ before the host if needed")]
pub struct AddressError;

impl Address {
    /// Reads a URL: `redis://` or `rediss://`, user, password, host, port (6379) and number of the database (0).
    ///
    /// # Errors
    /// For any other text.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        if !matches!(scheme, Some("redis" | "rediss")) {
            return Err(AddressError);
        }
        let info = url.into_connection_info().map_err(|_| AddressError)?;
        let shown = match info.addr() {
            ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}"),
            ConnectionAddr::TcpTls { host, port, insecure: false, .. } => format!("rediss://{host}:{port}"),
            _ => return Err(AddressError),
        };
        Ok(Self { info, shown })
    }

    pub(crate) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        let who = |address: &Self| {
            let settings = address.info.redis_settings();
            (settings.username().map(str::to_owned), settings.password().map(str::to_owned), settings.db())
        };
        self.shown == other.shown && who(self) == who(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_parts_read() {
        for (text, shown, db) in [
            ("redis://localhost", "redis://localhost:6379", 0),
            ("redis://127.0.0.1:7000/3", "redis://127.0.0.1:7000", 3),
            ("rediss://u:p@example.com", "rediss://example.com:6379", 0),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.to_string().as_str(), address.info.redis_settings().db()), (shown, db));
        }
        let address = Address::parse("redis://app:s%40crate@redis:1").unwrap();
        let settings = address.info.redis_settings();
        assert_eq!((settings.username(), settings.password()), (Some("app"), Some("s@crate")));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let wrong =
            ["", "localhost:6379", "http://redis", "unix:///run/redis.sock", "redis://", "rediss://h/#insecure"];
        for text in wrong {
            assert_eq!(Address::parse(text).map(|address| address.to_string()), Err(AddressError), "{text}");
        }
    }

    #[test]
    fn user_and_password_are_never_shown() {
        let address = Address::parse("redis://hunter1:hunter2@redis").unwrap();
        assert!(!format!("{address} {address:?} {address:#?}").contains("hunter"));
    }
}
