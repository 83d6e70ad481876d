//! From settings to a running server.

use std::{io, sync::Arc};

use hitesh_chat::{Engine, EngineParts, EngineSettings, OnDisconnect, Personas, PersonasError};
use hitesh_llm::Router;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{Application, StartError as HttpError},
    backends::{BackendError, Backends},
    maintenance,
    packs::{self, PackProblem},
    reload::{self, Reload},
    settings::{self, PersonaSettings, Settings, SettingsError},
    shutdown,
    telemetry::TelemetryError,
};

/// Why the server did not start, or a command not run. Each is one line for the operator (settings: one for each
/// mistake).
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is no log.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The sessions can't be kept.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Persona packs are wrong.
    #[error("{}", lines(.0))]
    Packs(Vec<PackProblem>),
    /// The personas don't go together.
    #[error(transparent)]
    Personas(#[from] PersonasError),
    /// The socket can't be had.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Signals can't be received, or a terminal not be used.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The command found something wrong, and has said what.
    #[error("{0}")]
    Command(String),
}

/// Serves until SIGTERM or SIGINT, then drains. At SIGHUP it reads the settings once more, with `read`, and takes the
/// personas and providers of those.
///
/// # Errors
/// If it can't start.
pub async fn serve(
    settings: Settings,
    read: impl Fn() -> Result<Settings, SettingsError> + Send + Sync + 'static,
) -> Result<(), StartError> {
    let stop = shutdown::signal()?;
    let hang_ups = reload::hang_ups()?;
    let backends = Backends::connect(&settings).await?;
    let (listed, board, limit) = (backends.providers.clone(), backends.board.clone(), backends.limit.clone());
    let engine = engine(&settings, backends)?;
    let background = CancellationToken::new();
    let _background = background.clone().drop_guard();
    let application = Application::build(&settings, engine.clone(), limit)?;
    let reload = Reload { engine: engine.clone(), read: Arc::new(read), settings: settings.clone(), listed };
    maintenance::start(&settings, &engine, board, application.sampling(), reload.run(hang_ups), &background);
    let served = application.run_until(stop).await;
    engine.close().await;
    Ok(served?)
}

/// An engine over these backends.
///
/// # Errors
/// If the personas are wrong.
pub fn engine(settings: &Settings, backends: Backends) -> Result<Engine, StartError> {
    Ok(Engine::new(EngineParts {
        personas: personas(&settings.persona)?,
        router: Router::new(backends.providers),
        cache: backends.cache,
        store: backends.store,
        log: backends.log,
        settings: EngineSettings {
            disconnect_grace: settings.turns.disconnect_grace,
            on_disconnect: match settings.turns.on_disconnect {
                settings::OnDisconnect::Stop => OnDisconnect::Stop,
                settings::OnDisconnect::Finish => OnDisconnect::Finish,
            },
            max_history_messages: settings.turns.max_history_messages,
            max_in_flight: settings.limits.max_in_flight,
            max_queued: settings.limits.queue,
            max_per_session: settings.limits.session_turns,
            cache_ttl: settings.cache.ttl,
            ..EngineSettings::default()
        },
        runtime: Handle::current(),
    }))
}

pub(crate) fn personas(settings: &PersonaSettings) -> Result<Personas, StartError> {
    let (packs, problems) = packs::load(settings);
    if !problems.is_empty() {
        return Err(StartError::Packs(problems));
    }
    Ok(Personas::new(packs.into_iter().map(|pack| pack.persona).collect(), &settings.default)?)
}

fn lines(problems: &[PackProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
