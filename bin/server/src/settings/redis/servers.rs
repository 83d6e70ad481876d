//! Where the servers are, and how they are spoken to.

use hitesh_redis::{Access, Address, Certificates, CertificatesError, Sentinels, Servers};
use secrecy::{ExposeSecret, SecretString};

use super::{RedisForm, Resolve, Secret};
use crate::settings::{origin::KeyPath, resolve::SecretForm};

/// Who asks.
#[derive(Default)]
struct User {
    name: Option<String>,
    password: Option<SecretString>,
}

impl User {
    /// What an address says itself comes first.
    fn of(&self, address: Address) -> Address {
        address.or_user(self.name.as_deref(), self.password.as_ref().map(|password| password.expose_secret()))
    }
}

impl RedisForm {
    /// None if there are mistakes.
    pub(super) fn servers(&mut self, at: &mut Resolve<'_>) -> Option<Servers> {
        self.check_form(at)?;
        let section = KeyPath::of(&["redis"]);
        let form = SecretForm {
            here: self.password.take(),
            variable: self.password_env.take(),
            file: self.password_file.take(),
        };
        let user = User { name: self.username.take(), password: at.secret(&section, "password", form) };
        let form = SecretForm {
            here: self.sentinel_password.take(),
            variable: self.sentinel_password_env.take(),
            file: self.sentinel_password_file.take(),
        };
        let sentinel_user =
            User { name: self.sentinel_username.take(), password: at.secret(&section, "sentinel_password", form) };
        let certificates = self.certificates(at)?;
        let with = |user: &User, address| user.of(address).with_certificates(&certificates);
        let servers = if let Some(url) = &self.url {
            Servers::Single(with(&user, read(url, &KeyPath::of(&["redis", "url"]), at)?))
        } else if !self.cluster.is_empty() {
            let nodes = read_all(&self.cluster, "cluster", at)?;
            Servers::Cluster(nodes.into_iter().map(|node| with(&user, node)).collect())
        } else {
            let sentinels = read_all(&self.sentinels, "sentinels", at)?;
            let access = Access {
                username: user.name,
                password: user.password.map(|password| password.expose_secret().to_owned()),
                database: self.database.unwrap_or_default().into(),
                tls: self.tls.unwrap_or_default().then(|| certificates.clone()),
            };
            Servers::Sentinel(Sentinels {
                sentinels: sentinels.into_iter().map(|sentinel| with(&sentinel_user, sentinel)).collect(),
                primary: self.primary.take().unwrap_or_default(),
                access,
            })
        };
        self.check_use(&servers, at)?;
        Some(servers)
    }

    /// One kind of servers, and nothing that is for another kind.
    fn check_form(&self, at: &mut Resolve<'_>) -> Option<()> {
        let has_sentinels = !self.sentinels.is_empty();
        let kinds = [("url", self.url.is_some()), ("sentinels", has_sentinels), ("cluster", !self.cluster.is_empty())];
        if let Some((second, _)) = kinds.iter().filter(|(_, is_there)| *is_there).nth(1) {
            at.mistake(&["redis", second], "give only one of url (REDIS_URL), sentinels and cluster");
            return None;
        }
        if has_sentinels && self.primary.as_deref().is_none_or(|name| name.trim().is_empty()) {
            at.mistake(&["redis", "primary"], "Sentinels have to be told the name of the primary");
            return None;
        }
        let of_sentinels = [
            ("primary", self.primary.is_some(), ""),
            ("tls", self.tls.is_some(), "; for others rediss:// in the address says it"),
            ("database", self.database.is_some(), "; for one server the end of its address says it"),
            ("sentinel_username", self.sentinel_username.is_some(), ""),
            ("sentinel_password", self.sentinel_password.is_some(), ""),
            ("sentinel_password_env", self.sentinel_password_env.is_some(), ""),
            ("sentinel_password_file", self.sentinel_password_file.is_some(), ""),
        ];
        for (key, _, instead) in of_sentinels.iter().filter(|(_, is_there, _)| *is_there && !has_sentinels) {
            at.mistake(&["redis", key], format!("is for redis.sentinels{instead}"));
        }
        (has_sentinels || of_sentinels.iter().all(|(_, is_there, _)| !is_there)).then_some(())
    }

    /// Nothing that these servers can't have.
    fn check_use(&self, servers: &Servers, at: &mut Resolve<'_>) -> Option<()> {
        let accesses: Vec<_> = match servers {
            Servers::Single(address) => vec![address.access()],
            Servers::Sentinel(of) => of.sentinels.iter().map(Address::access).chain([&of.access]).collect(),
            Servers::Cluster(nodes) => nodes.iter().map(Address::access).collect(),
        };
        if matches!(servers, Servers::Cluster(_)) {
            if accesses.iter().any(|access| access.database != 0) {
                at.mistake(&["redis", "cluster"], "a cluster has only database 0");
                return None;
            }
            if accesses.windows(2).any(|two| two.first() != two.last()) {
                at.mistake(&["redis", "cluster"], "its nodes have to have the same user, password and kind of address");
                return None;
            }
        }
        let is_tls = accesses.iter().any(|access| access.tls.is_some());
        let files =
            [("ca_file", &self.ca_file), ("certificate_file", &self.certificate_file), ("key_file", &self.key_file)];
        if let Some((key, _)) = files.iter().find(|(_, file)| file.is_some() && !is_tls) {
            at.mistake(
                &["redis", key],
                "is for TLS, which no address asks for (rediss://, or redis.tls with Sentinels)",
            );
            return None;
        }
        Some(())
    }

    fn certificates(&self, at: &mut Resolve<'_>) -> Option<Certificates> {
        let client = match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => {
                Some((file(certificate, "certificate_file", at)?, file(key, "key_file", at)?))
            }
            (None, None) => None,
            (given, _) => {
                let key = if given.is_some() { "certificate_file" } else { "key_file" };
                at.mistake(&["redis", key], "a certificate and its key are given together, or neither");
                return None;
            }
        };
        let authorities = match &self.ca_file {
            Some(name) => Some(file(name, "ca_file", at)?),
            None => None,
        };
        let certificates = Certificates { authorities, client };
        if let Err(error) = certificates.check() {
            let key = match error {
                CertificatesError::Authorities => "ca_file",
                CertificatesError::Certificate => "certificate_file",
                CertificatesError::Key => "key_file",
            };
            at.mistake(&["redis", key], error.to_string());
            return None;
        }
        Some(certificates)
    }
}

fn file(name: &str, key: &str, at: &mut Resolve<'_>) -> Option<Vec<u8>> {
    let read = std::fs::read(at.directory.join(at.path(name)));
    read.map_err(|error| at.mistake(&["redis", key], format!("cannot read the file: {error}"))).ok()
}

fn read_all(urls: &[Secret], key: &str, at: &mut Resolve<'_>) -> Option<Vec<Address>> {
    let path = KeyPath::of(&["redis", key]);
    let read: Vec<_> = urls.iter().enumerate().map(|(index, url)| read(url, &path.clone().index(index), at)).collect();
    read.into_iter().collect()
}

fn read(Secret(url): &Secret, path: &KeyPath, at: &mut Resolve<'_>) -> Option<Address> {
    Address::parse(url.expose_secret()).map_err(|error| at.mistake_at(path, error.to_string())).ok()
}
