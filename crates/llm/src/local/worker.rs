//! The thread that owns the model.

use std::{
    num::NonZeroU32,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, OnceLock, atomic::Ordering},
};

use llama_cpp_2::{
    LogOptions,
    llama_backend::LlamaBackend,
    model::{LlamaModel, params::LlamaModelParams},
    send_logs_to_tracing,
};

use super::{
    LocalSettings, LocalState, ModelError, answer::Tools, context::Context, desk::Desk, pace::Pace,
    prompt::PromptRenderer, provider::Shared, saved::SavedPrefixes, threads, vocabulary::Vocabulary,
};
use crate::ProviderError;

/// What the thread is to load.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) path: PathBuf,
    pub(super) settings: LocalSettings,
    pub(super) architecture: String,
    /// The longest that a prompt and its answer may be, in tokens.
    pub(super) window: NonZeroU32,
    /// Tokens that are held in all.
    pub(super) cells: NonZeroU32,
}

/// Loads the model and works until the provider is dropped. Whatever ends it is told to all who wait.
pub(super) fn run(shared: &Shared, plan: Plan) {
    let outcome = catch_unwind(AssertUnwindSafe(|| serve(shared, plan)));
    let reason = match outcome {
        Ok(Ok(())) => "the local model was stopped".to_owned(),
        Ok(Err(error)) => {
            if !matches!(error, ModelError::Stopped) {
                tracing::error!(error = %with_source(&error), "the local model can't be used");
            }
            with_source(&error)
        }
        Err(_) => {
            tracing::error!("the local model's thread panicked");
            "the local model failed; a restart is needed".to_owned()
        }
    };
    shared.set_state(LocalState::Failed(reason.clone()));
    shared.queue.close(ProviderError::Unavailable { reason });
}

fn serve(shared: &Shared, plan: Plan) -> Result<(), ModelError> {
    let backend = backend()?;
    let model = load(backend, &plan, shared)?;
    let template = model.chat_template(None).map_err(|_| ModelError::NoChatTemplate { path: plan.path.clone() })?;
    let renderer = PromptRenderer::new(&model, template);
    let probe = [hitesh_domain::Message::new(hitesh_domain::Role::User, "chai")];
    renderer.tokens(&probe, true).map_err(|_| ModelError::ChatTemplate { path: plan.path.clone() })?;
    let threads = threads::find(backend, &model, plan.settings.threads);
    let pace = Pace::new(plan.settings.prefill_chunk);
    let saved = if plan.settings.save_prefix { SavedPrefixes::beside(&plan.path) } else { SavedPrefixes::none() };
    let batch = pace.most() + plan.settings.parallel.get();
    let context = Context::new(backend, &model, &plan.settings, (plan.cells, batch, threads), saved)?;
    tracing::info!(model = %plan.path.display(), context = plan.window, threads, "the local model is loaded");
    let vocabulary = Vocabulary::of(&model);
    let window = usize::try_from(plan.window.get()).unwrap_or(usize::MAX);
    let tools = Tools { model: &model, vocabulary, renderer, settings: plan.settings };
    shared.set_state(LocalState::Ready);
    Desk::new(shared, context, tools, pace, window).run();
    Ok(())
}

fn load(backend: &LlamaBackend, plan: &Plan, shared: &Shared) -> Result<LlamaModel, ModelError> {
    let stop = Arc::clone(&shared.stop);
    let params = LlamaModelParams::default().with_progress_callback(move |_| !stop.load(Ordering::Relaxed));
    let model = LlamaModel::load_from_file(backend, &plan.path, &params).map_err(|_| {
        if shared.stop.load(Ordering::Relaxed) {
            ModelError::Stopped
        } else {
            ModelError::Refused { path: plan.path.clone() }
        }
    })?;
    // Their caches can't take back a part of an answer.
    if model.is_recurrent() || model.is_hybrid() {
        let architecture = plan.architecture.clone();
        return Err(ModelError::Architecture { path: plan.path.clone(), architecture });
    }
    Ok(model)
}

/// llama.cpp is set up once for the process, however many models it runs, and for as long.
fn backend() -> Result<&'static LlamaBackend, ModelError> {
    static BACKEND: OnceLock<Option<LlamaBackend>> = OnceLock::new();
    let backend = BACKEND.get_or_init(|| {
        // It is talkative: its log is for the one who asks for it.
        let asked_for = tracing::enabled!(target: "llama-cpp-2", tracing::Level::DEBUG);
        send_logs_to_tracing(LogOptions::default().with_logs_enabled(asked_for));
        LlamaBackend::init().ok()
    });
    backend.as_ref().ok_or(ModelError::Backend)
}

fn with_source(error: &ModelError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
