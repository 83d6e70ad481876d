use std::io::Write;

use hitesh_sessions::sqlite::OpenError;

use crate::{
    backends::{BackendError, open_store, providers},
    settings::{SessionsPlace, Settings},
    start::{self, StartError},
};

/// Reaches everything that the settings name, and prints a line for each.
///
/// # Errors
/// If any of it can't be used; the settings themselves were read before.
pub(super) async fn run(settings: &Settings) -> Result<(), StartError> {
    let mut report = Report { out: std::io::stdout(), faults: 0 };
    report.line(Ok(()), "settings", "valid")?;
    let personas = start::personas(&settings.persona).map(|_| ()).map_err(|error| error.to_string());
    report.line(personas, "personas", settings.persona.default.as_str())?;
    let mut place = match &settings.sessions.place {
        SessionsPlace::File(path) => path.display().to_string(),
        SessionsPlace::Memory => "in memory, until the process ends".to_owned(),
        SessionsPlace::Redis => "in Redis".to_owned(),
    };
    #[cfg(feature = "redis")]
    if let Some(shared) = &settings.redis {
        let (place, answer) = crate::redis::reach(shared).await?;
        report.line(answer, "redis", &place)?;
    }
    let store = match open_store(settings).await {
        Ok(store) => store.stats().await.map(|_| ()).map_err(|error| error.to_string()),
        Err(BackendError::Open(OpenError::InUse { .. })) => {
            place.push_str(" (in use by a running server)");
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    };
    report.line(store, "session store", &place)?;
    for listed in providers(settings)? {
        let provider = listed.provider;
        let answer = provider.probe().await.map_err(|error| error.to_string());
        report.line(answer, "provider", &format!("{} ({})", provider.id(), provider.model()))?;
    }
    if settings.providers.is_empty() {
        report.line(Err("none is configured".to_owned()), "provider", "")?;
    }
    match report.faults {
        0 => Ok(()),
        1 => Err(StartError::Command("one thing can't be used, see above".to_owned())),
        faults => Err(StartError::Command(format!("{faults} things can't be used, see above"))),
    }
}

struct Report<W> {
    out: W,
    faults: usize,
}

impl<W: Write> Report<W> {
    fn line(&mut self, result: Result<(), String>, what: &str, detail: &str) -> std::io::Result<()> {
        match result {
            Ok(()) => writeln!(self.out, "ok     {what}: {detail}"),
            Err(reason) => {
                self.faults += 1;
                writeln!(self.out, "WRONG  {what}: {detail}: {reason}")
            }
        }
    }
}
