//! The persona packs that a server has: those that are built in, and those that the settings name.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use hitesh_persona::{Persona, PersonaError};

use crate::settings::PersonaSettings;

/// A persona, and where it is from.
#[derive(Debug)]
pub struct LoadedPack {
    /// The persona.
    pub persona: Persona,
    /// Where its pack is.
    pub place: Place,
}

/// Where a pack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the binary.
    BuiltIn,
    /// In this folder.
    Folder(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::Folder(folder) => folder.display().fmt(f),
        }
    }
}

/// Why a pack that the settings name is not served.
#[derive(Debug, thiserror::Error)]
pub enum PackProblem {
    /// It has mistakes.
    #[error("{place}: {source}")]
    Pack {
        /// Where it is.
        place: Place,
        /// The mistakes.
        source: PersonaError,
    },
    /// Another pack has its id.
    #[error("{}: the persona in {} has the same id", second.display(), first.display())]
    SameId {
        /// The pack that goes before.
        first: PathBuf,
        /// The pack that has no place any more.
        second: PathBuf,
    },
    /// The folder of packs can't be read.
    #[error("persona.packs_directory: {}: {source}", directory.display())]
    Directory {
        /// Which one.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in the folder of packs is no pack.
    #[error("persona.packs_directory: {}: it holds packs only, each in a folder of its own", .0.display())]
    Stray(PathBuf),
}

/// The personas of the settings, then those that are built in, without the ones whose id an operator's pack has; and
/// all that is wrong with them.
pub fn load(settings: &PersonaSettings) -> (Vec<LoadedPack>, Vec<PackProblem>) {
    let mut problems = Vec::new();
    let mut folders = settings.directories.clone();
    if let Some(directory) = &settings.packs_directory {
        match packs_in(directory, &mut problems) {
            Ok(found) => folders.extend(found),
            Err(source) => problems.push(PackProblem::Directory { directory: directory.clone(), source }),
        }
    }
    let mut packs: Vec<LoadedPack> = Vec::new();
    for folder in folders {
        match Persona::from_dir(&folder) {
            Err(source) => problems.push(PackProblem::Pack { place: Place::Folder(folder), source }),
            Ok(persona) => match packs.iter().find(|pack| pack.persona.id() == persona.id()) {
                Some(LoadedPack { place: Place::Folder(first), .. }) => {
                    problems.push(PackProblem::SameId { first: first.clone(), second: folder });
                }
                _ => packs.push(LoadedPack { persona, place: Place::Folder(folder) }),
            },
        }
    }
    for id in Persona::builtin_ids() {
        if packs.iter().all(|pack| pack.persona.id().as_str() != id) {
            match Persona::builtin(id) {
                Ok(persona) => packs.push(LoadedPack { persona, place: Place::BuiltIn }),
                Err(source) => problems.push(PackProblem::Pack { place: Place::BuiltIn, source }),
            }
        }
    }
    (packs, problems)
}

/// The folders in `directory`, sorted. Hidden entries are left alone, also a pack that is just being written.
fn packs_in(directory: &Path, problems: &mut Vec<PackProblem>) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if path.is_dir() && !name.starts_with('.') {
            folders.push(path);
        } else if ![".", "README", "LICENSE"].iter().any(|beside| name.starts_with(beside)) {
            problems.push(PackProblem::Stray(path));
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn settings(directory: &Path) -> PersonaSettings {
        PersonaSettings {
            default: "hitesh".parse().unwrap(),
            directories: Vec::new(),
            packs_directory: Some(directory.to_owned()),
        }
    }

    /// A folder of packs, each a name and an id.
    fn packs(packs: &[(&str, &str)]) -> TempDir {
        let directory = TempDir::new().unwrap();
        for (name, id) in packs {
            let folder = directory.path().join(name);
            fs::create_dir(&folder).unwrap();
            for (file, text) in crate::cli::new_pack(id) {
                fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
                fs::write(folder.join(file), text).unwrap();
            }
        }
        directory
    }

    #[test]
    fn packs_of_the_settings_come_before_built_in_ones_and_take_their_place() {
        let directory = packs(&[("b", "hitesh"), ("a", "smith")]);
        fs::write(directory.path().join("README.md"), "").unwrap();
        fs::create_dir(directory.path().join(".half")).unwrap();
        let (packs, problems) = load(&settings(directory.path()));
        assert!(problems.is_empty(), "{problems:?}");
        let ids: Vec<_> = packs.iter().map(|pack| pack.persona.id().as_str()).collect();
        assert_eq!(&ids[..2], ["smith", "hitesh"]);
        assert_eq!(packs[1].place, Place::Folder(directory.path().join("b")));
        assert_eq!(ids.iter().filter(|id| **id == "hitesh").count(), 1);
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let directory = packs(&[("a", "smith"), ("b", "smith")]);
        fs::create_dir(directory.path().join("empty")).unwrap();
        fs::write(directory.path().join("pack.zip"), "").unwrap();
        let (packs, problems) = load(&settings(directory.path()));
        assert_eq!(packs.iter().filter(|pack| pack.place != Place::BuiltIn).count(), 1);
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        for (place, what) in
            [("pack.zip", "packs only"), ("b", "same id"), ("empty", "persona.toml: the file is missing")]
        {
            let place = directory.path().join(place).display().to_string();
            assert!(told.iter().any(|told| told.contains(&place) && told.contains(what)), "{what}: {told:#?}");
        }
        assert_eq!(told.len(), 3, "{told:#?}");
        let (_, problems) = load(&settings(&directory.path().join("nowhere")));
        assert!(problems[0].to_string().contains("nowhere"), "{problems:?}");
    }
}
