//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use hitesh_domain::{PersonaId, StepFormat};
use hitesh_persona::PromptSize;

/// Chat with personas that think aloud, over any LLM.
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
    /// Move all sessions from the SQLite file of the settings to their Redis. Can be run again: what is there already is left
    Migrate(MigrateArgs),
    /// Look after the models that run in this process
    Model {
        /// What to do with them.
        #[command(subcommand)]
        command: ModelCommand,
    },
    /// Look at persona packs, check them, begin a new one, and turn character cards into packs and back
    Persona {
        /// What to do with them.
        #[command(subcommand)]
        command: PersonaCommand,
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

/// From where to where sessions move. The server has to be stopped meanwhile; the file stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct MigrateArgs {
    /// Where they are
    #[arg(long, value_enum)]
    pub from: StoreKind,

    /// Where they are to be
    #[arg(long, value_enum)]
    pub to: StoreKind,

    /// Only say how many there are
    #[arg(long)]
    pub dry_run: bool,
}

/// What keeps sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// The file of the settings
    Sqlite,
    /// The Redis of the settings
    Redis,
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

/// What to do with persona packs.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum PersonaCommand {
    /// List the personas that the server has: built-in ones and those of the settings
    List,
    /// Show all of a persona, or what a model is asked in its name
    Show(ShowArgs),
    /// Say what is wrong with a pack, and what could be better
    Lint {
        /// Folder of the pack
        directory: PathBuf,

        /// Fail on warnings too
        #[arg(long)]
        strict: bool,
    },
    /// Write a small pack to begin with
    New {
        /// Folder to write it into: a new or an empty one. Its name becomes the persona's id
        directory: PathBuf,
    },
    /// Make a pack of a character card: JSON, PNG or charx
    Import(ImportArgs),
    /// Make a character card of a pack
    Export(ExportArgs),
}

/// How to make a pack of a card.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ImportArgs {
    /// The card
    #[arg(value_name = "FILE")]
    pub card: PathBuf,

    /// Folder to write the pack into: a new or an empty one
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,

    /// The persona's id [default: made of the character's name]
    #[arg(long, value_parser = persona_id)]
    pub id: Option<PersonaId>,

    /// What the card's {{user}} becomes
    #[arg(long, value_name = "WORD", default_value = "friend")]
    pub user: String,

    /// Write into a folder that holds something; files of the same names are overwritten
    #[arg(long)]
    pub force: bool,
}

/// How to make a card of a pack.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ExportArgs {
    /// Id of a persona that the server has, or the folder of a pack
    #[arg(value_name = "NAME_OR_DIR")]
    pub persona: String,

    /// What to write
    #[arg(long, value_enum)]
    pub format: CardFormat,

    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Write JSON in the second version of the specification; a PNG has both
    #[arg(long)]
    pub v2: bool,

    /// Overwrite the file
    #[arg(long)]
    pub force: bool,
}

/// The forms of a character card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CardFormat {
    /// Text
    Json,
    /// A picture with the text inside
    Png,
    /// An archive with the text and all files
    Charx,
}

fn persona_id(text: &str) -> Result<PersonaId, String> {
    PersonaId::try_from(text).map_err(|error| error.rule().to_owned())
}

/// What to show of a persona.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ShowArgs {
    /// Id of a persona that the server has, or the folder of a pack
    #[arg(value_name = "NAME_OR_DIR")]
    pub persona: String,

    /// Show only the messages that a model would be sent for this question
    #[arg(long, value_name = "QUESTION")]
    pub prompt: Option<String>,

    /// How the model is asked to mark the steps
    #[arg(long, value_enum, default_value_t = FormatArg::Tagged)]
    pub format: FormatArg,

    /// How long the prompt is to be; compact is for small models
    #[arg(long, value_enum, default_value_t = SizeArg::Full)]
    pub size: SizeArg,
}

/// A step format, as settings call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are `StepFormat`'s")]
pub enum FormatArg {
    JsonSchema,
    JsonObject,
    Tagged,
}

impl From<FormatArg> for StepFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::JsonSchema => Self::JsonSchema,
            FormatArg::JsonObject => Self::JsonObject,
            FormatArg::Tagged => Self::Tagged,
        }
    }
}

/// The size of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "they are `PromptSize`'s")]
pub enum SizeArg {
    Full,
    Compact,
}

impl From<SizeArg> for PromptSize {
    fn from(size: SizeArg) -> Self {
        match size {
            SizeArg::Full => Self::Full,
            SizeArg::Compact => Self::Compact,
        }
    }
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
    fn a_prompt_is_shown_in_any_form() {
        let line = "hitesh-ai persona show reviewer --prompt why? --format json_schema --size compact";
        let Some(Command::Persona { command: PersonaCommand::Show(show) }) = parse(line).command else {
            panic!("it is another command")
        };
        assert_eq!((show.persona.as_str(), show.prompt.as_deref()), ("reviewer", Some("why?")));
        assert_eq!((show.format, show.size), (FormatArg::JsonSchema, SizeArg::Compact));
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
