//! Whom to ask.

mod form;
mod list;

use std::time::Duration;

use hitesh_domain::{ProviderId, StepFormat};
use hitesh_llm::{Prices, Sampling, openai::Preset};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

pub(super) use self::{form::ProviderForm, list::resolve};

/// A provider that is to be used; they are tried in the order of their list.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderSettings {
    /// The operator's name for it, unlike all the others.
    pub name: ProviderId,
    /// What it is.
    pub kind: ProviderKind,
    /// The model that a remote provider is asked for (Azure: the name of its deployment). Kind `local`: a name of the
    /// catalog, or the path of a GGUF file.
    pub model: String,
    /// How its model marks steps; none: by what is known of it.
    pub step_format: Option<StepFormat>,
    /// Sampling; what is none is left to the provider.
    pub sampling: Sampling,
    /// How long each phase of a call may take.
    pub deadlines: Deadlines,
    /// How many calls of it may run at once; none: as many as there are turns.
    pub max_in_flight: Option<usize>,
    /// Whether it is left alone for a while when it fails too often.
    pub breaker: bool,
    /// Whether instances on one Redis tell each other when it is to be left alone.
    pub share_breaker: bool,
    /// What it charges.
    pub prices: Option<Prices>,
    /// Whether its model reasons in its text before it answers; none: told by the model's name.
    pub reasons: Option<bool>,
}

impl ProviderSettings {
    /// Whether the same connection, or the same loaded model, serves both: how it is used may differ.
    pub fn is_same_backend(&self, other: &Self) -> bool {
        // The rest is how it is used.
        let Self { name, kind, model, step_format, sampling, deadlines, .. } = self;
        *name == other.name
            && *kind == other.kind
            && *model == other.model
            && *step_format == other.step_format
            && *sampling == other.sampling
            && *deadlines == other.deadlines
    }
}

/// What a provider is.
#[derive(Debug, Clone, PartialEq)]
pub enum ProviderKind {
    /// A server that is asked over HTTP.
    Remote(Remote),
    /// The model in this process.
    Local,
}

impl ProviderKind {
    /// Whether instances on other machines, with the same settings, ask the very same server.
    fn is_of_other_machines(&self) -> bool {
        let Self::Remote(remote) = self else { return false };
        let url = Url::parse(&remote.base_url).ok();
        !url.as_ref().and_then(Url::host).is_none_or(|host| match host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        })
    }
}

/// A server that is asked over HTTP.
#[derive(Debug, Clone)]
pub struct Remote {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Its API root, `http` or `https`, without a slash at the end.
    pub base_url: String,
    /// Its key; none for a server that needs none.
    pub api_key: Option<SecretString>,
    /// The proxy that every request to it goes through. It may hold a password.
    pub proxy: Option<SecretString>,
}

/// What a server speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's chat completions API.
    OpenAi {
        /// What the server is known by; none: by its host.
        preset: Option<&'static Preset>,
    },
    /// The same API as Azure has it.
    Azure {
        /// Its version.
        api_version: String,
    },
    /// Anthropic's Messages API.
    Anthropic,
}

/// The only place where a provider's secrets are compared: whether a reload changes them.
impl PartialEq for Remote {
    fn eq(&self, other: &Self) -> bool {
        let Remote { protocol, base_url, api_key, proxy } = self;
        let is_same = |a: &Option<SecretString>, b: &Option<SecretString>| {
            a.as_ref().map(ExposeSecret::expose_secret) == b.as_ref().map(ExposeSecret::expose_secret)
        };
        *protocol == other.protocol
            && *base_url == other.base_url
            && is_same(api_key, &other.api_key)
            && is_same(proxy, &other.proxy)
    }
}

/// How long each phase of a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Waiting for a place.
    pub queue: Duration,
    /// Opening the connection.
    pub connect: Duration,
    /// Until the first token.
    pub first_token: Duration,
    /// Between two tokens.
    pub silence: Duration,
    /// The whole call.
    pub total: Duration,
}
