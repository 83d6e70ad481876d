use std::path::PathBuf;

use hitesh_domain::PersonaId;
use serde::Deserialize;

use super::resolve::Resolve;

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonaSettings {
    /// Who answers when the caller names nobody.
    pub default: PersonaId,
    /// Packs beside those that are built in, one folder each.
    pub directories: Vec<PathBuf>,
    /// A folder of packs: each folder in it is one.
    pub packs_directory: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonaForm {
    default: PersonaId,
    #[serde(deserialize_with = "super::values::list")]
    directories: Vec<String>,
    packs_directory: Option<String>,
}

impl PersonaForm {
    pub(super) fn resolve(self, at: &Resolve<'_>) -> PersonaSettings {
        PersonaSettings {
            default: self.default,
            directories: self.directories.iter().map(|directory| at.path(directory)).collect(),
            packs_directory: self.packs_directory.map(|directory| at.path(&directory)),
        }
    }
}
