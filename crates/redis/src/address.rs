use std::fmt;

use redis::{
    Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisResult, TlsCertificates,
};

use crate::Certificates;

/// Where a Redis server is, and how it is spoken to. User and password are never shown.
#[derive(Clone, PartialEq)]
pub struct Address {
    host: String,
    port: u16,
    access: Access,
}

/// How a server is spoken to: who asks, for which database, and whether by TLS. Nothing of it is ever shown.
#[derive(Clone, Default, PartialEq)]
pub struct Access {
    /// The user; the server's default one if there is none.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// The number of the database; a cluster has only 0.
    pub database: i64,
    /// TLS, if it is to be used.
    pub tls: Option<Certificates>,
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
        let (host, port, tls) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (host, *port, None),
            ConnectionAddr::TcpTls { host, port, insecure: false, .. } => (host, *port, Some(Certificates::default())),
            _ => return Err(AddressError),
        };
        let settings = info.redis_settings();
        let access = Access {
            username: settings.username().map(str::to_owned),
            password: settings.password().map(str::to_owned),
            database: settings.db(),
            tls,
        };
        Ok(Self { host: host.clone(), port, access })
    }

    /// The server at `host` and `port`.
    pub fn new(host: impl Into<String>, port: u16, access: Access) -> Self {
        Self { host: host.into(), port, access }
    }

    /// With this user and password, unless it names some itself.
    #[must_use]
    pub fn or_user(mut self, username: Option<&str>, password: Option<&str>) -> Self {
        if self.access.username.is_none() && self.access.password.is_none() {
            self.access.username = username.map(str::to_owned);
            self.access.password = password.map(str::to_owned);
        }
        self
    }

    /// With these certificates, if it is spoken to by TLS.
    #[must_use]
    pub fn with_certificates(mut self, certificates: &Certificates) -> Self {
        if let Some(tls) = &mut self.access.tls {
            tls.clone_from(certificates);
        }
        self
    }

    /// How it is spoken to.
    pub fn access(&self) -> &Access {
        &self.access
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A client of it, that has sent nothing yet.
    ///
    /// # Errors
    /// If a certificate or a key is none.
    pub(crate) fn client(&self) -> RedisResult<Client> {
        let (host, port) = (self.host.clone(), self.port);
        let Access { username, password, database, tls } = &self.access;
        let mut settings = RedisConnectionInfo::default().set_db(*database);
        if let Some(username) = username {
            settings = settings.set_username(username);
        }
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        let Some(Certificates { authorities, client }) = tls else {
            let info = ConnectionAddr::Tcp(host, port).into_connection_info()?;
            return Client::open(info.set_redis_settings(settings));
        };
        let addr = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None };
        let own = |(certificate, key): &(Vec<u8>, Vec<u8>)| ClientTlsConfig {
            client_cert: certificate.clone(),
            client_key: key.clone(),
        };
        let certificates = TlsCertificates { root_cert: authorities.clone(), client_tls: client.as_ref().map(own) };
        Client::build_with_tls(addr.into_connection_info()?.set_redis_settings(settings), certificates)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.access.tls.is_some() { "rediss" } else { "redis" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host.trim_matches(['[', ']']), self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("tls", &self.tls.is_some()).finish_non_exhaustive()
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
            assert_eq!((address.to_string().as_str(), address.access.database), (shown, db));
        }
        let address = Address::parse("redis://app:s%40crate@redis:1").unwrap();
        let Access { username, password, .. } = address.access;
        assert_eq!((username.as_deref(), password.as_deref()), (Some("app"), Some("s@crate")));
    }

    #[test]
    fn an_address_that_names_a_user_keeps_it() {
        let user = |url| Address::parse(url).unwrap().or_user(Some("app"), Some("other")).access.password.unwrap();
        assert_eq!((user("redis://:own@redis").as_str(), user("redis://redis").as_str()), ("own", "other"));
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
        let access = address.access();
        assert!(!format!("{address} {address:?} {address:#?} {access:?}").contains("hunter"));
    }
}
