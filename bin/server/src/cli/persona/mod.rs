//! Persona packs, for those who write and run them.

mod export;
mod import;
mod lint;
mod list;
mod new;
mod show;

use hitesh_persona::Persona;

#[cfg(test)]
pub(crate) use self::new::new_pack;
use crate::{
    args::PersonaCommand,
    packs::{self, LoadedPack, Place},
    settings::{Settings, SettingsError},
    start::StartError,
};

/// Reads the settings, for the commands that need them.
type Load<'a> = &'a dyn Fn() -> Result<Settings, SettingsError>;

/// Does what is asked with packs.
///
/// # Errors
/// If it can't be done, or a pack is not as it should be.
pub(super) fn run(command: &PersonaCommand, settings: Load<'_>) -> Result<(), StartError> {
    match command {
        PersonaCommand::List => list::run(&settings()?.persona),
        PersonaCommand::Show(show) => show::run(&found(&show.persona, settings)?, show),
        PersonaCommand::Lint { directory, strict } => lint::run(directory, *strict),
        PersonaCommand::New { directory } => new::run(directory),
        PersonaCommand::Import(args) => import::run(args),
        PersonaCommand::Export(args) => export::run(&found(&args.persona, settings)?, args),
    }
}

/// The persona of this id, or the one in the folder of this name. A folder is read only if it is written as one
/// (`./reviewer`) or no persona has its name.
fn found(name_or_dir: &str, settings: Load<'_>) -> Result<LoadedPack, StartError> {
    let folder = std::path::Path::new(name_or_dir);
    let is_path = name_or_dir.contains(std::path::MAIN_SEPARATOR) || name_or_dir.starts_with('.');
    let mut known = Vec::new();
    if !is_path {
        let (packs, problems) = packs::load(&settings()?.persona);
        known = packs.iter().map(|pack| pack.persona.id().to_string()).collect();
        if let Some(pack) = packs.into_iter().find(|pack| pack.persona.id().as_str() == name_or_dir) {
            return Ok(pack);
        }
        if !problems.is_empty() && !folder.is_dir() {
            return Err(StartError::Packs(problems));
        }
    }
    if is_path || folder.is_dir() {
        let place = Place::Folder(folder.to_owned());
        return match Persona::from_dir(folder) {
            Ok(persona) => Ok(LoadedPack { persona, place }),
            Err(source) => Err(StartError::Packs(vec![packs::PackProblem::Pack { place, source }])),
        };
    }
    let known = known.join(", ");
    Err(StartError::Command(format!("there is neither a persona nor a folder {name_or_dir}; personas: {known}")))
}
