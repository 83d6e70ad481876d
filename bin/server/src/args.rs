//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// A mentor that thinks aloud: a persona chat server for any LLM.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "hitesh-ai", version, about)]
pub struct Args {
    /// Settings file [default: hitesh.toml in the working directory, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do [default: serve]
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the binary is asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the chat API over HTTP
    #[default]
    Serve,
    /// Validate the settings and reach everything that they name
    Check,
    /// Chat in this terminal
    Chat(ChatArgs),
    /// Look after the models that run in this process
    Model {
        /// What to do with them.
        #[command(subcommand)]
        command: ModelCommand,
    },
}

/// How to chat in the terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ChatArgs {
    /// Running server to talk to, like http://127.0.0.1:8000 [default: none, answers are made in this process]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,

    /// Session to go on with [default: a new one]
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,

    /// Persona to talk to [default: the one of the settings]
    #[arg(long, value_name = "ID")]
    pub persona: Option<String>,
}

/// What to do with local models.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ModelCommand {
    /// List the models of the catalog, and which are here
    List,
    /// Fetch a model, or go on fetching it, and verify it
    Pull {
        /// Model of the catalog [default: the one of the settings]
        name: Option<String>,

        /// Fetch what the settings need: each local provider's model of the catalog, which may be none
        #[arg(long, conflicts_with = "name")]
        needed: bool,
    },
}

impl Args {
    /// What is asked for.
    pub fn wanted(&self) -> Command {
        self.command.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Args {
        Args::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn to_serve_is_what_is_done_without_a_command() {
        assert_eq!(parse("hitesh-ai").wanted(), Command::Serve);
        assert_eq!(parse("hitesh-ai serve").wanted(), Command::Serve);
    }

    #[test]
    fn the_settings_file_can_be_named_before_and_after_the_command() {
        for line in ["hitesh-ai --config a.toml check", "hitesh-ai check --config a.toml"] {
            assert_eq!(parse(line).config, Some(PathBuf::from("a.toml")), "{line}");
        }
    }

    #[test]
    fn a_model_is_pulled_by_name_or_by_default() {
        let pull = |name: Option<&str>, needed| Command::Model {
            command: ModelCommand::Pull { name: name.map(str::to_owned), needed },
        };
        assert_eq!(parse("hitesh-ai model pull").command, Some(pull(None, false)));
        assert_eq!(parse("hitesh-ai model pull tiny").command, Some(pull(Some("tiny"), false)));
        assert_eq!(parse("hitesh-ai model pull --needed").command, Some(pull(None, true)));
    }
}
