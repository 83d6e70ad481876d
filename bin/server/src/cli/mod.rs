//! What the binary does besides serving.

mod chat;
mod check;
mod model;
mod remote;
mod terminal;

use crate::{
    args::{Args, Command},
    settings::{ProcessEnv, Settings},
    start::{self, StartError},
    telemetry,
};

/// Does what the command line says.
///
/// # Errors
/// What is wrong, in a line for each mistake.
pub async fn run(args: &Args) -> Result<(), StartError> {
    let mut settings = Settings::load(args, &ProcessEnv)?;
    let command = args.wanted();
    if command != Command::Serve {
        // Somebody reads the answer in the same terminal.
        settings.log.only_problems();
    }
    telemetry::init(&settings.log)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    match command {
        Command::Serve => start::serve(&settings).await,
        Command::Check => check::run(&settings).await,
        Command::Chat(chat) => chat::run(&settings, &chat).await,
        Command::Model { command } => model::run(&settings, &command).await,
    }
}
