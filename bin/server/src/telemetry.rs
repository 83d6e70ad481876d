//! Logs: lines for people or JSON for machines, on standard error, so that standard output stays free for answers.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, Registry, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::settings::{LogFormat, LogLevel, LogSettings};

/// Libraries whose `info` and `debug` say nothing that a user of this service needs.
const CHATTY: [&str; 9] =
    ["actix_http", "actix_server", "h2", "hyper", "hyper_util", "mio", "reqwest", "rustls", "tokio_util"];

/// Writes whole request and response bodies, prompts and answers included, into its log.
const LEAKING: &str = "async_openai";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the log")]
pub struct TelemetryError(#[from] tracing_subscriber::util::TryInitError);

/// Starts logging. Once in the life of a process.
///
/// # Errors
/// If it was started before.
pub fn init(settings: &LogSettings) -> Result<(), TelemetryError> {
    let format: Box<dyn Layer<Registry> + Send + Sync> = match settings.format {
        LogFormat::Text => {
            let colour = io::stderr().is_terminal();
            fmt::layer().compact().with_ansi(colour).with_writer(io::stderr).boxed()
        }
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
    };
    tracing_subscriber::registry().with(format.with_filter(filter(&settings.level))).try_init()?;
    Ok(())
}

/// What is let through. `async_openai` never is, whatever the settings say.
fn filter(level: &LogLevel) -> Targets {
    let quiet = level.everything.min(LevelFilter::WARN);
    Targets::new()
        .with_default(level.everything)
        .with_targets(CHATTY.map(|library| (library, quiet)))
        .with_targets(
            level
                .parts
                .iter()
                .filter(|(part, _)| !part.starts_with(LEAKING))
                .map(|(part, level)| (part.clone(), *level)),
        )
        .with_target(LEAKING, LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn filter_of(text: &str) -> Targets {
        filter(&LogLevel::parse(text).unwrap())
    }

    #[test]
    fn raw_payloads_are_never_logged() {
        for level in ["trace", "trace,async_openai=trace", "trace,async_openai::client=trace"] {
            assert!(!filter_of(level).would_enable("async_openai::client", &Level::ERROR), "{level}");
        }
    }

    #[test]
    fn libraries_stay_quiet_unless_they_are_named() {
        assert!(!filter_of("debug").would_enable("hyper::client", &Level::DEBUG));
        assert!(filter_of("debug").would_enable("hitesh_chat", &Level::DEBUG));
        assert!(filter_of("info,hyper=debug").would_enable("hyper::client", &Level::DEBUG));
    }

    #[test]
    fn a_level_below_info_holds_for_libraries_too() {
        assert!(!filter_of("error").would_enable("rustls", &Level::INFO));
    }
}
