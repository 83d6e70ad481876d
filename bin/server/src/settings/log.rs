use serde::{Deserialize, Deserializer, de::Error};
use tracing::level_filters::LevelFilter;

/// What is logged, and in which form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// How much.
    pub level: LogLevel,
    /// For people or for machines.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// A line for people, with colour on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// A level for everything, and levels for single parts: `info`, or `warn,hitesh_chat=debug`. The names that the
/// original took (`WARNING`, `CRITICAL`, …) are understood in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel {
    /// For all that is not named below.
    pub everything: LevelFilter,
    /// For a module path and what is below it.
    pub parts: Vec<(String, LevelFilter)>,
}

impl LogSettings {
    /// Warnings and errors only, for a command whose output somebody reads.
    pub fn only_problems(&mut self) {
        self.level.everything = self.level.everything.min(LevelFilter::WARN);
    }
}

impl LogLevel {
    /// # Errors
    /// In words, when `text` is no such list.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected off, error, warning, info, debug or trace, or a list like warn,hitesh_chat=debug";
        let mut level = Self { everything: LevelFilter::INFO, parts: Vec::new() };
        for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            match directive.split_once('=') {
                None => level.everything = level_named(directive).ok_or_else(expected)?,
                Some((part, name)) => {
                    let name = level_named(name.trim()).ok_or_else(expected)?;
                    level.parts.push((part.trim().to_owned(), name));
                }
            }
        }
        Ok(level)
    }
}

impl<'de> Deserialize<'de> for LogLevel {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(reader)?).map_err(D::Error::custom)
    }
}

fn level_named(name: &str) -> Option<LevelFilter> {
    Some(match name.to_ascii_lowercase().as_str() {
        "off" | "none" => LevelFilter::OFF,
        "error" | "critical" | "fatal" => LevelFilter::ERROR,
        "warn" | "warning" => LevelFilter::WARN,
        "info" | "notice" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" | "notset" => LevelFilter::TRACE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_names_are_understood_in_any_case() {
        for (name, level) in [
            ("INFO", LevelFilter::INFO),
            ("Warning", LevelFilter::WARN),
            ("CRITICAL", LevelFilter::ERROR),
            ("debug", LevelFilter::DEBUG),
        ] {
            assert_eq!(LogLevel::parse(name), Ok(LogLevel { everything: level, parts: vec![] }), "{name}");
        }
    }

    #[test]
    fn single_parts_can_have_their_own_level() {
        let level = LogLevel::parse("warn, hitesh_chat=debug,hitesh_llm::openai=TRACE").unwrap();
        assert_eq!(level.everything, LevelFilter::WARN);
        let parts = [("hitesh_chat", LevelFilter::DEBUG), ("hitesh_llm::openai", LevelFilter::TRACE)];
        assert_eq!(level.parts, parts.map(|(part, level)| (part.to_owned(), level)));
    }

    #[test]
    fn an_unknown_level_is_refused() {
        assert!(LogLevel::parse("verbose").is_err());
        assert!(LogLevel::parse("info,hitesh_chat=loud").is_err());
    }
}
