use std::collections::BTreeSet;

use hitesh_domain::ProviderId;
use hitesh_llm::Sampling;
use secrecy::SecretString;

use super::{
    Deadlines, Protocol, ProviderKind, ProviderSettings, Remote,
    form::{self, KindForm, OPENAI_MODEL, OPENAI_URL, ProviderForm},
};
use crate::settings::{origin::KeyPath, resolve::Resolve};

/// The variables that choose a provider as long as no list does.
const OPENAI_VARIABLES: [&str; 3] = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"];

/// The providers of the list, or the one that the variables choose when there is no list.
pub(in crate::settings) fn resolve(
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
    let used: BTreeSet<&str> = list.iter().flatten().filter_map(ProviderForm::key_variable).collect();
    let ignored: Vec<&str> =
        OPENAI_VARIABLES.into_iter().filter(|name| at.vars.get(name).is_some() && !used.contains(name)).collect();
    if !ignored.is_empty() {
        at.warnings.push(format!("the settings list providers: ignored are {}", ignored.join(", ")));
    }
    let any_written = !list.is_empty();
    let mut names = BTreeSet::new();
    let mut providers = Vec::with_capacity(list.len());
    for (index, form) in list.into_iter().enumerate() {
        let path = KeyPath::of(&["providers"]).index(index);
        let Some(form) = form else { continue };
        if let Some(name) = form.name()
            && !names.insert(name)
        {
            at.mistake_at(&path.clone().key("name"), "there is a provider of this name already");
        }
        // One that is switched off is checked all the same, but for its key, which may be what it waits for.
        let enabled = form.is_enabled();
        providers.extend(form.resolve(&path, local_model, at).filter(|_| enabled));
    }
    if any_written && providers.is_empty() {
        at.warnings.push("no provider is enabled: nothing can answer".to_owned());
    }
    providers
}

/// OpenAI, or a server that speaks like it, if there is a key or an address for it; else the model in this process.
fn chosen_by_variables(local_model: &str, at: &mut Resolve<'_>) -> Option<ProviderSettings> {
    let [key, base_url, model] = OPENAI_VARIABLES.map(|name| at.vars.get(name).map(|value| value.trim().to_owned()));
    let (name, kind, model, deadlines) = if key.is_none() && base_url.is_none() {
        ("local", ProviderKind::Local, local_model.to_owned(), Deadlines::of(KindForm::Local))
    } else {
        let base_url = form::check_url(base_url.as_deref().unwrap_or(OPENAI_URL))
            .map_err(|wrong| at.variable_mistake("OPENAI_BASE_URL", wrong));
        let remote = Remote {
            protocol: Protocol::OpenAi { preset: None },
            base_url: base_url.ok()?,
            api_key: key.map(SecretString::from),
            proxy: None,
        };
        let model = model.unwrap_or_else(|| OPENAI_MODEL.to_owned());
        ("openai", ProviderKind::Remote(remote), model, Deadlines::of(KindForm::Openai))
    };
    Some(ProviderSettings {
        name: ProviderId::try_from(name).ok()?,
        model,
        step_format: None,
        sampling: Sampling::default(),
        deadlines,
        max_in_flight: None,
        breaker: true,
        share_breaker: kind.is_of_other_machines(),
        kind,
        reasons: None,
        prices: None,
    })
}
