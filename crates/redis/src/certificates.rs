use std::fmt;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// The certificates of TLS, in PEM.
#[derive(Clone, Default, PartialEq)]
pub struct Certificates {
    /// Those that a server's has to be signed by; none are those that this machine trusts.
    pub authorities: Option<Vec<u8>>,
    /// The client's own certificate and its key, for servers that ask for one.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// Which of the [`Certificates`] is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificatesError {
    /// The authorities.
    #[error("there is no certificate of an authority in it, in PEM")]
    Authorities,
    /// The client's certificate.
    #[error("there is no certificate in it, in PEM")]
    Certificate,
    /// The client's key.
    #[error("there is no private key in it, in PEM")]
    Key,
}

impl Certificates {
    /// Whether all of them are what they should be.
    ///
    /// # Errors
    /// With the first that is not.
    pub fn check(&self) -> Result<(), CertificatesError> {
        if self.authorities.as_deref().is_some_and(|pem| !has_certificates(pem)) {
            return Err(CertificatesError::Authorities);
        }
        match &self.client {
            Some((certificate, _)) if !has_certificates(certificate) => Err(CertificatesError::Certificate),
            Some((_, key)) if PrivateKeyDer::from_pem_slice(key).is_err() => Err(CertificatesError::Key),
            _ => Ok(()),
        }
    }
}

fn has_certificates(pem: &[u8]) -> bool {
    let mut found = CertificateDer::pem_slice_iter(pem).peekable();
    found.peek().is_some() && found.all(|certificate| certificate.is_ok())
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}
