use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use hitesh_persona::{Card, CardVersion, Persona};

use crate::{
    args::{CardFormat, ExportArgs},
    packs::{LoadedPack, Place},
    start::StartError,
};

/// Makes a character card of a pack.
///
/// # Errors
/// If the pack can't be read, or the file exists or can't be written.
pub(super) fn run(pack: &LoadedPack, args: &ExportArgs) -> Result<(), StartError> {
    let wrong =
        |place: &dyn std::fmt::Display, error: &dyn std::fmt::Display| StartError::Command(format!("{place}: {error}"));
    let files = match &pack.place {
        Place::BuiltIn => {
            Persona::builtin_files(pack.persona.id().as_str()).map_err(|error| wrong(&pack.place, &error))?
        }
        Place::Folder(folder) => files_of(folder).map_err(|error| wrong(&pack.place, &error))?,
    };
    let card = Card::from_pack(files).map_err(|error| wrong(&pack.place, &error))?;
    let version = if args.v2 { CardVersion::V2 } else { CardVersion::V3 };
    let bytes = match args.format {
        CardFormat::Json => card.to_json(version).into_bytes(),
        CardFormat::Png => card.to_png(),
        CardFormat::Charx => card.to_charx().map_err(|error| wrong(&pack.place, &error))?,
    };
    let out = &args.out;
    let mut options = OpenOptions::new();
    options.write(true);
    let options = if args.force { options.create(true).truncate(true) } else { options.create_new(true) };
    let written = options.open(out).and_then(|mut file| file.write_all(&bytes));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => wrong(&out.display(), &"there is such a file; --force overwrites it"),
        _ => wrong(&out.display(), &error),
    })?;
    Ok(writeln!(io::stdout().lock(), "{}, {} bytes: {}", card.name(), bytes.len(), out.display())?)
}

/// The files of a pack, and its `card.json`: (path relative to the folder, text).
fn files_of(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for (below, prefix) in [(folder.to_owned(), ""), (folder.join("notes"), "notes/")] {
        if !prefix.is_empty() && !below.is_dir() {
            continue;
        }
        for entry in fs::read_dir(below)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let belongs = name.ends_with(".toml") || name.ends_with(".md") || name == "card.json";
            if belongs && !name.starts_with('.') && entry.path().is_file() {
                files.push((format!("{prefix}{name}"), fs::read_to_string(entry.path())?));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use hitesh_persona::Card;

    use super::super::import;
    use crate::{args::ImportArgs, packs::Place};

    use super::*;

    const NANI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/persona/examples/cards/nani-debugger.json");

    fn import_args(into: PathBuf, force: bool) -> ImportArgs {
        ImportArgs { card: NANI.into(), into, id: None, user: "friend".to_owned(), force }
    }

    fn pack(folder: &Path) -> LoadedPack {
        LoadedPack { persona: Persona::from_dir(folder).unwrap(), place: Place::Folder(folder.to_owned()) }
    }

    #[test]
    fn a_card_comes_in_and_goes_out_as_it_was() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("nani");
        import::run(&import_args(folder.clone(), false)).unwrap();
        let original = Card::read(&fs::read(NANI).unwrap()).unwrap().to_json(CardVersion::V3);
        for (format, name) in [(CardFormat::Json, "a.json"), (CardFormat::Png, "a.png"), (CardFormat::Charx, "a.charx")]
        {
            let out = temporary.path().join(name);
            let mut args =
                ExportArgs { persona: "./nani".to_owned(), format, out: out.clone(), v2: false, force: false };
            run(&pack(&folder), &args).unwrap();
            assert_eq!(Card::read(&fs::read(&out).unwrap()).unwrap().to_json(CardVersion::V3), original);
            assert!(run(&pack(&folder), &args).unwrap_err().to_string().contains("--force"));
            args.force = true;
            run(&pack(&folder), &args).unwrap();
        }
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join("README.md"), "mine").unwrap();
        let refused = import::run(&import_args(temporary.path().to_owned(), false)).unwrap_err();
        assert!(refused.to_string().contains("not empty"), "{refused}");
        assert!(!temporary.path().join("persona.toml").exists());
        import::run(&import_args(temporary.path().to_owned(), true)).unwrap();
        assert_eq!(pack(temporary.path()).persona.id().as_str(), "nani-debugger");
    }

    #[test]
    fn built_in_personas_go_out_too() {
        let temporary = tempfile::tempdir().unwrap();
        let out = temporary.path().join("card.png");
        let persona = Persona::builtin(Persona::builtin_ids()[0]).unwrap();
        let name = persona.name().to_owned();
        let args =
            ExportArgs { persona: String::new(), format: CardFormat::Png, out: out.clone(), v2: false, force: false };
        run(&LoadedPack { persona, place: Place::BuiltIn }, &args).unwrap();
        assert_eq!(Card::read(&fs::read(out).unwrap()).unwrap().name(), name);
    }
}
