//! A provider as it is written.

use std::time::Duration;

use hitesh_domain::{ProviderId, StepFormat};
use hitesh_llm::{
    Prices, RemoteSettingsError, Sampling,
    anthropic::AnthropicSettings,
    check_proxy,
    openai::{Preset, PresetKind},
};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::{Deadlines, Protocol, ProviderKind, ProviderSettings, Remote};
use crate::settings::{
    origin::KeyPath,
    resolve::{Resolve, SecretForm},
    values::{self, Secret},
};

/// The server that is asked when a provider of kind `openai` names none.
pub(super) const OPENAI_URL: &str = "https://api.openai.com/v1";
/// The model that OpenAI is asked for when nothing names one.
pub(super) const OPENAI_MODEL: &str = "gpt-4o-mini";
/// The version of Azure's API unless one is given: the last that is no preview.
const AZURE_VERSION: &str = "2024-10-21";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::settings) struct ProviderForm {
    name: Option<ProviderId>,
    #[serde(default, deserialize_with = "preset")]
    preset: Option<&'static Preset>,
    kind: Option<KindForm>,
    base_url: Option<String>,
    api_key: Option<Secret>,
    api_key_env: Option<String>,
    api_key_file: Option<String>,
    api_version: Option<String>,
    proxy: Option<Secret>,
    model: Option<String>,
    step_format: Option<StepFormat>,
    #[serde(default, deserialize_with = "values::maybe_number::<_, 0, 2>")]
    temperature: Option<f32>,
    #[serde(default, deserialize_with = "values::maybe_number::<_, 0, 1>")]
    top_p: Option<f32>,
    #[serde(default, deserialize_with = "values::maybe_within::<_, _, 1, 1_000_000>")]
    max_tokens: Option<u32>,
    #[serde(default, deserialize_with = "values::maybe_within::<_, _, 1, 100_000>")]
    max_in_flight: Option<usize>,
    breaker: Option<bool>,
    share_breaker: Option<bool>,
    reasons: Option<bool>,
    prices: Option<PricesForm>,
    #[serde(default)]
    deadlines: DeadlinesForm,
    enabled: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KindForm {
    Openai,
    Azure,
    Anthropic,
    Local,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeadlinesForm {
    #[serde(default, deserialize_with = "values::maybe_seconds::<_, 10, 3_600_000>")]
    queue_seconds: Option<Duration>,
    #[serde(default, deserialize_with = "values::maybe_seconds::<_, 10, 3_600_000>")]
    connect_seconds: Option<Duration>,
    #[serde(default, deserialize_with = "values::maybe_seconds::<_, 10, 3_600_000>")]
    first_token_seconds: Option<Duration>,
    #[serde(default, deserialize_with = "values::maybe_seconds::<_, 10, 3_600_000>")]
    silence_seconds: Option<Duration>,
    #[serde(default, deserialize_with = "values::maybe_seconds::<_, 10, 3_600_000>")]
    total_seconds: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PricesForm {
    #[serde(deserialize_with = "values::amount")]
    prompt: f64,
    #[serde(default, deserialize_with = "values::maybe_amount")]
    cached: Option<f64>,
    #[serde(deserialize_with = "values::amount")]
    completion: f64,
}

impl From<PricesForm> for Prices {
    fn from(form: PricesForm) -> Self {
        Self { prompt: form.prompt, cached: form.cached.unwrap_or(form.prompt), completion: form.completion }
    }
}

/// The name of a preset.
fn preset<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<&'static Preset>, D::Error> {
    let name = String::deserialize(reader)?;
    let found = Preset::find(&name.trim().to_ascii_lowercase());
    let names = || Preset::all().iter().map(|preset| preset.name.as_str()).collect::<Vec<_>>().join(", ");
    found.map(Some).ok_or_else(|| de::Error::custom(format_args!("expected one of: {}", names())))
}

impl KindForm {
    fn of(preset: &Preset) -> Self {
        match preset.kind {
            PresetKind::OpenAi => Self::Openai,
            PresetKind::Anthropic => Self::Anthropic,
        }
    }
}

impl Deadlines {
    pub(super) fn of(kind: KindForm) -> Self {
        let [queue, connect, first_token, silence, total] = match kind {
            KindForm::Openai | KindForm::Azure | KindForm::Anthropic => [5, 3, 15, 20, 30],
            KindForm::Local => [120, 3, 60, 20, 300],
        }
        .map(Duration::from_secs);
        Self { queue, connect, first_token, silence, total }
    }

    fn or(self, form: DeadlinesForm) -> Self {
        Self {
            queue: form.queue_seconds.unwrap_or(self.queue),
            connect: form.connect_seconds.unwrap_or(self.connect),
            first_token: form.first_token_seconds.unwrap_or(self.first_token),
            silence: form.silence_seconds.unwrap_or(self.silence),
            total: form.total_seconds.unwrap_or(self.total),
        }
    }
}

impl ProviderForm {
    /// Its name: that of its preset unless it has one of its own.
    pub(super) fn name(&self) -> Option<ProviderId> {
        self.name.clone().or_else(|| ProviderId::try_from(self.preset?.name.as_str()).ok())
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or(true)
    }

    /// The variable that its key is read from.
    pub(super) fn key_variable(&self) -> Option<&str> {
        self.api_key_env.as_deref().or_else(|| self.preset_variable())
    }

    /// The variable of its preset, if its key is to come from there. A key goes only where it was meant to: the
    /// variable was set for the preset's own address, and is passed over with any other.
    fn preset_variable(&self) -> Option<&'static str> {
        let preset = self.preset?;
        let has_key = self.api_key.is_some() || self.api_key_env.is_some() || self.api_key_file.is_some();
        let is_own = self.base_url.as_ref().is_none_or(|url| url.trim().trim_end_matches('/') == preset.base_url);
        preset.key_variable.as_deref().filter(|_| is_own && !has_key)
    }

    pub(super) fn resolve(
        mut self,
        path: &KeyPath,
        local_model: &str,
        at: &mut Resolve<'_>,
    ) -> Option<ProviderSettings> {
        // A preset that is written and unknown is a mistake already.
        let has_preset = at.tree.at(&path.clone().key("preset")).is_some();
        if self.name.is_none() && !has_preset {
            at.missing(path, "name", "has no name");
        }
        if self.kind.is_none() && !has_preset {
            at.missing(path, "kind", "has no kind: give openai, azure, anthropic or local, or a preset");
        }
        let kind = self.kind.or_else(|| self.preset.map(KindForm::of))?;
        if let Some(preset) = self.preset
            && kind != KindForm::of(preset)
        {
            at.mistake_at(&path.clone().key("kind"), "this preset is of another kind: leave kind out");
        }
        self.check_kind(kind, path, at);
        let name = self.name();
        let model = self.model(kind, path, local_model, at);
        let share_breaker = self.share_breaker;
        let resolved = match kind {
            KindForm::Local => ProviderKind::Local,
            KindForm::Openai | KindForm::Azure | KindForm::Anthropic => {
                ProviderKind::Remote(self.remote(kind, path, at)?)
            }
        };
        Some(ProviderSettings {
            name: name?,
            model: model?,
            step_format: self.step_format,
            sampling: Sampling { temperature: self.temperature, top_p: self.top_p, max_tokens: self.max_tokens },
            deadlines: Deadlines::of(kind).or(self.deadlines),
            max_in_flight: self.max_in_flight,
            breaker: self.breaker.unwrap_or(true),
            share_breaker: share_breaker.unwrap_or_else(|| resolved.is_of_other_machines()),
            kind: resolved,
            reasons: self.reasons,
            prices: self.prices.map(Prices::from),
        })
    }

    /// Settings that its kind has not.
    fn check_kind(&self, kind: KindForm, path: &KeyPath, at: &mut Resolve<'_>) {
        let mut refuse = |key: &str, given: bool, problem: &str| {
            if given {
                at.mistake_at(&path.clone().key(key), problem);
            }
        };
        if kind == KindForm::Local {
            let remote_only = [
                ("base_url", self.base_url.is_some()),
                ("api_key", self.api_key.is_some()),
                ("api_key_env", self.api_key_env.is_some()),
                ("api_key_file", self.api_key_file.is_some()),
                ("proxy", self.proxy.is_some()),
                ("share_breaker", self.share_breaker.is_some()),
            ];
            remote_only.into_iter().for_each(|(key, given)| refuse(key, given, "a local model has none"));
        }
        refuse("api_version", kind != KindForm::Azure && self.api_version.is_some(), "only kind azure has one");
        if kind == KindForm::Anthropic {
            let is_json = self.step_format.is_some_and(|format| format != StepFormat::Tagged);
            refuse("step_format", is_json, "kind anthropic takes tagged only");
            let is_hot = self.temperature.is_some_and(|temperature| temperature > 1.0);
            refuse("temperature", is_hot, "kind anthropic takes a number from 0 to 1");
        }
    }

    fn model(&mut self, kind: KindForm, path: &KeyPath, local_model: &str, at: &mut Resolve<'_>) -> Option<String> {
        let model = match (self.model.take(), kind) {
            (Some(model), KindForm::Local) => at.model(&model),
            (Some(model), _) => model,
            (None, KindForm::Local) => local_model.to_owned(),
            (None, KindForm::Openai) if self.preset.is_none() => OPENAI_MODEL.to_owned(),
            (None, KindForm::Azure) => {
                at.missing(path, "model", "has no model: give the name of its deployment");
                return None;
            }
            (None, KindForm::Openai | KindForm::Anthropic) => {
                at.missing(path, "model", "has no model: give its exact name at that server");
                return None;
            }
        };
        if model.trim().is_empty() {
            at.mistake_at(&path.clone().key("model"), "the model has no name");
        }
        Some(model)
    }

    fn remote(&mut self, kind: KindForm, path: &KeyPath, at: &mut Resolve<'_>) -> Option<Remote> {
        let api_key = self.key(path, at);
        let proxy = self.proxy.take().and_then(|Secret(proxy)| {
            let checked = check_proxy(&proxy).map_err(|wrong| {
                let problem = match wrong {
                    RemoteSettingsError::Proxy(problem) => problem.to_owned(),
                    other => other.to_string(),
                };
                at.mistake_at(&path.clone().key("proxy"), problem);
            });
            checked.is_ok().then_some(proxy)
        });
        let preset = self.preset;
        let base_url = match (self.base_url.as_deref(), preset, kind) {
            (Some(url), ..) => check_url(url).map_err(|wrong| at.mistake_at(&path.clone().key("base_url"), wrong)).ok(),
            (None, Some(preset), _) => Some(preset.base_url.clone()),
            (None, None, KindForm::Anthropic) => Some(AnthropicSettings::BASE_URL.to_owned()),
            (None, None, KindForm::Azure) => {
                at.missing(path, "base_url", "has no base_url: give the endpoint of the resource");
                None
            }
            (None, None, KindForm::Openai | KindForm::Local) => Some(OPENAI_URL.to_owned()),
        };
        let protocol = match kind {
            KindForm::Azure => {
                Protocol::Azure { api_version: self.api_version.take().unwrap_or_else(|| AZURE_VERSION.to_owned()) }
            }
            KindForm::Anthropic => Protocol::Anthropic,
            KindForm::Openai | KindForm::Local => Protocol::OpenAi { preset },
        };
        Some(Remote { protocol, base_url: base_url?, api_key, proxy })
    }

    fn key(&mut self, path: &KeyPath, at: &mut Resolve<'_>) -> Option<SecretString> {
        if !self.is_enabled() {
            return None;
        }
        let preset_variable = self.preset_variable();
        if let Some(variable) = preset_variable.filter(|variable| at.vars.get(variable).is_none()) {
            at.mistake_at(path, format!("has no key: set the variable {variable}, or give api_key"));
            return None;
        }
        let sources = SecretForm {
            here: self.api_key.take(),
            variable: self.api_key_env.take().or_else(|| preset_variable.map(str::to_owned)),
            file: self.api_key_file.take(),
        };
        at.secret(path, "api_key", sources)
    }
}

pub(super) fn check_url(text: &str) -> Result<String, &'static str> {
    let expected = "expected an address like https://api.openai.com/v1";
    let url = Url::parse(text.trim()).map_err(|_| expected)?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
        return Err(expected);
    }
    // Addresses are shown in logs and in health checks.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address holds no user or password: give the key as api_key");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
