//! Certificates for a test, made by the `openssl` of the system.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::Certificates;

/// An authority of its own, with a certificate for a server on this machine and one for a client, in a folder that ends with
/// this value.
#[derive(Debug)]
pub struct TestCertificates {
    folder: TempDir,
    demands_client: bool,
}

impl TestCertificates {
    /// For servers that ask their clients for no certificate.
    ///
    /// # Panics
    /// If there is no `openssl`.
    pub fn make() -> Self {
        Self::made_for("DNS:localhost,IP:127.0.0.1")
    }

    /// The same, with a server's certificate for other names.
    ///
    /// # Panics
    /// As [`make`](Self::make).
    pub fn made_for(names: &str) -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap(), demands_client: false };
        made.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority \
             -keyout authority.key -out authority.pem",
        );
        std::fs::write(made.path("names"), format!("subjectAltName={names}\n")).unwrap();
        for name in ["server", "client"] {
            made.openssl(&format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ));
            made.openssl(&format!(
                "x509 -req -in {name}.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names \
                 -out {name}.pem"
            ));
        }
        made
    }

    /// For servers that take only clients with a certificate.
    #[must_use]
    pub fn demanding_clients(mut self) -> Self {
        self.demands_client = true;
        self
    }

    /// What a client needs to trust these servers, and to be trusted by them.
    pub fn trusted(&self) -> Certificates {
        let client = self.demands_client.then(|| (self.read("client.pem"), self.read("client.key")));
        Certificates { authorities: Some(self.read("authority.pem")), client }
    }

    /// The file with the authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// The files with a client's certificate and its key.
    pub fn client(&self) -> [PathBuf; 2] {
        ["client.pem", "client.key"].map(|name| self.path(name))
    }

    pub(super) fn words(&self) -> Vec<String> {
        let file = |name: &str| self.path(name).display().to_string();
        let clients = if self.demands_client { "yes" } else { "no" };
        [
            ["--tls-ca-cert-file".to_owned(), file("authority.pem")],
            ["--tls-cert-file".to_owned(), file("server.pem")],
            ["--tls-key-file".to_owned(), file("server.key")],
            ["--tls-auth-clients".to_owned(), clients.to_owned()],
        ]
        .concat()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn openssl(&self, words: &str) {
        let folder: &Path = self.folder.path();
        let mut command = Command::new("openssl");
        command.args(words.split_ascii_whitespace()).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().expect("the tests of TLS need openssl (Debian: apt-get install openssl)");
        assert!(status.success(), "openssl {words}");
    }
}
