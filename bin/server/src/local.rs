//! The model in this process: from its name in the settings to a running provider.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

use hitesh_llm::{
    Provider,
    local::{LocalProvider, LocalSettings, StepTokens},
    models::{Catalog, ModelStore},
};

use crate::settings::{ProviderSettings, Settings};

/// Begins to load the model that `provider` names, and does not wait for it.
///
/// # Errors
/// In a sentence for the operator that says what to do.
pub(crate) fn start(settings: &Settings, provider: &ProviderSettings) -> Result<Arc<dyn Provider>, String> {
    let path = model_file(settings, &provider.model)?;
    let local = &settings.local;
    let local = LocalSettings {
        model: Some(provider.model.clone()),
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
    match LocalProvider::start(&path, local, provider.name.clone()) {
        Ok(started) => Ok(Arc::new(started)),
        Err(error) => Err(error.to_string()),
    }
}

/// The file of a model of the catalog, or a file by its path.
fn model_file(settings: &Settings, model: &str) -> Result<PathBuf, String> {
    let catalog = Catalog::builtin().map_err(|error| error.to_string())?;
    match catalog.get(model) {
        None => Ok(PathBuf::from(model)),
        Some(entry) => ModelStore::new(&settings.local.models_directory).path(entry).ok_or_else(|| {
            format!("the local model {model} is not on this machine: run `hitesh-ai model pull {model}`")
        }),
    }
}
