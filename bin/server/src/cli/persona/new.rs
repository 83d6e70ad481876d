use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use hitesh_domain::PersonaId;

use crate::start::StartError;

/// The files of a small pack, with an id yet to be put in.
const TEMPLATE: [(&str, &str); 3] = [
    ("persona.toml", include_str!("template/persona.toml")),
    ("examples.toml", include_str!("template/examples.toml")),
    ("notes/reading-an-error.md", include_str!("template/notes/reading-an-error.md")),
];

/// What stands in the template where the id belongs.
const ID: &str = "PERSONA-ID";

/// The id of a pack in a folder whose name can't be one.
const FALLBACK_ID: &str = "my-persona";

/// Writes a pack to begin with.
///
/// # Errors
/// If the folder holds something, or can't be written.
pub(super) fn run(directory: &Path) -> Result<(), StartError> {
    let failed = |error: io::Error| StartError::Command(format!("{}: {error}", directory.display()));
    fs::create_dir_all(directory).map_err(failed)?;
    if fs::read_dir(directory).map_err(failed)?.next().is_some() {
        let problem = format!("{}: the folder is not empty, and nothing was written", directory.display());
        return Err(StartError::Command(problem));
    }
    let mut out = std::io::stdout().lock();
    for (path, text) in new_pack(&id_for(directory)) {
        let file = directory.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(&file, text).map_err(failed)?;
        writeln!(out, "{}", file.display())?;
    }
    let shown = directory.display();
    writeln!(out, "\nMake it yours, then: hitesh-ai persona lint {shown}")?;
    writeln!(out, "To serve it, in hitesh.toml:\n\n[persona]\ndirectories = [\"{shown}\"]")?;
    Ok(())
}

/// The files of a new pack: (path relative to its folder, text).
pub(crate) fn new_pack(id: &str) -> impl Iterator<Item = (&'static str, String)> {
    TEMPLATE.into_iter().map(move |(path, text)| (path, text.replace(ID, id)))
}

fn id_for(directory: &Path) -> String {
    // `.` has no name of its own.
    let named = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let name = named.file_name().map(|name| name.to_string_lossy().to_lowercase().replace(' ', "-"));
    name.filter(|name| PersonaId::try_from(name.as_str()).is_ok()).unwrap_or_else(|| FALLBACK_ID.to_owned())
}

#[cfg(test)]
mod tests {
    use hitesh_persona::lint;

    use super::*;

    #[test]
    fn a_new_pack_has_nothing_to_complain_of() {
        assert_eq!(lint(new_pack("anna")), []);
    }

    #[test]
    fn the_folder_gives_the_id_where_its_name_can() {
        for (folder, id) in [("/packs/anna", "anna"), ("Anna Two", "anna-two"), ("/", FALLBACK_ID), ("é", FALLBACK_ID)]
        {
            assert_eq!(id_for(Path::new(folder)), id, "{folder}");
        }
    }
}
