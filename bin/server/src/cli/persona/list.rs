use std::io::Write;

use super::show::FORMATS;
use crate::{
    packs::{self, LoadedPack},
    settings::PersonaSettings,
    start::StartError,
};

const HEAD: [&str; 7] = ["ID", "NAME", "LANGUAGES", "NOTES", "PREFIX", "VERSION", "FROM"];

/// Lists the personas in the order in which the server shows them, one a line.
///
/// # Errors
/// If one of them can't be served; the others are listed before.
pub(super) fn run(settings: &PersonaSettings) -> Result<(), StartError> {
    let (packs, problems) = packs::load(settings);
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(packs.iter().map(|pack| row(pack, settings)));
    let mut widths = [0; HEAD.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = std::io::stdout();
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    if problems.is_empty() { Ok(()) } else { Err(StartError::Packs(problems)) }
}

fn row(pack: &LoadedPack, settings: &PersonaSettings) -> [String; HEAD.len()] {
    let persona = &pack.persona;
    let prefix = FORMATS.map(|format| persona.prefix_tokens(format)).into_iter().max().unwrap_or_default();
    let default = if *persona.id() == settings.default { " (default)" } else { "" };
    [
        persona.id().to_string(),
        persona.name().to_owned(),
        persona.languages().join(", "),
        persona.notes().count().to_string(),
        format!("~{prefix} tokens"),
        persona.version(),
        format!("{}{default}", pack.place),
    ]
}
