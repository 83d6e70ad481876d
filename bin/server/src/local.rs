//! The model in this process: from its name in the settings to a running provider.

use std::{num::NonZeroUsize, path::Path, sync::Arc};

use hitesh_llm::{
    Provider,
    local::{LocalProvider, LocalSettings, ModelError, StepTokens, has_memory_for},
    models::{Catalog, ModelStore},
};

use crate::settings::{ProviderSettings, Settings};

/// Begins to load the model that `provider` names, and does not wait for it. Where memory is short, the smaller model
/// that the catalog has for it takes its place, which is logged.
///
/// # Errors
/// In a sentence for the operator that says what to do.
pub(crate) fn start(settings: &Settings, provider: &ProviderSettings) -> Result<Arc<dyn Provider>, String> {
    let catalog = Catalog::builtin().map_err(|error| error.to_string())?;
    let store = ModelStore::new(&settings.local.models_directory);
    let Some(entry) = catalog.get(&provider.model) else {
        return load(settings, provider, &provider.model, Path::new(&provider.model))
            .map_err(|error| error.to_string());
    };
    let lite = entry.lite.as_deref().and_then(|lite| catalog.get(lite));
    let reason = match store.path(entry) {
        Some(path) => match load(settings, provider, &entry.name, &path) {
            Err(error @ ModelError::Memory { .. }) => error.to_string(),
            other => return other.map_err(|error| error.to_string()),
        },
        None if lite.is_some() && !has_memory_for(entry.bytes) => "memory is short".to_owned(),
        None => return Err(not_here(&entry.name)),
    };
    let Some(lite) = lite else { return Err(reason) };
    let Some(path) = store.path(lite) else {
        return Err(format!("{reason}; a smaller model would do: run `hitesh-ai model pull {}`", lite.name));
    };
    tracing::warn!(model = %entry.name, lite = %lite.name, "{reason}: the smaller model takes its place, and answers less well");
    load(settings, provider, &lite.name, &path).map_err(|error| error.to_string())
}

fn not_here(model: &str) -> String {
    format!("the local model {model} is not on this machine: run `hitesh-ai model pull {model}`")
}

fn load(
    settings: &Settings,
    provider: &ProviderSettings,
    model: &str,
    path: &Path,
) -> Result<Arc<dyn Provider>, ModelError> {
    let local = &settings.local;
    let local = LocalSettings {
        model: Some(model.to_owned()),
        context_tokens: local.context_tokens,
        threads: local.threads.and_then(NonZeroUsize::new),
        parallel: NonZeroUsize::new(local.parallel).unwrap_or(NonZeroUsize::MIN),
        kept_sessions: local.kept_sessions,
        prefill_chunk: local.prefill_tokens,
        queue: local.queue,
        step_tokens: StepTokens {
            analyze: local.analyze_tokens,
            think: local.think_tokens,
            output: local.output_tokens,
        },
        repetition_penalty: local.repetition_penalty,
        longest_echo: local.longest_echo,
        sampling: provider.sampling.clone(),
        ..LocalSettings::default()
    };
    Ok(Arc::new(LocalProvider::start(path, local, provider.name.clone())?))
}
