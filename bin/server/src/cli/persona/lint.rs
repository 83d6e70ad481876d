use std::{io::Write, path::Path};

use hitesh_persona::{Finding, Severity, lint_dir};

use crate::start::StartError;

/// Prints what is wrong with a pack and what could be better, one finding a line.
///
/// # Errors
/// If the pack has mistakes, or, if `strict`, warnings.
pub(super) fn run(directory: &Path, strict: bool) -> Result<(), StartError> {
    let findings = lint_dir(directory);
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        // As the file is called from here, so that an editor finds it.
        let path = Path::new(&finding.file);
        let path = if path == directory { path.to_owned() } else { directory.join(path) };
        let file = path.display().to_string();
        writeln!(out, "{}", Finding { file, ..finding.clone() })?;
    }
    let mistakes = findings.iter().filter(|finding| finding.severity == Severity::Mistake).count();
    let warnings = findings.len() - mistakes;
    let summary =
        format!("{}: {}, {}", directory.display(), counted(mistakes, "mistake"), counted(warnings, "warning"));
    if mistakes > 0 || (strict && warnings > 0) {
        return Err(StartError::Command(summary));
    }
    Ok(writeln!(out, "{summary}")?)
}

fn counted(number: usize, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
