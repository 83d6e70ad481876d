use std::{error::Error, io, sync::Arc};

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why a call came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LinkError {
    /// The server can't be reached or can't serve now: later.
    #[error("redis is unavailable: {reason}")]
    Unavailable {
        /// In words of ours.
        reason: String,
        /// The call may have been done all the same, or may be yet.
        in_doubt: bool,
    },
    /// The server answered with something else than was expected.
    #[error("redis gave an answer that makes no sense here: {reason}")]
    Invalid {
        /// In words of ours.
        reason: String,
    },
}

/// A call that came to nothing, and whether others would too.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: LinkError,
    /// The server, not this call alone.
    pub(crate) away: bool,
    /// Nothing was done, since another node of the cluster has the slot.
    pub(crate) redirect: Option<Redirect>,
}

/// Who should be asked instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// Another node has the slot now. An empty host is that of the node that says so.
    Moved(String, u16),
    /// Another node is being given the slot, and has these keys already.
    Ask(String, u16),
    /// The same node, in a moment: some of the keys are still on their way.
    Again,
}

impl Failed {
    /// The server can't be used, and nothing was sent to it.
    pub(crate) fn unreached(reason: impl Into<String>) -> Self {
        Self { error: LinkError::Unavailable { reason: reason.into(), in_doubt: false }, away: true, redirect: None }
    }

    /// The call was not done, and others may be.
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self { away: false, ..Self::unreached(reason) }
    }

    /// The same, with the server that it is about.
    pub(crate) fn at(mut self, server: &str) -> Self {
        let (LinkError::Unavailable { reason, .. } | LinkError::Invalid { reason }) = &mut self.error;
        *reason = format!("{server}: {reason}");
        self
    }

    /// In words of ours.
    pub(crate) fn reason(self) -> String {
        let (LinkError::Unavailable { reason, .. } | LinkError::Invalid { reason }) = self.error;
        reason
    }

    /// No reply in time.
    pub(crate) fn late(deadline: std::time::Duration) -> Self {
        let reason = format!("no answer within {deadline:?}");
        Self { error: LinkError::Unavailable { reason, in_doubt: true }, away: true, redirect: None }
    }

    /// A reply that is an error, to `commands` commands.
    pub(crate) fn answered(error: &RedisError, commands: usize) -> Self {
        let reason = words(error);
        let kind = error.kind();
        let redirect = redirect(error, commands);
        let error = match kind {
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse => LinkError::Invalid { reason },
            // The other commands of a pipeline were done.
            kind => LinkError::Unavailable { reason, in_doubt: kind == ErrorKind::Io || is_partial(error, commands) },
        };
        // A server without memory still reads and forgets, and one that forbids a command knows others.
        let away = match kind {
            ErrorKind::Io | ErrorKind::AuthenticationFailed => true,
            ErrorKind::Server(kind) => matches!(
                kind,
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ClusterDown
            ),
            _ => false,
        };
        Self { error, away, redirect }
    }
}

/// Whether some of a pipeline's commands were done, and some were not.
fn is_partial(error: &RedisError, commands: usize) -> bool {
    commands > 1 && error.clone().into_server_errors().is_some_and(|errors| errors.len() < commands)
}

/// Where all of it may be sent once more: only if none of it was done.
fn redirect(error: &RedisError, commands: usize) -> Option<Redirect> {
    let errors = error.clone().into_server_errors()?;
    if errors.len() < commands {
        return None;
    }
    let redirects = errors.iter().map(|(_, error)| match error.kind()? {
        ServerErrorKind::Moved => place(error.details()?).map(|(host, port)| Redirect::Moved(host, port)),
        ServerErrorKind::Ask => place(error.details()?).map(|(host, port)| Redirect::Ask(host, port)),
        ServerErrorKind::TryAgain => Some(Redirect::Again),
        _ => None,
    });
    redirects.reduce(|first, other| if first == other { first } else { None })?
}

/// Of `SLOT HOST:PORT`.
fn place(details: &str) -> Option<(String, u16)> {
    let (host, port) = details.split_ascii_whitespace().nth(1)?.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// What went wrong, without the server's own words: they may quote a key or a script.
pub(crate) fn words(error: &RedisError) -> String {
    let said = |what: &str| error.detail().is_some_and(|detail| detail.contains(what));
    match error.kind() {
        ErrorKind::AuthenticationFailed => "it refused the user or the password".to_owned(),
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse => "the answer has another form".to_owned(),
        ErrorKind::InvalidClientConfig => "the address can't be used".to_owned(),
        ErrorKind::Io if error.is_connection_refusal() => "it refused the connection".to_owned(),
        ErrorKind::Io if error.is_timeout() => "it gave no answer in time".to_owned(),
        ErrorKind::Io => tls_words(error).unwrap_or("the connection broke").to_owned(),
        ErrorKind::Server(ServerErrorKind::ResponseError) if said("cluster support disabled") => {
            "it is no node of a cluster".to_owned()
        }
        _ => match error.code() {
            Some("LOADING") => "it is loading its data".to_owned(),
            Some("READONLY") => "it is a replica".to_owned(),
            Some("OOM") => "it has no memory left".to_owned(),
            Some("NOAUTH") => "it wants a password".to_owned(),
            Some("WRONGPASS") => "it refused the user or the password".to_owned(),
            Some("NOPERM") => "the user has no right to do that there".to_owned(),
            Some("CLUSTERDOWN") => "its cluster is down".to_owned(),
            Some("MOVED") => "it is a node of a cluster, and was spoken to as if it were alone".to_owned(),
            Some("CROSSSLOT") => "the keys of one call are in different slots".to_owned(),
            Some(code) if code.len() <= 16 && code.bytes().all(|b| b.is_ascii_uppercase()) => format!("it says {code}"),
            _ => "it failed".to_owned(),
        },
    }
}

/// What is wrong with TLS, if that is what is wrong.
fn tls_words(error: &RedisError) -> Option<&'static str> {
    use rustls::{CertificateError, Error as Tls};
    // The library shares its causes.
    let shared = error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    let tls = shared.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<Tls>()?;
    Some(match tls {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is signed by nobody who is trusted here"
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name",
        Tls::InvalidCertificate(_) => "its certificate is not valid",
        Tls::AlertReceived(_) => "it wants a client's certificate that it trusts",
        _ => "TLS could not be set up with it",
    })
}
