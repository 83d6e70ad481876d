use std::{
    fs,
    io::{self, Write},
};

use hitesh_persona::{Card, ImportOptions, Persona};

use crate::{args::ImportArgs, start::StartError};

/// Makes a pack of a character card.
///
/// # Errors
/// If the card can't be read, the folder holds something, or the pack has mistakes that its author has to mend; the
/// pack is written all the same then.
pub(super) fn run(args: &ImportArgs) -> Result<(), StartError> {
    let ImportArgs { card: path, into, id, user, force } = args;
    let wrong = |problem: String| StartError::Command(problem);
    let at_card = |error: &dyn std::fmt::Display| wrong(format!("{}: {error}", path.display()));
    let card = Card::read(&fs::read(path).map_err(|error| at_card(&error))?).map_err(|error| at_card(&error))?;

    let at_folder = |error: io::Error| wrong(format!("{}: {error}", into.display()));
    fs::create_dir_all(into).map_err(at_folder)?;
    if !force && fs::read_dir(into).map_err(at_folder)?.next().is_some() {
        let problem = "the folder is not empty, and nothing was written; --force writes into it all the same";
        return Err(wrong(format!("{}: {problem}", into.display())));
    }

    let mut out = io::stdout().lock();
    writeln!(out, "{}, a character card of {}", card.name(), args.card.display())?;
    if let Some(version) = card.newer_version() {
        writeln!(
            out,
            "It follows version {version}, which is newer than what is known here: something may be left unused."
        )?;
    }
    let files = card.into_pack(&ImportOptions { user: user.clone(), id: id.clone() });
    for (name, text) in &files {
        let file = into.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(at_folder)?;
        }
        fs::write(&file, text).map_err(at_folder)?;
        writeln!(out, "{}", file.display())?;
    }
    let shown = into.display();
    match Persona::from_files(files) {
        Ok(persona) => {
            // Alone, a name would be taken for a persona's before a folder's.
            let dot = if into.components().count() == 1 { "./" } else { "" };
            writeln!(out, "\nLook at it: hitesh-ai persona show {dot}{shown}")?;
            writeln!(
                out,
                "To serve it as `{}`, in hitesh.toml:\n\n[persona]\ndirectories = [\"{shown}\"]",
                persona.id()
            )?;
            Ok(())
        }
        Err(error) => Err(wrong(format!("the pack is written, and has to be mended before it can be served: {error}"))),
    }
}
