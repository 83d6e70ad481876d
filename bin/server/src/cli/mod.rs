//! What the binary does besides serving.

mod chat;
mod check;
mod migrate;
mod model;
mod persona;
mod remote;
mod terminal;

#[cfg(test)]
pub(crate) use self::persona::new_pack;

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
    match args.wanted() {
        Command::Serve => {
            let again = args.clone();
            start::serve(prepared(args)?, move || Settings::load(&again, &ProcessEnv)).await
        }
        Command::Check => check::run(&prepared(args)?).await,
        Command::Chat(chat) => chat::run(&prepared(args)?, &chat).await,
        Command::Migrate(migrate) => migrate::run(&prepared(args)?, &migrate).await,
        Command::Model { command } => model::run(&prepared(args)?, &command).await,
        // A pack's author may have no settings, or none that are valid: they are read only where they are needed.
        Command::Persona { command } => persona::run(&command, &|| Settings::load(args, &ProcessEnv)),
    }
}

/// The settings, once the log is as they say.
fn prepared(args: &Args) -> Result<Settings, StartError> {
    let mut settings = Settings::load(args, &ProcessEnv)?;
    if args.wanted() != Command::Serve {
        // Somebody reads the answer in the same terminal.
        settings.log.only_problems();
    }
    telemetry::init(&settings.log)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(settings)
}
