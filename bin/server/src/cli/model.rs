#[cfg(feature = "local")]
mod with_models {
    use std::{
        io::{IsTerminal, Write},
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use hitesh_llm::{
        local::has_memory_for,
        models::{Catalog, ModelEntry, ModelStore, Progress, PullPhase},
    };
    use indicatif::{ProgressBar, ProgressStyle};

    use crate::{
        args::ModelCommand,
        settings::{ProviderKind, Settings},
        shutdown,
        start::StartError,
    };

    /// Lists the catalog's models, or fetches one.
    ///
    /// # Errors
    /// If there is no such model, or it can't be fetched.
    pub(in crate::cli) async fn run(settings: &Settings, command: &ModelCommand) -> Result<(), StartError> {
        let catalog = Catalog::builtin().map_err(|error| StartError::Command(error.to_string()))?;
        let store = ModelStore::new(&settings.local.models_directory);
        match command {
            ModelCommand::List => list(&catalog, &store),
            ModelCommand::Pull { needed: true, .. } => {
                let local = settings.providers.iter().filter(|provider| matches!(provider.kind, ProviderKind::Local));
                for entry in local.filter_map(|provider| catalog.get(&provider.model)) {
                    pull(ModelStore::new(&settings.local.models_directory), fitting(&catalog, entry)?.clone()).await?;
                }
                Ok(())
            }
            ModelCommand::Pull { name, needed: false } => {
                let name = name.as_deref().unwrap_or(&settings.local.model);
                let Some(entry) = catalog.get(name) else {
                    let known: Vec<_> = catalog.models().iter().map(|entry| entry.name.as_str()).collect();
                    let known = known.join(", ");
                    return Err(StartError::Command(format!("there is no model {name} in the catalog: {known}")));
                };
                pull(store, entry.clone()).await
            }
        }
    }

    /// The model itself, or the smaller one that takes its place where memory is short, which is said.
    fn fitting<'a>(catalog: &'a Catalog, entry: &'a ModelEntry) -> Result<&'a ModelEntry, StartError> {
        let lite = entry.lite.as_deref().and_then(|lite| catalog.get(lite));
        match lite {
            Some(lite) if !has_memory_for(entry.bytes) => {
                let short = "memory is short for";
                writeln!(std::io::stderr(), "{short} {}: fetching {} in its place", entry.name, lite.name)?;
                Ok(lite)
            }
            _ => Ok(entry),
        }
    }

    fn list(catalog: &Catalog, store: &ModelStore) -> Result<(), StartError> {
        let mut out = std::io::stdout();
        for entry in catalog.models() {
            let place = store.path(entry).map_or("not here".to_owned(), |path| path.display().to_string());
            let megabytes = entry.bytes.div_ceil(1_000_000);
            writeln!(out, "{}  {megabytes} MB, {}\n  {}\n  {place}", entry.name, entry.licence, entry.description)?;
        }
        Ok(())
    }

    async fn pull(store: ModelStore, entry: ModelEntry) -> Result<(), StartError> {
        let stop = shutdown::signal()?;
        let cancel = Arc::new(AtomicBool::new(false));
        let cancelled = Arc::clone(&cancel);
        let show = Show::new();
        let mut work = tokio::task::spawn_blocking(move || {
            let path = store.pull(&entry, &mut |progress| show.progress(&progress), &cancelled);
            show.bar.finish_and_clear();
            path
        });
        let pulled = tokio::select! {
            pulled = &mut work => pulled,
            () = stop => {
                cancel.store(true, Ordering::SeqCst);
                work.await
            }
        };
        match pulled {
            Ok(Ok(path)) => Ok(writeln!(std::io::stdout(), "{}", path.display())?),
            Ok(Err(error)) => Err(StartError::Command(error.to_string())),
            Err(_) => Err(StartError::Command("the download was interrupted".to_owned())),
        }
    }

    /// A bar on a terminal; without one a line now and then.
    struct Show {
        bar: ProgressBar,
        said: AtomicBool,
    }

    impl Show {
        fn new() -> Self {
            let bar = if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
            let style = "{msg:24} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {eta}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            Self { bar, said: AtomicBool::new(false) }
        }

        fn progress(&self, progress: &Progress) {
            let doing = match progress.phase {
                PullPhase::Waiting => "waiting for another pull".to_owned(),
                PullPhase::Fetching { part, parts } => format!("fetching part {part} of {parts}"),
                PullPhase::Verifying => "verifying".to_owned(),
            };
            if self.bar.is_hidden() && self.bar.message() != doing {
                // Nobody reads it, if it can't be written.
                let _ = writeln!(std::io::stderr(), "{doing}, {} of {} bytes", progress.bytes, progress.total);
                self.said.store(true, Ordering::Relaxed);
            }
            self.bar.set_message(doing);
            self.bar.set_length(progress.total);
            self.bar.set_position(progress.bytes);
        }
    }
}

#[cfg(feature = "local")]
pub(super) use with_models::run;

/// Says that there is nothing to look after.
///
/// # Errors
/// Always.
#[cfg(not(feature = "local"))]
pub(super) async fn run(
    _settings: &crate::settings::Settings,
    _command: &crate::args::ModelCommand,
) -> Result<(), crate::start::StartError> {
    Err(crate::start::StartError::Command("this build has no local model".to_owned()))
}
