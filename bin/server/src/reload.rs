//! New personas and providers for a running server, on SIGHUP.

use std::{io, sync::Arc};

use hitesh_chat::Engine;
use hitesh_llm::Listed;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    backends,
    settings::{Settings, SettingsError},
    start::{self, StartError},
};

/// Reads the settings as the start did.
pub(crate) type ReadSettings = Arc<dyn Fn() -> Result<Settings, SettingsError> + Send + Sync>;

/// What a reload begins from.
pub(crate) struct Reload {
    pub(crate) engine: Engine,
    pub(crate) read: ReadSettings,
    /// The settings that are in force, and the providers made of them.
    pub(crate) settings: Settings,
    pub(crate) listed: Vec<Listed>,
}

/// Receives SIGHUP from now on: before that it would end the process.
///
/// # Errors
/// If the handler can't be set.
pub(crate) fn hang_ups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

impl Reload {
    /// Reloads at each signal, for ever. What is wrong is told in the log, and everything stays as it was.
    pub(crate) async fn run(mut self, mut hang_ups: Signal) {
        while hang_ups.recv().await.is_some() {
            match self.reload().await {
                Ok(()) => {
                    tracing::info!(
                        providers = self.listed.len(),
                        "reloaded: new questions go to these personas and providers; other settings take effect at the next \
                         start"
                    );
                    for (provider, error) in self.engine.warm_up().await {
                        tracing::warn!(%provider, %error, "the provider could not be warmed up");
                    }
                }
                Err(error) => tracing::error!("not reloaded, everything stays as it was: {error}"),
            }
        }
    }

    async fn reload(&mut self) -> Result<(), StartError> {
        let read = Arc::clone(&self.read);
        // Files are read, and perhaps many: not on a thread of the runtime.
        let loading = tokio::task::spawn_blocking(move || {
            let settings = read()?;
            let personas = start::personas(&settings.persona)?;
            Ok::<_, StartError>((settings, personas))
        });
        let (settings, personas) = loading.await.map_err(io::Error::other)??;
        let listed = backends::providers_again(&settings, &self.settings, &self.listed)?;
        self.engine.reconfigure(personas, listed.clone());
        (self.settings, self.listed) = (settings, listed);
        Ok(())
    }
}
