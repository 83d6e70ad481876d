//! Whom to ask.

use std::{collections::BTreeSet, time::Duration};

use hitesh_domain::{ProviderId, StepFormat};
use hitesh_llm::Sampling;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{
    origin::KeyPath,
    resolve::{Resolve, SecretForm},
    values::{self, Secret},
};

/// The server that is asked when a provider of kind `openai` names none.
const OPENAI_URL: &str = "https://api.openai.com/v1";
/// The model that OpenAI is asked for when nothing names one.
const OPENAI_MODEL: &str = "gpt-4o-mini";
/// The variables that choose a provider as long as no list does.
const OPENAI_VARIABLES: [&str; 3] = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"];

/// A provider that is to be used; they are tried in the order of their list.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// The operator's name for it, unlike all the others.
    pub name: ProviderId,
    /// What it is.
    pub kind: ProviderKind,
    /// Kind `openai`: the model that is asked for. Kind `local`: a name of the catalog, or the path of a GGUF file.
    pub model: String,
    /// How its model marks steps; none: by what is known of it.
    pub step_format: Option<StepFormat>,
    /// Sampling; what is none is left to the provider.
    pub sampling: Sampling,
    /// How long each phase of a call may take.
    pub deadlines: Deadlines,
}

/// What a provider is.
#[derive(Debug, Clone)]
pub enum ProviderKind {
    /// A server that speaks OpenAI's chat completions API.
    OpenAi {
        /// Its API root, `http` or `https`, without a slash at the end.
        base_url: String,
        /// Its key; none for a server that needs none.
        api_key: Option<SecretString>,
    },
    /// The model in this process.
    Local,
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

impl Deadlines {
    fn of(kind: KindForm, form: DeadlinesForm) -> Self {
        let [queue, connect, first_token, silence, total] = match kind {
            KindForm::Openai => [5, 3, 15, 20, 30],
            KindForm::Local => [120, 3, 60, 20, 300],
        }
        .map(Duration::from_secs);
        Self {
            queue: form.queue_seconds.unwrap_or(queue),
            connect: form.connect_seconds.unwrap_or(connect),
            first_token: form.first_token_seconds.unwrap_or(first_token),
            silence: form.silence_seconds.unwrap_or(silence),
            total: form.total_seconds.unwrap_or(total),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderForm {
    name: Option<ProviderId>,
    kind: Option<KindForm>,
    base_url: Option<String>,
    api_key: Option<Secret>,
    api_key_env: Option<String>,
    api_key_file: Option<String>,
    model: Option<String>,
    step_format: Option<StepFormat>,
    #[serde(default, deserialize_with = "values::maybe_number::<_, 0, 2>")]
    temperature: Option<f32>,
    #[serde(default, deserialize_with = "values::maybe_number::<_, 0, 1>")]
    top_p: Option<f32>,
    #[serde(default, deserialize_with = "values::maybe_within::<_, _, 1, 1_000_000>")]
    max_tokens: Option<u32>,
    #[serde(default)]
    deadlines: DeadlinesForm,
    enabled: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindForm {
    Openai,
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

/// The providers of the list, or the one that the variables choose when there is no list.
pub(super) fn resolve(
    list: Option<Vec<Option<ProviderForm>>>,
    local_model: &str,
    at: &mut Resolve<'_>,
) -> Vec<ProviderSettings> {
    match list {
        Some(list) => listed(list, local_model, at),
        None => chosen_by_variables(local_model, at).into_iter().collect(),
    }
}

fn listed(list: Vec<Option<ProviderForm>>, local_model: &str, at: &mut Resolve<'_>) -> Vec<ProviderSettings> {
    let used: BTreeSet<String> = list.iter().flatten().filter_map(|form| form.api_key_env.clone()).collect();
    let ignored: Vec<&str> =
        OPENAI_VARIABLES.into_iter().filter(|name| at.vars.get(name).is_some() && !used.contains(*name)).collect();
    if !ignored.is_empty() {
        at.warnings.push(format!("the settings list providers: ignored are {}", ignored.join(", ")));
    }
    let any_written = !list.is_empty();
    let mut names = BTreeSet::new();
    let mut providers = Vec::with_capacity(list.len());
    for (index, form) in list.into_iter().enumerate() {
        let path = KeyPath::of(&["providers"]).index(index);
        let Some(form) = form else { continue };
        if let Some(name) = &form.name
            && !names.insert(name.clone())
        {
            at.mistake_at(&path.clone().key("name"), "there is a provider of this name already");
        }
        // One that is switched off is checked all the same, but for its key, which may be what it waits for.
        let enabled = form.enabled.unwrap_or(true);
        providers.extend(form.resolve(&path, local_model, at).filter(|_| enabled));
    }
    if any_written && providers.is_empty() {
        at.warnings.push("no provider is enabled: nothing can answer".to_owned());
    }
    providers
}

impl ProviderForm {
    fn resolve(self, path: &KeyPath, local_model: &str, at: &mut Resolve<'_>) -> Option<ProviderSettings> {
        if self.name.is_none() {
            at.missing(path, "name", "has no name");
        }
        if self.kind.is_none() {
            at.missing(path, "kind", "has no kind: give openai or local");
        }
        let kind = self.kind?;
        let sources = SecretForm { here: self.api_key, variable: self.api_key_env, file: self.api_key_file };
        let (resolved, model) = match kind {
            KindForm::Openai => {
                let base_url = self.base_url.as_deref().unwrap_or(OPENAI_URL);
                let base_url = check_url(base_url).map_err(|wrong| at.mistake_at(&path.clone().key("base_url"), wrong));
                let api_key = match self.enabled {
                    Some(false) => None,
                    _ => at.secret(path, "api_key", sources),
                };
                let model = self.model.unwrap_or_else(|| OPENAI_MODEL.to_owned());
                (ProviderKind::OpenAi { base_url: base_url.ok()?, api_key }, model)
            }
            KindForm::Local => {
                let remote_only = [
                    ("base_url", self.base_url.is_some()),
                    ("api_key", sources.here.is_some()),
                    ("api_key_env", sources.variable.is_some()),
                    ("api_key_file", sources.file.is_some()),
                ];
                for (key, _) in remote_only.into_iter().filter(|(_, given)| *given) {
                    at.mistake_at(&path.clone().key(key), "a local model has none");
                }
                (ProviderKind::Local, self.model.map_or_else(|| local_model.to_owned(), |model| at.model(&model)))
            }
        };
        if model.trim().is_empty() {
            at.mistake_at(&path.clone().key("model"), "the model has no name");
        }
        Some(ProviderSettings {
            name: self.name?,
            kind: resolved,
            model,
            step_format: self.step_format,
            sampling: Sampling { temperature: self.temperature, top_p: self.top_p, max_tokens: self.max_tokens },
            deadlines: Deadlines::of(kind, self.deadlines),
        })
    }
}

/// OpenAI, or a server that speaks like it, if there is a key or an address for it; else the model in this process.
fn chosen_by_variables(local_model: &str, at: &mut Resolve<'_>) -> Option<ProviderSettings> {
    let [key, base_url, model] = OPENAI_VARIABLES.map(|name| at.vars.get(name).map(|value| value.trim().to_owned()));
    if key.is_none() && base_url.is_none() {
        return Some(ProviderSettings {
            name: ProviderId::try_from("local").ok()?,
            kind: ProviderKind::Local,
            model: local_model.to_owned(),
            step_format: None,
            sampling: Sampling::default(),
            deadlines: Deadlines::of(KindForm::Local, DeadlinesForm::default()),
        });
    }
    let base_url = check_url(base_url.as_deref().unwrap_or(OPENAI_URL))
        .map_err(|wrong| at.variable_mistake("OPENAI_BASE_URL", wrong));
    let api_key = key.map(SecretString::from);
    Some(ProviderSettings {
        name: ProviderId::try_from("openai").ok()?,
        kind: ProviderKind::OpenAi { base_url: base_url.ok()?, api_key },
        model: model.unwrap_or_else(|| OPENAI_MODEL.to_owned()),
        step_format: None,
        sampling: Sampling::default(),
        deadlines: Deadlines::of(KindForm::Openai, DeadlinesForm::default()),
    })
}

fn check_url(text: &str) -> Result<String, &'static str> {
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
